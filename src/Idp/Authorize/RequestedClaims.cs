using System.Text;
using System.Text.Json;
using Trust.Crypto.Json;

namespace Trust.Idp.Authorize;

/// <summary>One claim that was asked for by name.</summary>
/// <param name="Essential">Without it the client cannot go on.</param>
/// <param name="Values">Values that it must have; empty for any.</param>
public sealed record ClaimRequest(bool Essential, IReadOnlyList<string> Values);

/// <summary>The <c>claims</c> parameter (OpenID Connect Core 5.5). What is not understood in it is ignored, as the text demands; what is no such object is refused.</summary>
/// <param name="UserInfo">Asked for from <c>/userinfo</c>.</param>
/// <param name="IdToken">Asked for in the ID token.</param>
public sealed record RequestedClaims(IReadOnlyDictionary<string, ClaimRequest> UserInfo, IReadOnlyDictionary<string, ClaimRequest> IdToken)
{
    /// <summary>Longest parameter, in bytes.</summary>
    public const int MaxLength = 4096;
    private const int MaxDepth = 6;

    /// <summary>Nothing asked for.</summary>
    public static RequestedClaims None { get; } = new(new Dictionary<string, ClaimRequest>(StringComparer.Ordinal), new Dictionary<string, ClaimRequest>(StringComparer.Ordinal));

    /// <summary>Authentication contexts of which one must be met; empty when none must.</summary>
    public IReadOnlyList<string> EssentialAcr => IdToken.GetValueOrDefault("acr") is { Essential: true } acr ? acr.Values : [];

    /// <summary>The one person that may answer, or null.</summary>
    public string? Subject => (IdToken.GetValueOrDefault("sub") ?? UserInfo.GetValueOrDefault("sub"))?.Values is [var only] ? only : null;

    /// <summary>Reads the parameter; null when it is none.</summary>
    public static RequestedClaims? TryParse(string? json)
    {
        if (json is null)
        {
            return None;
        }

        if (!StrictJson.TryParse(Encoding.UTF8.GetBytes(json), new JsonLimits(MaxLength, MaxDepth), out var root, out _) || root.ValueKind is not JsonValueKind.Object)
        {
            return null;
        }

        return Members(root, "userinfo") is { } info && Members(root, "id_token") is { } token ? new RequestedClaims(info, token) : null;
    }

    private static Dictionary<string, ClaimRequest>? Members(JsonElement root, string name)
    {
        var members = new Dictionary<string, ClaimRequest>(StringComparer.Ordinal);
        if (!root.TryGetProperty(name, out var part) || part.ValueKind is JsonValueKind.Null)
        {
            return members;
        }

        if (part.ValueKind is not JsonValueKind.Object)
        {
            return null;
        }

        foreach (var claim in part.EnumerateObject())
        {
            if (One(claim.Value) is not { } request)
            {
                return null;
            }

            members[claim.Name] = request;
        }

        return members;
    }

    private static ClaimRequest? One(JsonElement claim)
    {
        if (claim.ValueKind is JsonValueKind.Null)
        {
            return new ClaimRequest(false, []);
        }

        if (claim.ValueKind is not JsonValueKind.Object)
        {
            return null;
        }

        var essential = false;
        var values = new List<string>();
        foreach (var member in claim.EnumerateObject())
        {
            switch (member.Name)
            {
                case "essential" when member.Value.ValueKind is JsonValueKind.True or JsonValueKind.False:
                    essential = member.Value.GetBoolean();
                    break;
                case "value":
                    values.Add(Text(member.Value));
                    break;
                case "values" when member.Value.ValueKind is JsonValueKind.Array:
                    values.AddRange(member.Value.EnumerateArray().Select(Text));
                    break;
                case "essential" or "values":
                    return null;
            }
        }

        return new ClaimRequest(essential, values);
    }

    private static string Text(JsonElement value) => value.ValueKind is JsonValueKind.String ? value.GetString()! : value.GetRawText();
}

using System.Text.Json;

namespace Trust.Idp.Token;

/// <summary>Claims about the person that a scope or the claims parameter asks for (OpenID Connect Core 5.4, 5.5): what the registry knows, and nothing else.</summary>
internal static class PersonClaims
{
    /// <summary>Names offered, for metadata.</summary>
    public static readonly IReadOnlyList<string> Names = ["name"];

    /// <summary>Writes the claims for one place.</summary>
    /// <param name="json">Inside the object.</param>
    /// <param name="practitioner">The person.</param>
    /// <param name="scope">Granted scopes.</param>
    /// <param name="claims">The claims parameter, or null.</param>
    /// <param name="place"><c>id_token</c> or <c>userinfo</c>.</param>
    public static void Write(Utf8JsonWriter json, Practitioner practitioner, string scope, string? claims, string place)
    {
        if (IsAsked("name", "profile", scope, claims, place))
        {
            json.WriteString("name", practitioner.Session.Holder.Name);
        }
    }

    /// <summary>Whether a claim is asked for, by scope or by name.</summary>
    public static bool IsAsked(string name, string byScope, string scope, string? claims, string place)
    {
        if (scope.Split(' ').Contains(byScope, StringComparer.Ordinal))
        {
            return true;
        }

        if (claims is null)
        {
            return false;
        }

        using var read = JsonDocument.Parse(claims);
        return read.RootElement.TryGetProperty(place, out var members) && members.ValueKind is JsonValueKind.Object && members.TryGetProperty(name, out _);
    }
}

using System.Text;
using System.Text.Json;
using Trust.Crypto.Json;
using Trust.Idp.Clients;
using Trust.Kernel.Identifiers;

namespace Trust.Idp.Authorize;

/// <summary>One authorization detail (RFC 9396 2): a right described by what it is for, not by a name.</summary>
/// <param name="Type">Its type.</param>
public abstract record AuthorizationDetail(string Type)
{
    /// <summary>To sign exactly these documents, for one institution: <c>prescription_sign</c>, <c>record_sign</c>.</summary>
    /// <param name="Type">Its type.</param>
    /// <param name="Digests">SHA-256 of each document, lower-case hex.</param>
    /// <param name="Institution">For whom.</param>
    public sealed record Signing(string Type, IReadOnlyList<string> Digests, InstitutionId Institution) : AuthorizationDetail(Type);

    /// <summary>To read parts of one patient's record until an instant: <c>record_access</c>.</summary>
    /// <param name="Patient">Pseudonym.</param>
    /// <param name="Classes">Parts of the record.</param>
    /// <param name="Purpose">What for.</param>
    /// <param name="ExpiresAt">Until when.</param>
    public sealed record RecordAccess(PatientId Patient, IReadOnlyList<string> Classes, string Purpose, DateTimeOffset ExpiresAt) : AuthorizationDetail(AuthorizationDetails.RecordAccessType);
}

/// <summary>The parameter <c>authorization_details</c> (RFC 9396), read strictly: whoever misspells a limit must not get the right without it.</summary>
public static class AuthorizationDetails
{
    /// <summary>Type of access to a record.</summary>
    public const string RecordAccessType = "record_access";

    /// <summary>Types offered.</summary>
    public static readonly IReadOnlyList<string> Types = ["prescription_sign", "record_sign", RecordAccessType];

    /// <summary>Longest parameter, in bytes.</summary>
    public const int MaxLength = 8 * 1024;
    private const int MaxDepth = 5;
    private const int MostDetails = 8;
    private const int MostDigests = 64;
    private const int MostClasses = 16;
    private const int LongestCode = 64;
    private static readonly TimeSpan LongestAccess = TimeSpan.FromHours(8);
    private static readonly string[] SigningMembers = ["type", "digests", "count", "institution"];
    private static readonly string[] DigestMembers = ["alg", "value"];
    private static readonly string[] AccessMembers = ["type", "patient", "classes", "purpose", "expires_at"];

    /// <summary>Reads and judges the parameter for a client.</summary>
    /// <param name="json">As sent; null for none.</param>
    /// <param name="client">Who asks.</param>
    /// <param name="now">When.</param>
    /// <param name="details">What is asked for.</param>
    /// <returns>The rule that is broken, for the client's author; null when all hold.</returns>
    public static string? Broken(string? json, Client client, DateTimeOffset now, out IReadOnlyList<AuthorizationDetail> details)
    {
        ArgumentNullException.ThrowIfNull(client);
        details = [];
        if (json is null)
        {
            return null;
        }

        if (TryParse(json) is not { } read)
        {
            return "authorization_details is no array of objects of the types " + string.Join(", ", Types) + ", each with exactly its members.";
        }

        if (read.FirstOrDefault(d => !client.Metadata.AuthorizationDetailsTypes.Contains(d.Type, StringComparer.Ordinal)) is { } unregistered)
        {
            return $"The type {unregistered.Type} is not registered for this client.";
        }

        if (read.OfType<AuthorizationDetail.Signing>().Select(s => s.Institution).Distinct().Count() > 1)
        {
            return "All documents are signed for one institution.";
        }

        if (read.OfType<AuthorizationDetail.RecordAccess>().Any(a => a.ExpiresAt <= now || a.ExpiresAt > now + LongestAccess))
        {
            return "expires_at is ahead, by eight hours at most.";
        }

        details = read;
        return null;
    }

    /// <summary>Reads the parameter by its form alone; null when it has another.</summary>
    public static IReadOnlyList<AuthorizationDetail>? TryParse(string json)
    {
        if (!StrictJson.TryParse(Encoding.UTF8.GetBytes(json), new JsonLimits(MaxLength, MaxDepth), out var root, out _)
            || root.ValueKind is not JsonValueKind.Array || root.GetArrayLength() is 0 or > MostDetails)
        {
            return null;
        }

        var details = root.EnumerateArray().Select(One).ToList();
        return details.Contains(null) ? null : [.. details.OfType<AuthorizationDetail>()];
    }

    private static AuthorizationDetail? One(JsonElement detail) => Text(detail, "type") switch
    {
        "prescription_sign" or "record_sign" => Signing(detail),
        RecordAccessType => Access(detail),
        _ => null,
    };

    private static AuthorizationDetail.Signing? Signing(JsonElement detail)
    {
        if (!HasExactly(detail, SigningMembers) || !InstitutionId.TryParse(Text(detail, "institution"), out var institution)
            || List(detail, "digests", MostDigests) is not { } listed
            || !detail.GetProperty("count").TryGetWhole(out var count) || count != listed.Count)
        {
            return null;
        }

        var digests = listed.Select(Digest).ToList();
        // One document twice would be two signatures where a person reads of one.
        return digests.Contains(null) || digests.Distinct(StringComparer.Ordinal).Count() != digests.Count ? null
            : new AuthorizationDetail.Signing(Text(detail, "type")!, digests!, institution);
    }

    private static string? Digest(JsonElement digest) =>
        HasExactly(digest, DigestMembers) && Text(digest, "alg") is "sha-256" && Text(digest, "value") is { Length: 64 } value && value.All(char.IsAsciiHexDigitLower) ? value : null;

    private static AuthorizationDetail.RecordAccess? Access(JsonElement detail)
    {
        if (!HasExactly(detail, AccessMembers) || !PatientId.TryParse(Text(detail, "patient"), out var patient) || List(detail, "classes", MostClasses) is not { } listed
            || Text(detail, "purpose") is not { } purpose || !IsCode(purpose) || Instant(Text(detail, "expires_at")) is not { } expires)
        {
            return null;
        }

        var classes = listed.Select(c => c.ValueKind is JsonValueKind.String && c.GetString() is { } code && IsCode(code) ? code : null).ToList();
        return classes.Contains(null) ? null : new AuthorizationDetail.RecordAccess(patient, classes!, purpose, expires);
    }

    private static bool HasExactly(JsonElement element, string[] members) =>
        element.ValueKind is JsonValueKind.Object && element.EnumerateObject().Select(m => m.Name).Order(StringComparer.Ordinal).SequenceEqual(members.Order(StringComparer.Ordinal), StringComparer.Ordinal);

    private static string? Text(JsonElement element, string name) =>
        element.ValueKind is JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String ? value.GetString() : null;

    private static List<JsonElement>? List(JsonElement element, string name, int most) =>
        element.GetProperty(name) is { ValueKind: JsonValueKind.Array } array && array.GetArrayLength() is > 0 and var length && length <= most ? [.. array.EnumerateArray()] : null;

    private static bool TryGetWhole(this JsonElement element, out int value)
    {
        value = 0;
        return element.ValueKind is JsonValueKind.Number && element.TryGetInt32(out value);
    }

    private static bool IsCode(string text) => text.Length is > 0 and <= LongestCode && text.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_' or '.');

    // An instant, not a day.
    private static DateTimeOffset? Instant(string? text) => text is { Length: > 10 } && WrittenInstant.TryParse(text, out var instant) ? instant : null;
}

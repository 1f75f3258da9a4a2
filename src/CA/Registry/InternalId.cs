using Trust.Kernel.Identifiers;

namespace Trust.CA.Registry;

/// <summary>Internal identifiers: <c>urn:mdid:p:</c> and <c>urn:mdid:o:</c> with a ULID; never derived from a national number, never reused.</summary>
public static class InternalId
{
    /// <summary>Prefix of people.</summary>
    public const string PersonPrefix = "urn:mdid:p:";

    /// <summary>Prefix of institutions.</summary>
    public const string InstitutionPrefix = "urn:mdid:o:";

    /// <summary>A new person's identifier.</summary>
    public static string NewPerson(DateTimeOffset now) => PersonPrefix + Ulid.New(now);

    /// <summary>A new institution's identifier.</summary>
    public static string NewInstitution(DateTimeOffset now) => InstitutionPrefix + Ulid.New(now);

    /// <summary>Whether text is an identifier with that prefix.</summary>
    public static bool Is(string? text, string prefix) =>
        text is not null && text.StartsWith(prefix, StringComparison.Ordinal) && Ulid.IsValid(text.AsSpan(prefix.Length));
}

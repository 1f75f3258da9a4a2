using Trust.Kernel.Identifiers;
using Trust.Kernel.Residency;

namespace Trust.CA.Registry;

/// <summary>The rule that a row breaks and the member that breaks it.</summary>
/// <param name="Rule">Stable name.</param>
/// <param name="Member">Member of the row; null when the row as a whole breaks it.</param>
public sealed record RowFault(string Rule, string? Member = null);

/// <summary>What a row must fulfil before it touches the registry. Each answer names one rule, or is null.</summary>
public static class RowRules
{
    private const int MostScopes = 32;
    private static readonly string[] InstitutionKinds = ["hospital", "internet-hospital", "clinic", "pharmacy", "platform"];
    private static readonly string[] Roles = ["physician", "assistant-physician", "pharmacist", "retail-pharmacist", "nurse"];
    private static readonly string[] IdentityTypes = ["resident-id", "hk-macau-taiwan", "foreign-resident", "passport"];
    private static readonly string[] AffiliationKinds = ["main", "multi-site", "additional"];

    /// <summary>Whether a text names a role.</summary>
    public static bool IsRole(string text) => Roles.Contains(text, StringComparer.Ordinal);

    /// <summary>The first rule an institution breaks.</summary>
    /// <param name="row">The row.</param>
    /// <param name="now">On its day the region must be listed.</param>
    /// <param name="regions">The regions.</param>
    public static RowFault? Fault(InstitutionRow row, DateTimeOffset now, RegionTree regions) =>
        !UnifiedSocialCreditCode.TryParse(row.CreditCode, out _) ? new("credit-code-checksum", "creditCode")
        : NameFault(row.Name) is { } name ? name
        : !InstitutionKinds.Contains(row.Kind, StringComparer.Ordinal) ? new("institution-kind", "kind")
        : !regions.IsInside(row.Region, ResidencyTerms.DayOf(now)) ? new("region", "region")
        : row.RegistrationNumber is { } number && !IdentifierRules.IsRegistrationNumber(number) ? new("registration-number", "registrationNumber")
        : null;

    /// <summary>A doubt that does not refuse: organisation code in credit code and registration number differ (docs/RULES.md §2).</summary>
    public static string? Warning(InstitutionRow row) =>
        row.RegistrationNumber is { } number
        && number.Replace("-", string.Empty, StringComparison.Ordinal) is { Length: 22 } plain
        && !plain.AsSpan(0, 9).SequenceEqual(row.CreditCode.AsSpan(8, 9))
            ? "registration-number-differs-from-credit-code" : null;

    /// <summary>The first rule a practitioner breaks.</summary>
    /// <param name="row">With folded numbers (<see cref="IdentifierRules.Fold"/>).</param>
    /// <param name="now">Nobody is born later, and on its day the region must be listed.</param>
    /// <param name="residency">Knows the regions, and whose data are stored here.</param>
    public static RowFault? Fault(PractitionerRow row, DateTimeOffset now, ResidencyGate residency) =>
        DocumentFault(row.IdentityType, row.IdentityNumber, now) is { } document ? document
        : NameFault(row.Name) is { } name ? name
        : !Roles.Contains(row.Role, StringComparer.Ordinal) ? new("role", "role")
        : !IsLicence(row) ? new("licence-number", "licenceNumber")
        : !IsTerm(row.Category, 40) ? new("licence-category", "category")
        : row.Scope.Count > MostScopes || !row.Scope.All(s => IsTerm(s, 60)) || row.Scope.Distinct(StringComparer.Ordinal).Count() < row.Scope.Count
            ? new("licence-scope", "scope")
        : !residency.Terms.Regions.IsInside(row.Region, ResidencyTerms.DayOf(now)) ? new("region", "region")
        : residency.RefuseStorage(row.Region, DataClass.Identity) is not null ? new("region-stored-elsewhere", "region")
        : row.QualificationNumber is { } q && !IdentifierRules.IsQualification(q, row is { IdentityType: not "passport", IdentityNumber: { Length: 18 } id } ? id : null)
            ? new("qualification-number", "qualificationNumber")
        : row.State is not (null or "active" or "pending") ? new("state", "state")
        : null;

    /// <summary>The rule that a document's type or folded number breaks.</summary>
    public static RowFault? DocumentFault(string type, string number, DateTimeOffset now) =>
        !IdentityTypes.Contains(type, StringComparer.Ordinal) ? new("identity-type", "identityType")
        : IdentifierRules.FaultOf(type, number, DateOnly.FromDateTime(now.ToOffset(TimeSpan.FromHours(8)).DateTime)) is { } rule ? new(rule, "identityNumber")
        : null;

    /// <summary>The first rule an affiliation breaks.</summary>
    public static RowFault? Fault(AffiliationRow row) =>
        !AffiliationKinds.Contains(row.Kind, StringComparer.Ordinal) ? new("affiliation-kind", "kind")
        : row.To is { } to && to <= row.From ? new("ends-before-it-begins", "to")
        : null;

    /// <summary>The first rule a filing breaks.</summary>
    public static RowFault? Fault(FilingRow row) =>
        !IsTerm(row.Number, 60) ? new("filing-number", "number")
        : row.To is { } to && to <= row.From ? new("ends-before-it-begins", "to")
        : null;

    private static bool IsLicence(PractitionerRow row) =>
        row.Role is "physician" or "assistant-physician"
            ? IdentifierRules.IsPhysicianLicence(row.LicenceNumber)
            : IdentifierRules.IsOpaqueLicence(row.LicenceNumber);

    private static RowFault? NameFault(string name) => PersonName.FaultOf(name) switch
    {
        Kernel.Identifiers.NameFault.None => null,
        Kernel.Identifiers.NameFault.HiddenCharacter => new("name-hidden-character", "name"),
        Kernel.Identifiers.NameFault.NotNormalized => new("name-not-normalized", "name"),
        _ => new("name", "name"),
    };

    // Free text that a right can depend on: seen as itself, with one spelling.
    private static bool IsTerm(string text, int most) =>
        text.Length <= most && PersonName.FaultOf(text) is (Kernel.Identifiers.NameFault.None or Kernel.Identifiers.NameFault.NoLetter);
}

using Trust.Kernel.Identifiers;

namespace Trust.CA.Registry;

/// <summary>What a row must fulfil before it touches the registry. Each answer names one rule, or is null.</summary>
public static class RowRules
{
    private const int MaxName = 100;
    private static readonly string[] InstitutionKinds = ["hospital", "internet-hospital", "clinic", "pharmacy", "platform"];
    private static readonly string[] Roles = ["physician", "assistant-physician", "pharmacist", "retail-pharmacist", "nurse"];
    private static readonly string[] IdentityTypes = ["resident-id", "hk-macau-taiwan", "foreign-resident", "passport"];
    private static readonly string[] AffiliationKinds = ["main", "multi-site", "additional"];

    /// <summary>The first rule an institution breaks.</summary>
    public static string? Refusal(InstitutionRow row) =>
        !UnifiedSocialCreditCode.TryParse(row.CreditCode, out _) ? "credit-code-checksum"
        : !IsName(row.Name) ? "name"
        : !InstitutionKinds.Contains(row.Kind, StringComparer.Ordinal) ? "institution-kind"
        : !IdentifierRules.IsRegion(row.Region) ? "region"
        : row.RegistrationNumber is { } number && !IdentifierRules.IsRegistrationNumber(number) ? "registration-number"
        : null;

    /// <summary>A doubt that does not refuse: organisation code in credit code and registration number differ (docs/RULES.md §2).</summary>
    public static string? Warning(InstitutionRow row) =>
        row.RegistrationNumber is { } number
        && number.Replace("-", string.Empty, StringComparison.Ordinal) is { Length: 22 } plain
        && !plain.AsSpan(0, 9).SequenceEqual(row.CreditCode.AsSpan(8, 9))
            ? "registration-number-differs-from-credit-code" : null;

    /// <summary>The first rule a practitioner breaks.</summary>
    public static string? Refusal(PractitionerRow row)
    {
        ResidentIdentityNumber? resident = null;
        if (!IdentityTypes.Contains(row.IdentityType, StringComparer.Ordinal))
        {
            return "identity-type";
        }

        if (string.Equals(row.IdentityType, "resident-id", StringComparison.Ordinal) && !ResidentIdentityNumber.TryParse(row.IdentityNumber, out resident))
        {
            return "identity-number-checksum";
        }

        return row.IdentityNumber.Length is < 4 or > 40 ? "identity-number"
            : !IsName(row.Name) ? "name"
            : !Roles.Contains(row.Role, StringComparer.Ordinal) ? "role"
            : !IsLicence(row) ? "licence-number"
            : row.Category.Length is 0 or > 40 ? "licence-category"
            : row.Scope.Count > 32 || row.Scope.Any(s => s.Length is 0 or > 60) ? "licence-scope"
            : !IdentifierRules.IsRegion(row.Region) ? "region"
            : row.QualificationNumber is { } q && !IdentifierRules.IsQualification(q, resident?.Value) ? "qualification-number"
            : row.State is not (null or "active" or "pending") ? "state"
            : null;
    }

    /// <summary>The first rule an affiliation breaks.</summary>
    public static string? Refusal(AffiliationRow row) =>
        !AffiliationKinds.Contains(row.Kind, StringComparer.Ordinal) ? "affiliation-kind"
        : row.To is { } to && to <= row.From ? "ends-before-it-begins"
        : null;

    /// <summary>The first rule a filing breaks.</summary>
    public static string? Refusal(FilingRow row) =>
        row.Number.Length is 0 or > 60 ? "filing-number"
        : row.To is { } to && to <= row.From ? "ends-before-it-begins"
        : null;

    private static bool IsLicence(PractitionerRow row) =>
        row.Role is "physician" or "assistant-physician"
            ? IdentifierRules.IsPhysicianLicence(row.LicenceNumber)
            : IdentifierRules.IsOpaqueLicence(row.LicenceNumber);

    private static bool IsName(string name) =>
        name.Length is > 0 and <= MaxName && name.Trim().Length == name.Length && !name.Any(char.IsControl);
}

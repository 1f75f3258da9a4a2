using System.Text.RegularExpressions;

namespace Trust.CA.Registry;

/// <summary>The identifiers of docs/RULES.md §2 that have a form but no check character.</summary>
public static partial class IdentifierRules
{
    /// <summary>医师执业证书编码: 15 digits, otherwise opaque; the role is never derived from them, because sources conflict.</summary>
    public static bool IsPhysicianLicence(string text) => PhysicianLicence().IsMatch(text);

    /// <summary>Nurse and pharmacist licences: opaque, 4 to 40 letters, digits or hyphens.</summary>
    public static bool IsOpaqueLicence(string text) => OpaqueLicence().IsMatch(text);

    /// <summary>医疗机构登记号: 22 characters, or an old clinic's 12 digits, after removal of hyphens.</summary>
    public static bool IsRegistrationNumber(string text) =>
        RegistrationNumber().IsMatch(text.Replace("-", string.Empty, StringComparison.Ordinal));

    /// <summary>医师资格证书编码: year 4, province 2, level 1, category 2, identity number 18 (or 15); it holds the identity number.</summary>
    public static bool IsQualification(string text, string? identityNumber) =>
        Qualification().IsMatch(text)
        && (text.Length != 27 || identityNumber is null || text.AsSpan(9).SequenceEqual(identityNumber));

    /// <summary>GB/T 2260: six digits.</summary>
    public static bool IsRegion(string text) => Trust.Kernel.Residency.Regions.IsInside(text);

    [GeneratedRegex(@"\A[0-9]{15}\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex PhysicianLicence();

    [GeneratedRegex(@"\A[0-9A-Z][0-9A-Z-]{3,39}\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex OpaqueLicence();

    [GeneratedRegex(@"\A(?:[0-9A-Z]{9}[0-9]{6}[0-9]{2}[0-9A-Z]{4}[0-9]|[0-9]{12})\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex RegistrationNumber();

    [GeneratedRegex(@"\A[0-9]{9}(?:[0-9]{17}[0-9X]|[0-9]{15})\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Qualification();
}

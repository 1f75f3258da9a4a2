using System.Globalization;
using System.Text.RegularExpressions;
using Trust.Kernel.Identifiers;

namespace Trust.CA.Registry;

/// <summary>The identifiers of docs/RULES.md §2, a rule for each kind.</summary>
public static partial class IdentifierRules
{
    private static readonly DateOnly EarliestBirth = new(1900, 1, 1);

    /// <summary>A document's number in the form it is kept in: without a difference of letters' case.</summary>
    public static string Fold(string number) => number.ToUpperInvariant();

    /// <summary>The rule that a document's folded number breaks; null when it breaks none.</summary>
    /// <param name="type">A type of <see cref="RowRules"/>.</param>
    /// <param name="number">The folded number.</param>
    /// <param name="today">The day in Asia/Shanghai: nobody is born after it.</param>
    public static string? FaultOf(string type, string number, DateOnly today) => type switch
    {
        // The numbers of GB 11643 by who is given them: 81 to 83 residence permits, 9 the permanent residence card of 2023.
        "resident-id" => OfResident(number, today, ResidentPrefix()),
        "hk-macau-taiwan" => number.Length == 18 ? OfResident(number, today, PermitPrefix()) : TravelPermit().IsMatch(number) ? null : "identity-number",
        "foreign-resident" => number.Length == 18 ? OfResident(number, today, ForeignPrefix()) : PermanentResidence().IsMatch(number) ? null : "identity-number",
        _ => Passport().IsMatch(number) ? null : "identity-number",
    };

    /// <summary>医师执业证书编码: 15 digits, otherwise opaque; the role is never derived from them, because sources conflict.</summary>
    public static bool IsPhysicianLicence(string text) => PhysicianLicence().IsMatch(text);

    /// <summary>Nurse and pharmacist licences: opaque, 4 to 40 letters, digits or hyphens.</summary>
    public static bool IsOpaqueLicence(string text) => OpaqueLicence().IsMatch(text);

    /// <summary>医疗机构登记号: 22 characters, or an old clinic's 12 digits, after removal of hyphens.</summary>
    public static bool IsRegistrationNumber(string text) =>
        RegistrationNumber().IsMatch(text.Replace("-", string.Empty, StringComparison.Ordinal));

    /// <summary>医师资格证书编码, folded: year 4, province 2, level 1, category 2, identity number 18 (or 15); it holds the identity number.</summary>
    public static bool IsQualification(string text, string? identityNumber) =>
        Qualification().IsMatch(text)
        && (text.Length != 27 || identityNumber is null || text.AsSpan(9).SequenceEqual(identityNumber));

    private static string? OfResident(string number, DateOnly today, Regex prefix) =>
        !ResidentIdentityNumber.TryParse(number, out var known) ? "identity-number-checksum"
        : !prefix.IsMatch(known.Value.Value) ? "identity-number"
        : DateOnly.ParseExact(number.AsSpan(6, 8), "yyyyMMdd", CultureInfo.InvariantCulture) is var born && (born < EarliestBirth || born > today)
            ? "identity-number-birth-date" : null;

    [GeneratedRegex(@"\A[1-7]", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex ResidentPrefix();

    [GeneratedRegex(@"\A8[123]0000", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex PermitPrefix();

    [GeneratedRegex(@"\A9", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex ForeignPrefix();

    // 来往内地通行证 of Hong Kong and Macau, 台湾居民来往大陆通行证.
    [GeneratedRegex(@"\A(?:[HM][0-9]{8}(?:[0-9]{2})?|[0-9]{8})\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex TravelPermit();

    // The card before 2023: country or region by three letters, then twelve digits.
    [GeneratedRegex(@"\A[A-Z]{3}[0-9]{12}\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex PermanentResidence();

    [GeneratedRegex(@"\A(?=[A-Z]*[0-9])[A-Z0-9]{5,20}\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Passport();

    [GeneratedRegex(@"\A[0-9]{15}\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex PhysicianLicence();

    [GeneratedRegex(@"\A[0-9A-Z][0-9A-Z-]{3,39}\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex OpaqueLicence();

    [GeneratedRegex(@"\A(?:[0-9A-Z]{9}[0-9]{6}[0-9]{2}[0-9A-Z]{4}[0-9]|[0-9]{12})\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex RegistrationNumber();

    [GeneratedRegex(@"\A[0-9]{9}(?:[0-9]{17}[0-9X]|[0-9]{15})\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Qualification();
}

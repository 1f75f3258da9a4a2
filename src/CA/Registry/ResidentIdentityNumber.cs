using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Trust.CA.Registry;

/// <summary>公民身份号码 (GB 11643-1999). Never printed: <see cref="ToString"/> shows the last four characters.</summary>
public readonly record struct ResidentIdentityNumber
{
    private const string CheckCharacters = "10X98765432";

    private ResidentIdentityNumber(string value) => Value = value;

    /// <summary>The 18 characters, an X upper-case. For sealing and lookup only.</summary>
    public string Value { get; }

    private static ReadOnlySpan<byte> Weights => [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

    /// <summary>Accepts a number with a real birth date and a right check character; retired region codes stay valid.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out ResidentIdentityNumber? number)
    {
        number = null;
        if (text is not { Length: 18 } || text.AsSpan(0, 17).ContainsAnyExceptInRange('0', '9')
            || !DateOnly.TryParseExact(text.AsSpan(6, 8), "yyyyMMdd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _))
        {
            return false;
        }

        var sum = 0;
        for (var i = 0; i < 17; i++)
        {
            sum += (text[i] - '0') * Weights[i];
        }

        var last = text[17] == 'x' ? 'X' : text[17];
        if (CheckCharacters[sum % 11] != last)
        {
            return false;
        }

        number = new ResidentIdentityNumber(string.Concat(text.AsSpan(0, 17), [last]));
        return true;
    }

    /// <summary>The last four characters.</summary>
    public override string ToString() => Value is null ? string.Empty : $"**************{Value[14..]}";
}

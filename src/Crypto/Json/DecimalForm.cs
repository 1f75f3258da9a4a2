using System.Globalization;
using System.Text;

namespace Trust.Crypto.Json;

/// <summary>A decimal value as significant digits and exponent, 0.DIGITS × 10^Exponent, so that two spellings of one value are equal.</summary>
internal readonly record struct DecimalForm(bool Negative, string Digits, int Exponent)
{
    // Beyond this no double is finite or non-zero; keeps hostile exponents out of integer arithmetic.
    private const int ExponentBound = 100_000;

    /// <summary>The shortest digits that give the double back (ECMA-262 Number::toString).</summary>
    public static DecimalForm Of(double value)
    {
        Span<byte> text = stackalloc byte[40];
        _ = value.TryFormat(text, out var written, "R", CultureInfo.InvariantCulture);
        return Of(text[..written]);
    }

    /// <summary>Reads a JSON number token, already known to fit the grammar.</summary>
    public static DecimalForm Of(ReadOnlySpan<byte> token)
    {
        var negative = token[0] == '-';
        var digits = new StringBuilder(token.Length);
        var exponent = 0;
        var fraction = false;
        for (var i = negative ? 1 : 0; i < token.Length; i++)
        {
            if (token[i] is (byte)'e' or (byte)'E')
            {
                exponent += ReadExponent(token[(i + 1)..]);
                break;
            }

            if (token[i] == '.')
            {
                fraction = true;
                continue;
            }

            digits.Append((char)token[i]);
            exponent += fraction ? 0 : 1;
        }

        var text = digits.ToString();
        var leading = text.Length - text.TrimStart('0').Length;
        text = text.Trim('0');
        // Zero has one form, and no sign: JCS writes -0 as 0 (RFC 8785 3.2.2.3).
        return text.Length == 0 ? new DecimalForm(false, "", 0) : new DecimalForm(negative, text, exponent - leading);
    }

    private static int ReadExponent(ReadOnlySpan<byte> text)
    {
        var sign = 1;
        var value = 0;
        foreach (var c in text)
        {
            if (c is (byte)'+' or (byte)'-')
            {
                sign = c == '-' ? -1 : 1;
                continue;
            }

            value = Math.Min((value * 10) + (c - '0'), ExponentBound);
        }

        return sign * value;
    }
}

using System.Diagnostics.CodeAnalysis;

namespace Trust.CA.Registry;

/// <summary>统一社会信用代码 (GB 32100-2015): 18 characters, the last one a check character modulo 31.</summary>
public readonly record struct UnifiedSocialCreditCode
{
    private const string Alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY";

    private UnifiedSocialCreditCode(string value) => Value = value;

    /// <summary>The 18 characters.</summary>
    public string Value { get; }

    /// <summary>GB/T 2260 code of the registrar, characters 3 to 8.</summary>
    public string Region => Value[2..8];

    private static ReadOnlySpan<byte> Weights => [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];

    /// <summary>Accepts a code whose characters and check character are right.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out UnifiedSocialCreditCode? code)
    {
        code = null;
        if (text is not { Length: 18 })
        {
            return false;
        }

        var sum = 0;
        for (var i = 0; i < 17; i++)
        {
            // Values are positions in the alphabet; published samples that map A=10 … Z=35 are wrong (docs/RULES.md §2).
            var value = Alphabet.IndexOf(text[i], StringComparison.Ordinal);
            if (value < 0)
            {
                return false;
            }

            sum += value * Weights[i];
        }

        if (Alphabet[(31 - (sum % 31)) % 31] != text[17])
        {
            return false;
        }

        code = new UnifiedSocialCreditCode(text);
        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => Value;
}

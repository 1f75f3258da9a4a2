namespace Trust.Kernel.Audit;

/// <summary>Finds citizen identity numbers (GB 11643) in text that must not hold any.</summary>
internal static class IdentityNumber
{
    private static ReadOnlySpan<byte> Weights => [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

    private static ReadOnlySpan<byte> CheckDigits => "10X98765432"u8;

    /// <summary>True when an 18-character run between non-alphanumeric borders is a number with a right check digit.</summary>
    public static bool Occurs(ReadOnlySpan<byte> text)
    {
        for (var start = 0; start + 18 <= text.Length; start++)
        {
            var end = start;
            while (end < text.Length && IsAlphanumeric(text[end]))
            {
                end++;
            }

            if (end - start == 18 && HasCheckDigit(text.Slice(start, 18)))
            {
                return true;
            }

            start = end;
        }

        return false;
    }

    private static bool HasCheckDigit(ReadOnlySpan<byte> run)
    {
        var sum = 0;
        for (var i = 0; i < 17; i++)
        {
            if (run[i] is < (byte)'0' or > (byte)'9')
            {
                return false;
            }

            sum += (run[i] - '0') * Weights[i];
        }

        var last = run[17] == (byte)'x' ? (byte)'X' : run[17];
        var month = ((run[10] - '0') * 10) + run[11] - '0';
        var day = ((run[12] - '0') * 10) + run[13] - '0';
        return CheckDigits[sum % 11] == last && month is >= 1 and <= 12 && day is >= 1 and <= 31;
    }

    private static bool IsAlphanumeric(byte b) => char.IsAsciiLetterOrDigit((char)b);
}

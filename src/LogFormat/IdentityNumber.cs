namespace Trust.LogFormat;

/// <summary>Finds citizen identity numbers (GB 11643) in text that must not hold any.</summary>
internal static class IdentityNumber
{
    private const int Digits = 17;
    private const int Length = Digits + 1;

    private static ReadOnlySpan<byte> Weights => [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

    private static ReadOnlySpan<byte> CheckDigits => "10X98765432"u8;

    /// <summary>True when an 18-character run between non-alphanumeric borders is a number with a right check digit.</summary>
    public static bool Occurs(ReadOnlySpan<byte> text)
    {
        // A number begins with 17 digits, so one of any 17 places in a row lies on them.
        for (var probe = Digits - 1; probe < text.Length; probe += Digits)
        {
            var (start, end) = (probe, probe);
            while (end < text.Length && char.IsAsciiDigit((char)text[end]))
            {
                end++;
            }

            if (end == probe)
            {
                continue;
            }

            while (start > 0 && char.IsAsciiDigit((char)text[start - 1]))
            {
                start--;
            }

            if (end - start >= Digits && IsRun(text, start) && HasCheckDigit(text.Slice(start, Length)))
            {
                return true;
            }

            probe = end;
        }

        return false;
    }

    // Exactly 18 alphanumeric characters, no more on either side.
    private static bool IsRun(ReadOnlySpan<byte> text, int start) =>
        start + Length <= text.Length && IsAlphanumeric(text[start + Length - 1])
        && (start == 0 || !IsAlphanumeric(text[start - 1])) && (start + Length == text.Length || !IsAlphanumeric(text[start + Length]));

    private static bool HasCheckDigit(ReadOnlySpan<byte> run)
    {
        var sum = 0;
        for (var i = 0; i < Digits; i++)
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

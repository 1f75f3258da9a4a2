using System.Globalization;
using System.Text;

namespace Trust.Cli.Verify;

/// <summary>
/// Text of a file, made fit for a terminal. Whoever wrote the file chooses such text, and a terminal obeys what is in it: controls move the cursor and
/// erase lines, format characters turn the direction of reading, separators begin lines, and long runs of spaces do so where a line is folded.
/// </summary>
internal static class Printable
{
    /// <summary>Longest text shown, in characters of the result.</summary>
    public const int Longest = 600;

    /// <summary>The text with everything escaped that is no visible character: <c>\u{1b}</c>.</summary>
    /// <param name="text">Untrusted.</param>
    public static string Of(string? text)
    {
        var shown = new StringBuilder();
        var space = false;
        foreach (var rune in (text ?? "").EnumerateRunes())
        {
            if (shown.Length >= Longest)
            {
                return shown.Append('…').ToString();
            }

            var plain = rune.Value == ' ' ? !space : IsVisible(rune);
            space = rune.Value == ' ';
            shown.Append(plain ? rune.ToString() : string.Create(CultureInfo.InvariantCulture, $"\\u{{{rune.Value:x}}}"));
        }

        return shown.ToString();
    }

    private static bool IsVisible(Rune rune) => Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator or UnicodeCategory.Surrogate
        or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned) && rune.Value is not ('\\' or 0x2800 or 0x115F or 0x1160 or 0x3164 or 0xFFA0);
}

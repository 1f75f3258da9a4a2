using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Trust.Kernel.Text;

namespace Trust.Kernel.Identifiers;

/// <summary>What a name breaks.</summary>
public enum NameFault
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Empty, or more than <see cref="PersonName.MostCharacters"/> characters.</summary>
    Length,

    /// <summary>A character that is not seen, reorders what is seen, or has no meaning of its own (controls, formats, private use, unassigned).</summary>
    HiddenCharacter,

    /// <summary>Not Unicode normalization form C: the same name has a second spelling.</summary>
    NotNormalized,

    /// <summary>A space at an end, two in a row, or another space than U+0020.</summary>
    Space,

    /// <summary>No letter at all.</summary>
    NoLetter,
}

/// <summary>
/// The one rule for a name of a person or an institution, wherever one enters: what is shown is what is compared, signed and certified.
/// Minorities' middle dot (·), rare ideographs outside the first plane and the twelve unified ideographs among the compatibility ones pass.
/// </summary>
public readonly record struct PersonName
{
    /// <summary>Most characters (code points): ub-common-name and ub-organization-name (RFC 5280 A.1).</summary>
    public const int MostCharacters = 64;

    private readonly string? _value;

    private PersonName(string value) => _value = value;

    /// <summary>The name.</summary>
    /// <exception cref="InvalidOperationException">The default value is nobody's name.</exception>
    public string Value => _value ?? throw new InvalidOperationException("The default value is nobody's name.");

    /// <summary>True when the text is a name.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out PersonName name)
    {
        var good = FaultOf(text) is NameFault.None;
        name = good ? new PersonName(text!) : default;
        return good;
    }

    /// <summary>What the text breaks first.</summary>
    public static NameFault FaultOf(string? text)
    {
        if (string.IsNullOrEmpty(text) || text.Length > 2 * MostCharacters)
        {
            return NameFault.Length;
        }

        var (count, letter, space) = (0, false, true);
        for (var i = 0; i < text.Length; count++)
        {
            // A lone surrogate is no character.
            if (!Rune.TryGetRuneAt(text, i, out var rune) || IsHidden(rune))
            {
                return NameFault.HiddenCharacter;
            }

            i += rune.Utf16SequenceLength;
            var isSpace = Rune.GetUnicodeCategory(rune) is UnicodeCategory.SpaceSeparator;
            if (isSpace && (space || rune.Value != ' '))
            {
                return NormalFormC.IsCertain(text) ? NameFault.Space : NameFault.NotNormalized;
            }

            space = isSpace;
            letter |= Rune.IsLetter(rune) || Rune.GetUnicodeCategory(rune) is UnicodeCategory.LetterNumber;
        }

        return !NormalFormC.IsCertain(text) ? NameFault.NotNormalized
            : space ? NameFault.Space
            : count > MostCharacters ? NameFault.Length
            : letter ? NameFault.None : NameFault.NoLetter;
    }

    /// <summary>Whether a character is not seen as itself: of a category without a glyph, or Default_Ignorable_Code_Point though a letter or a mark.</summary>
    public static bool IsHidden(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse
            or UnicodeCategory.OtherNotAssigned or UnicodeCategory.Surrogate or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        || rune.Value is 0x034F or 0x115F or 0x1160 or 0x17B4 or 0x17B5 or (>= 0x180B and <= 0x180F) or 0x3164 or (>= 0xFE00 and <= 0xFE0F) or 0xFFA0
            or (>= 0xE0000 and <= 0xE0FFF);

    /// <summary>The name.</summary>
    public override string ToString() => _value ?? "";
}

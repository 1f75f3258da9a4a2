using System.Globalization;
using System.Text;
using System.Text.Json;
using Trust.Kernel.Text;

namespace Trust.SignService.Prescriptions;

/// <summary>What no text in a prescription may hold: what is shown must be what is signed.</summary>
internal static class PlainText
{
    /// <summary>Walks the whole document.</summary>
    /// <exception cref="ProfileException">Narrative, an absolute address, a fraction, or text with a second spelling.</exception>
    public static void Check(JsonElement element, string path, int depth)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var member in element.EnumerateObject())
                {
                    // A narrative could show other text than the coded content says.
                    if (member.Name is "div" || (member.Name is "text" && member.Value.ValueKind == JsonValueKind.Object))
                    {
                        throw new ProfileException(ProfileRefusals.Narrative, path + "." + member.Name);
                    }

                    CheckText(member.Name, path);
                    Check(member.Value, path + "." + member.Name, depth + 1);
                }

                break;
            case JsonValueKind.Array:
                var index = 0;
                foreach (var item in element.EnumerateArray())
                {
                    Check(item, $"{path}[{index++}]", depth + 1);
                }

                break;
            case JsonValueKind.String:
                CheckText(element.GetString()!, path);
                break;
            case JsonValueKind.Number when !element.TryGetInt32(out _) || element.GetRawText().AsSpan().ContainsAny('.', 'e', 'E'):
                // FHIR decimals carry precision that a double loses: they stand as text in extensions.
                throw new ProfileException(ProfileRefusals.DecimalNotText, path);
            case JsonValueKind.Null:
                throw new ProfileException(ProfileRefusals.Null, path);
        }
    }

    private static void CheckText(string text, string path)
    {
        if (text.Contains("://", StringComparison.Ordinal))
        {
            throw new ProfileException(ProfileRefusals.AbsoluteAddress, path);
        }

        foreach (var rune in text.EnumerateRunes())
        {
            var category = Rune.GetUnicodeCategory(rune);
            // Control and format characters hide or reorder text (bidirectional overrides, zero width); separators break it.
            if (category is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
                    or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
                || IsInvisible(rune.Value))
            {
                throw new ProfileException(ProfileRefusals.HiddenCharacter, path);
            }
        }

        // JCS does not normalise. Text that normalisation form C would change, or might, has two spellings: refused instead of compared.
        if (!NormalFormC.IsCertain(text))
        {
            throw new ProfileException(ProfileRefusals.NotNormalised, path);
        }
    }

    // Default_Ignorable_Code_Point outside the category of format characters, and the blank Braille pattern. Mongolian's own selectors spell words
    // and stay.
    private static bool IsInvisible(int rune) =>
        rune is 0x034F or 0x115F or 0x1160 or 0x17B4 or 0x17B5 or 0x2800 or 0x3164 or 0xFFA0 or (>= 0xFE00 and <= 0xFE0F) or (>= 0xE0100 and <= 0xE01EF);
}

using System.Globalization;
using System.Text.Json;

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
            var category = System.Text.Rune.GetUnicodeCategory(rune);
            // Control and format characters hide or reorder text (bidirectional overrides, zero width).
            if (category is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned)
            {
                throw new ProfileException(ProfileRefusals.HiddenCharacter, path);
            }

            // JCS does not normalise. Text that normalisation form C could change has two spellings: refused instead of compared.
            if (category == UnicodeCategory.NonSpacingMark
                || rune.Value is (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F) or (>= 0x1100 and <= 0x11FF) or 0x2126 or 0x212A or 0x212B)
            {
                throw new ProfileException(ProfileRefusals.NotNormalised, path);
            }
        }
    }
}

using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Trust.LogFormat;

/// <summary>
/// Text that a person or another system gave and an event will carry (docs/LEDGER-FORMAT.md §3): 1 to 256 bytes of UTF-8 without control
/// characters, quotation marks and backslashes, and without a citizen's identity number. Parsed at the door, so that such text can neither
/// be dropped with its event nor shape the event's body.
/// </summary>
public readonly record struct EventText
{
    /// <summary>Longest text, in bytes of UTF-8.</summary>
    public const int MaxBytes = 256;

    private readonly string? _value;

    private EventText(string value) => _value = value;

    /// <summary>The text.</summary>
    /// <exception cref="InvalidOperationException">The default value holds none.</exception>
    public string Value => _value ?? throw new InvalidOperationException("The default value holds no text.");

    /// <summary>True when an event may carry the text.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out EventText result)
    {
        result = default;
        if (text is not { Length: > 0 and <= MaxBytes } || text.Any(c => char.IsControl(c) || c is '"' or '\\') || !IsWellFormed(text))
        {
            return false;
        }

        var bytes = Encoding.UTF8.GetBytes(text);
        if (bytes.Length > MaxBytes || IdentityNumber.Occurs(bytes))
        {
            return false;
        }

        result = new EventText(text);
        return true;
    }

    /// <summary>The text.</summary>
    public override string ToString() => _value ?? "";

    private static bool IsWellFormed(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsSurrogate(text[i]) && !(i + 1 < text.Length && char.IsSurrogatePair(text, i) && ++i > 0))
            {
                return false;
            }
        }

        return true;
    }
}

using System.Security.Cryptography;

namespace Trust.Idp.Decoupled;

/// <summary>What a person types to name a device's request (RFC 8628 6.1): eight consonants, of which no word and no confusable pair is made; 20^8 of them.</summary>
public static class UserCode
{
    /// <summary>How a code's hash is kept apart from others.</summary>
    public const string Purpose = "user-code";
    private const string Letters = "BCDFGHJKLMNPQRSTVWXZ";
    private const int Length = 8;

    /// <summary>A new code, as it is shown: two groups of four.</summary>
    public static string New()
    {
        var code = RandomNumberGenerator.GetString(Letters, Length);
        return code[..4] + "-" + code[4..];
    }

    /// <summary>Hash of a code as somebody typed it: case, spaces and dashes do not matter; null for what cannot be one.</summary>
    public static byte[]? Hash(string? typed)
    {
        if (typed is not { Length: > 0 and <= 32 })
        {
            return null;
        }

        var code = new string([.. typed.Where(c => c is not (' ' or '-' or '–' or '—')).Select(char.ToUpperInvariant)]);
        return code.Length == Length && code.All(Letters.Contains) ? Secret.Hash(Purpose, code) : null;
    }
}

using System.Globalization;

namespace Trust.LogFormat;

/// <summary>A head of the log: C2SP checkpoint text <c>origin\nsize\nbase64(root)\n</c>.</summary>
/// <param name="Origin">Name of the log.</param>
/// <param name="Size">Number of leaves.</param>
/// <param name="Root">RFC 6962 root, 32 bytes.</param>
public sealed record Checkpoint(string Origin, long Size, byte[] Root)
{
    /// <summary>The text that is signed.</summary>
    public string Text => string.Create(CultureInfo.InvariantCulture, $"{Origin}\n{Size}\n{Convert.ToBase64String(Root)}\n");

    /// <summary>Reads a checkpoint text; null when malformed. Extension lines are allowed and ignored.</summary>
    public static Checkpoint? TryParse(string text)
    {
        var lines = text.Split('\n');
        var root = new byte[48];
        return lines.Length >= 4 && lines[0].Length > 0 && lines[1].Length is > 0 and < 20
            && (lines[1].Length == 1 || lines[1][0] != '0')
            && long.TryParse(lines[1], NumberStyles.None, CultureInfo.InvariantCulture, out var size)
            && Convert.TryFromBase64String(lines[2], root, out var length) && length == Envelope.HashSize
            && string.Equals(Convert.ToBase64String(root[..length]), lines[2], StringComparison.Ordinal)
            ? new Checkpoint(lines[0], size, root[..length])
            : null;
    }
}

using System.Globalization;
using Trust.LogFormat;

namespace Trust.Witness;

/// <summary>Body of <c>add-checkpoint</c> (C2SP tlog-witness): <c>old &lt;size&gt;</c>, up to 63 proof lines, a blank line, a signed checkpoint.</summary>
/// <param name="Old">Size the log believes the witness stands at.</param>
/// <param name="Proof">Consistency proof from there, 32 bytes each.</param>
/// <param name="Note">The signed checkpoint as sent.</param>
/// <param name="Checkpoint">What it says; not verified here.</param>
internal sealed record AddCheckpointRequest(long Old, IReadOnlyList<byte[]> Proof, string Note, Checkpoint Checkpoint)
{
    /// <summary>Largest body, in bytes.</summary>
    public const int MaxBytes = 64 * 1024;

    private const int MaxProof = 63;
    private const string OldPrefix = "old ";

    /// <summary>Reads a body; null when it is not in the one spelling.</summary>
    public static AddCheckpointRequest? TryParse(string body)
    {
        var split = body.IndexOf("\n\n", StringComparison.Ordinal);
        if (split < 0)
        {
            return null;
        }

        var lines = body[..split].Split('\n');
        var note = body[(split + 2)..];
        if (lines.Length - 1 > MaxProof || !TryReadSize(lines[0], out var old)
            || SignedNote.TryRead(note) is not var (text, _) || Checkpoint.TryParse(text) is not { } checkpoint)
        {
            return null;
        }

        var proof = new List<byte[]>(lines.Length - 1);
        foreach (var line in lines.AsSpan(1))
        {
            var hash = new byte[Envelope.HashSize];
            if (line.Length != 44 || !Convert.TryFromBase64String(line, hash, out var length) || length != hash.Length
                || !string.Equals(Convert.ToBase64String(hash), line, StringComparison.Ordinal))
            {
                return null;
            }

            proof.Add(hash);
        }

        return new AddCheckpointRequest(old, proof, note, checkpoint);
    }

    private static bool TryReadSize(string line, out long size)
    {
        size = 0;
        return line.StartsWith(OldPrefix, StringComparison.Ordinal)
            && long.TryParse(line.AsSpan(OldPrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out size)
            && string.Equals(string.Create(CultureInfo.InvariantCulture, $"{OldPrefix}{size}"), line, StringComparison.Ordinal);
    }
}

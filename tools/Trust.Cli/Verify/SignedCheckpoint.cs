using System.Globalization;
using System.Text;

namespace Trust.Cli.Verify;

/// <summary>A checkpoint whose every signature line was verified (docs/LEDGER-FORMAT.md §7).</summary>
/// <param name="Origin">Name of the log.</param>
/// <param name="Size">Leaves.</param>
/// <param name="Root">RFC 6962 root.</param>
/// <param name="Witnesses">Names and times of the witnesses that cosigned.</param>
internal sealed record SignedCheckpoint(string Origin, long Size, byte[] Root, IReadOnlyList<(string Name, DateTimeOffset Time)> Witnesses)
{
    private const string Blank = "\n\n";

    /// <summary>Opens the note: its form first, then each key of the log signed exactly once, each witness at most once, and nobody else.</summary>
    /// <param name="note">Untrusted.</param>
    /// <param name="logKeys">Keys of the log that the verifier trusts.</param>
    /// <param name="witnessKeys">Witnesses that the verifier trusts.</param>
    public static SignedCheckpoint Open(string note, IReadOnlyList<string> logKeys, IReadOnlyList<string> witnessKeys)
    {
        var split = note.IndexOf(Blank, StringComparison.Ordinal);
        Form(split >= 0 && note.Length > split + Blank.Length && note[^1] == '\n');
        var text = note[..(split + 1)];
        var checkpoint = ReadText(text);
        var lines = note[(split + Blank.Length)..^1].Split('\n').Select(ReadLine).ToList();
        var log = logKeys.Select(CheckpointKey.OfLog).ToList();
        var open = log.Concat(witnessKeys.Select(CheckpointKey.OfWitness)).ToList();
        EvidenceRefusedException.When(
            log.Exists(k => !string.Equals(k.Name, checkpoint.Origin, StringComparison.Ordinal)), "checkpoint-signature", null, "origin");
        return checkpoint with { Witnesses = Cosigned(lines, Encoding.UTF8.GetBytes(text), log, open) };
    }

    private static List<(string Name, DateTimeOffset Time)> Cosigned(
        List<(string Name, byte[] Bytes)> lines, byte[] signed, List<CheckpointKey> log, List<CheckpointKey> open)
    {
        var witnesses = new List<(string, DateTimeOffset)>();
        // A cosignature does not bind its name, so one key under two names is one witness.
        var counted = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (name, bytes) in lines)
        {
            var key = open.Find(k => string.Equals(k.Name, name, StringComparison.Ordinal) && bytes.AsSpan().StartsWith(k.Id));
            EvidenceRefusedException.When(key is null || !key.Verifies(signed, bytes.AsSpan(4)), "checkpoint-signature", null, name);
            open.Remove(key!);
            if (!log.Remove(key!) && counted.Add(Convert.ToHexString(key!.Key)))
            {
                witnesses.Add((key!.Name, CheckpointKey.CosignedAt(bytes.AsSpan(4))));
            }
        }

        EvidenceRefusedException.When(log.Count > 0, "checkpoint-signature", null, "lines");
        return witnesses;
    }

    private static SignedCheckpoint ReadText(string text)
    {
        var lines = text.Split('\n');
        var size = 0L;
        Form(lines.Length == 4 && lines[0].Length > 0 && long.TryParse(lines[1], NumberStyles.None, CultureInfo.InvariantCulture, out size)
            && string.Equals(size.ToString(CultureInfo.InvariantCulture), lines[1], StringComparison.Ordinal));
        var root = Strict.Base64Bytes(lines[2]);
        Form(root is { Length: 32 });
        return new SignedCheckpoint(lines[0], size, root!, []);
    }

    private static (string Name, byte[] Bytes) ReadLine(string line)
    {
        var parts = line.Split(' ');
        Form(parts.Length == 3 && parts[0] == "\u2014" && parts[1].Length > 0);
        var bytes = Strict.Base64Bytes(parts[2]);
        Form(bytes is { Length: > 4 });
        return (parts[1], bytes!);
    }

    private static void Form(bool holds) => EvidenceRefusedException.When(!holds, "checkpoint-malformed");
}

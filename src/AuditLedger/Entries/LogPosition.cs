using Trust.Kernel.Audit;
using Trust.LogFormat;

namespace Trust.AuditLedger.Entries;

/// <summary>Where a source's chain stands.</summary>
internal sealed record SourcePosition(short Id, long OpenEpoch, long Epoch, long Seq, byte[] Hash)
{
    public SourceHead ToHead() => new(Epoch, Seq, Convert.ToHexStringLower(Hash), OpenEpoch);
}

/// <summary>What the leading sequencer believes; replaced as a whole after each durable group.</summary>
internal sealed class LogPosition(LogTree tree, byte[] root, long time, long writer, string note, Dictionary<string, SourcePosition> sources)
{
    public LogTree Tree { get; set; } = tree;

    public byte[] Root { get; set; } = root;

    /// <summary>Ledger time of the last entry.</summary>
    public long Time { get; set; } = time;

    public long Writer { get; } = writer;

    /// <summary>What the lock store holds.</summary>
    public string Note { get; set; } = note;

    public Dictionary<string, SourcePosition> Sources { get; set; } = sources;

    public long Size => Tree.Size;

    /// <summary>Where the last range of the entries' table ends, as far as known.</summary>
    public long RangeEnd { get; set; }
}

/// <summary>A published head: signed, in the lock store, and with the edge that proofs need.</summary>
internal sealed record PublishedHead(Checkpoint Checkpoint, string Note, LogTree Edge);

/// <summary>The database is older than what was signed; only an operator can decide what happened.</summary>
/// <param name="message">Names both sizes.</param>
public sealed class SetBackException(string message) : Exception(message);

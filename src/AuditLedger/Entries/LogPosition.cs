using System.Globalization;
using Trust.AuditLedger.Witnessing;
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

/// <summary>The database is older than what was signed, or a witness knows more or another log; only an operator can decide what happened.</summary>
/// <param name="message">Names both sizes.</param>
/// <param name="alarm">The same in words of an alarm: names and figures only.</param>
public sealed class SetBackException(string message, string alarm = "found-by:own-store") : Exception(message)
{
    /// <summary>Words <c>name:value</c> for the alarm.</summary>
    public string Alarm => alarm;

    /// <summary>What a witness's answer proves; null when it proves nothing against this log.</summary>
    /// <param name="witness">Who answered.</param>
    /// <param name="answer">What it says to a checkpoint of this log.</param>
    /// <param name="ours">Size of the newest checkpoint signed here when the answer came.</param>
    internal static SetBackException? By(string witness, WitnessAnswer answer, long ours) => answer switch
    {
        WitnessAnswer.Elsewhere(var size) when size > ours => new SetBackException(
            string.Create(CultureInfo.InvariantCulture, $"the lock store and the database hold a checkpoint of {ours}, the witness {witness} has cosigned one of {size}: both were restored from older copies"),
            string.Create(CultureInfo.InvariantCulture, $"witness:{witness} ours:{ours} theirs:{size}")),
        // C2SP tlog-witness: 422 means that the proof does not lead from what was cosigned to what is shown, or that the entries do not give it.
        WitnessAnswer.Refused(422, var why) => new SetBackException(
            string.Create(CultureInfo.InvariantCulture, $"the witness {witness} has cosigned another log than the one of {ours} entries here: {why}"),
            string.Create(CultureInfo.InvariantCulture, $"witness:{witness} ours:{ours} theirs:other-log")),
        _ => null,
    };
}

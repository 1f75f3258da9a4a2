using Trust.Kernel.Audit;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Entries;

/// <summary>
/// What one transaction adds: leaves with their indices, a commit entry at the end, and how each source's chain and the tree move. Pure:
/// nothing here is believed until the transaction has committed.
/// </summary>
internal sealed class Group
{
    private readonly Dictionary<string, SourcePosition> _sources;
    private readonly List<FullTile> _tiles = [];

    public Group(LogPosition from, DateTimeOffset now)
    {
        FirstIndex = from.Size;
        Tree = from.Tree.Copy();
        // Only the sequencer stamps time, and never backwards.
        Time = Math.Max(Microseconds.Since1970(now), from.Time);
        _sources = new Dictionary<string, SourcePosition>(from.Sources, StringComparer.Ordinal);
    }

    public long FirstIndex { get; }

    public long Time { get; }

    public LogTree Tree { get; }

    public List<(Submission.Append Request, long FirstIndex)> Accepted { get; } = [];

    /// <summary>Leaf data in index order.</summary>
    public List<byte[]> Leaves { get; } = [];

    /// <summary>Leaf hashes in index order.</summary>
    public List<byte[]> LeafHashes { get; } = [];

    public IReadOnlyList<FullTile> Tiles => _tiles;

    public Dictionary<string, SourcePosition> Sources => _sources;

    /// <summary>Whether a batch follows its source's chain; null when it does.</summary>
    public SubmitRefusal? Judge(JudgedBatch batch)
    {
        var position = _sources[batch.Source];
        if (batch.Frame.Epoch != position.OpenEpoch)
        {
            return batch.Frame.Epoch < position.OpenEpoch ? SubmitRefusal.EpochStale : SubmitRefusal.HeadMoved;
        }

        var next = position.Epoch == position.OpenEpoch ? position.Seq + 1 : 1;
        if (batch.Frame.FirstSeq != next || !batch.Frame.Prev.Span.SequenceEqual(position.Hash))
        {
            return SubmitRefusal.HeadMoved;
        }

        return Tree.Size == 0 && !batch.OpensWithCeremony ? SubmitRefusal.CeremonyPending : null;
    }

    /// <summary>True when the batch's numbers lie at or before its source's head: it was sent before.</summary>
    public bool IsRepeat(JudgedBatch batch)
    {
        var position = _sources[batch.Source];
        return (batch.Frame.Epoch, batch.Frame.FirstSeq).CompareTo((position.Epoch, position.Seq)) <= 0;
    }

    /// <summary>Takes a batch that <see cref="Judge"/> let through.</summary>
    public void Accept(Submission.Append request)
    {
        var batch = request.Batch;
        Accepted.Add((request, Tree.Size));
        for (var i = 0; i < batch.Events.Length; i++)
        {
            ref readonly var e = ref batch.Events[i];
            var leaf = new byte[EventLeaf.Length(batch.Source, e.Keys.Length, e.Body.Length)];
            EventLeaf.Write(leaf, new EntryPlace(batch.Source, batch.Frame.Epoch, batch.Frame.FirstSeq + i, e.Prev, e.BodyHash), e.Keys, Time, e.Body.Span, byActor: true);
            Add(leaf);
        }

        _sources[batch.Source] = _sources[batch.Source] with
        {
            Epoch = batch.Frame.Epoch,
            Seq = batch.Frame.FirstSeq + batch.Events.Length - 1,
            Hash = batch.LastHash,
        };
    }

    /// <summary>Ends the group with the commit entry that its events give.</summary>
    public void Close(CommitEntry entry) => Add(entry.Write());

    /// <summary>Receipts of an accepted batch under the checkpoint that covers it.</summary>
    public ReceiptFrame Answer(Submission.Append request, long firstIndex, string note)
    {
        Microseconds.TryToInstant(Time, out var time);
        var receipts = new Receipt[request.Batch.Events.Length];
        for (var i = 0; i < receipts.Length; i++)
        {
            receipts[i] = new Receipt(firstIndex + i, time, LeafHashes[(int)(firstIndex - FirstIndex) + i], Tree.Size);
        }

        return new ReceiptFrame(receipts, note);
    }

    private void Add(byte[] leaf)
    {
        var hash = MerkleProof.LeafHash(leaf);
        Leaves.Add(leaf);
        LeafHashes.Add(hash);
        Tree.Append(hash, _tiles);
    }
}

using Trust.AuditLedger.Entries;
using Trust.Crypto;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Fsck;

/// <summary>Checks entries against the other copies of their hashes and as links of their sources' chains; fed from the first entry that there is.</summary>
/// <param name="sources">The producers.</param>
/// <param name="fromTheFirst">False when entries have been pruned: then a chain is believed where it begins.</param>
/// <param name="report">Told each fault.</param>
internal sealed class EntryCheck(Sources sources, bool fromTheFirst, Action<string, long?, string> report)
{
    private readonly SourceChains _chains = new(fromTheFirst);
    private readonly Queue<StoredBatch> _batches = [];
    private Dictionary<long, byte[]> _tiles = [];
    private StoredBatch? _batch;

    /// <summary>Whether the last event is found by who acted.</summary>
    public bool ByActor { get; private set; }

    /// <summary>Ledger time of the last event.</summary>
    public long Time { get; private set; }

    /// <summary>False when the last event is damaged.</summary>
    public bool TimeIsKnown { get; private set; } = true;

    /// <summary>Indices of events with sealed detail, rising.</summary>
    public List<long> WithDetail { get; } = [];

    /// <summary>Where each source's chain ended.</summary>
    public IReadOnlyDictionary<string, (long Epoch, long Seq, byte[] Hash)> Ends =>
        _chains.All.ToDictionary(c => c.Source, c => (c.Epoch, c.Seq, c.HashIsKnown ? c.Hash : []), StringComparer.Ordinal);

    /// <summary>Goes on where a check came to.</summary>
    /// <param name="position">Where that is.</param>
    /// <param name="minimum">Entries below it are pruned: a chain is not known to the end of what went since.</param>
    public void GoOn(CheckPosition position, long minimum)
    {
        (Time, ByActor) = (position.Time, position.ByActor);
        foreach (var stood in position.Chains.Where(_ => minimum <= position.Size))
        {
            var chain = _chains.Of(stood.Source);
            chain.Move(stood.Epoch, stood.Seq, hashIsKnown: true);
            stood.Hash.CopyTo(chain.Hash, 0);
        }
    }

    /// <summary>Where the chains stand, of what holds no fault.</summary>
    public IReadOnlyList<CheckedChain> Chains => [.. _chains.All.Select(c => new CheckedChain(c.Source, c.Epoch, c.Seq, c.Hash))];

    /// <summary>Whether a source's chain ended there.</summary>
    public bool EndsAt(string source, long epoch, long seq, byte[] hash)
    {
        var chain = _chains.Find(source) ?? new SourceChain(source, fromTheFirst);
        return (chain.Epoch, chain.Seq) == (epoch, seq) && (!chain.HashIsKnown || chain.Hash.AsSpan().SequenceEqual(hash));
    }

    /// <summary>Checks a block's entries.</summary>
    public void Check(EntryBlock block)
    {
        if (block.Surroundings is { } surroundings)
        {
            _tiles = surroundings.Tiles;
            surroundings.Batches.ForEach(_batches.Enqueue);
        }

        block.TakePruned(_tiles);
        for (var i = block.Pruned; i < block.Count; i++)
        {
            var index = block.First + i;
            var tile = _tiles.TryGetValue(index / LogTree.Width, out var hashes) ? hashes.AsSpan((int)(index % LogTree.Width) * IndexHash.Size, IndexHash.Size) : default;
            CheckEntry(block, i, tile);
        }
    }

    private void CheckEntry(EntryBlock block, int i, ReadOnlySpan<byte> tile)
    {
        var index = block.First + i;
        if (!block.TryRow(i, out var column, out var leaf))
        {
            report("entry-missing", index, "no row");
            Skip(index);
            block.Damage(i, tile);
            return;
        }

        var computed = block.Hash(i);
        var agreesColumn = computed.SequenceEqual(column);
        if (!agreesColumn && (tile.IsEmpty || !computed.SequenceEqual(tile)))
        {
            // Both copies of the hash speak against the bytes, or the only one does.
            report("entry-leaf", index, "its bytes do not give the hash stored with them");
            Skip(index);
            block.Damage(i, column);
            return;
        }

        if (!agreesColumn)
        {
            report("entry-hash", index, "the hash stored with it is not that of its bytes and tile");
        }

        var (state, code, detail) = block.Verdict(i);
        if (code is not null)
        {
            report(code, index, detail);
        }

        if (state == EntryState.Event && EventLeaf.TryRead(leaf, out var e))
        {
            CheckTime(index, e.Time);
            CheckType(index, e.ByActor);
            Follow(index, e);
            if (EventBodyReader.HoldsSealed(e.Body))
            {
                WithDetail.Add(index);
            }
        }
        else if (state == EntryState.Damaged)
        {
            Skip(index);
        }
    }

    private void CheckTime(long index, long time)
    {
        if (time < Time)
        {
            report("time-falls", index, $"{time} after {Time}");
        }

        (Time, TimeIsKnown) = (time, true);
    }

    // Whoever asks who acted is told from which entry on the index knows it; an event of the older type behind it would not be found.
    private void CheckType(long index, bool byActor)
    {
        if (ByActor && !byActor)
        {
            report("type-falls", index, "an event that is not found by who acted, after ones that are");
        }

        ByActor |= byActor;
    }

    private void Follow(long index, EventLeaf e)
    {
        var chain = _chains.Of(e.SourceBytes);
        if (chain.PlaceIsKnown && !(e.Epoch == chain.Epoch && e.Seq == chain.Seq + 1) && !(e.Epoch > chain.Epoch && e.Seq == 1))
        {
            report("source-gap", index, $"{chain.Source} goes on with ({e.Epoch}, {e.Seq}) after ({chain.Epoch}, {chain.Seq})");
        }
        else if (chain.HashIsKnown && !e.Prev.SequenceEqual(chain.Hash))
        {
            report("source-chain", index, $"{chain.Source} does not name the envelope before ({e.Epoch}, {e.Seq})");
        }

        chain.Move(e.Epoch, e.Seq, hashIsKnown: true);
        TaggedSha256.Hash(e.EnvelopeBytes, chain.Hash);
        CheckBatch(index, chain);
    }

    // A damaged entry is one fault: its place is known from its batch, and what follows it is not blamed for naming an envelope nobody can read.
    private void Skip(long index)
    {
        TimeIsKnown = false;
        if (BatchOf(index) is { } batch)
        {
            _chains.Of(batch.Source).Move(batch.Epoch, batch.FirstSeq + index - batch.FirstIndex, hashIsKnown: false);
        }
    }

    private StoredBatch? BatchOf(long index)
    {
        while ((_batch is null || index > _batch.LastIndex) && _batches.TryPeek(out var next) && next.FirstIndex <= index)
        {
            _batch = _batches.Dequeue();
        }

        return index <= _batch?.LastIndex ? _batch : null;
    }

    private void CheckBatch(long index, SourceChain chain)
    {
        var (source, epoch, seq) = (chain.Source, chain.Epoch, chain.Seq);
        if (BatchOf(index) is not { } batch || !string.Equals(batch.Source, source, StringComparison.Ordinal) || batch.Epoch != epoch || batch.FirstSeq + index - batch.FirstIndex != seq)
        {
            report("batch-missing", index, $"no batch of {source} holds ({epoch}, {seq}) here");
            return;
        }

        if (seq == batch.LastSeq)
        {
            var digest = Envelope.BatchDigest(source, epoch, batch.FirstSeq, (int)(batch.LastSeq - batch.FirstSeq + 1), chain.Hash);
            if (sources.Find(source)?.Sent(digest, batch.Signature) != true)
            {
                report("batch-signature", index, $"the batch of {source} that ends here is signed by none of its batch keys");
            }
        }
    }
}

using Trust.AuditLedger.Entries;
using Trust.Kernel.Log;

namespace Trust.AuditLedger.Index;

/// <summary>
/// The subject index of the running sequencer and what is needed to answer as of any commit. The sequencer stages each group before its
/// transaction and takes it back when that fails; readers never see a staged group, because they ask as of a published size.
/// It outlives the sequencer's footing: a database that fails for a moment costs no reload.
/// </summary>
internal sealed class LiveIndex(AuditLedgerOptions options, ILogger<LiveIndex> log)
{
    private const int ReplayLogStep = 1 << 20;

    private readonly Lock _gate = new();
    private readonly SortedList<long, EpochMemory> _epochs = [];
    private SubjectIndex _index = new();
    private bool _staged;

    /// <summary>Takes a group's events and gives the commit entry that follows them.</summary>
    public CommitEntry Stage(Group group)
    {
        lock (_gate)
        {
            var index = group.FirstIndex;
            foreach (var (request, _) in group.Accepted)
            {
                foreach (var e in request.Batch.Events)
                {
                    _index.Append(index, group.LeafHashes[(int)(index - group.FirstIndex)], e.Keys);
                    index++;
                }
            }

            var entry = _index.Commit(index, options.EpochSize);
            Record(entry);
            _staged = true;
            return entry;
        }
    }

    /// <summary>The staged group is stored for good.</summary>
    public void Keep() => _staged = false;

    /// <summary>Events were logged that no commit entry covers: the log is older than the index.</summary>
    public bool HasPending => _index.HasPending;

    /// <summary>Brings the index to the head of the database, from where it stands if that is a prefix, and checks each logged commit entry.</summary>
    /// <exception cref="SetBackException">The stored entries do not give a logged commit entry.</exception>
    public async Task Align(SequencerStore store, long size, CancellationToken ct)
    {
        await GoBack(store, size, ct);
        var from = _index.Size;
        if (from < size)
        {
            await foreach (var entry in store.ReadKeys(from, size, ct))
            {
                Replay(entry);
                if (entry.Index % ReplayLogStep == 0 && entry.Index > from)
                {
                    LedgerLog.IndexReplays(log, entry.Index, size);
                }
            }
        }

        LedgerLog.IndexReady(log, size, from, _index.Epoch.KeyCount, _index.Sealed.Count);
    }

    /// <summary>Sealed epochs, of which a commit entry knows the first <paramref name="count"/>; null when there are fewer.</summary>
    public IReadOnlyList<SealedEpoch>? Sealed(long count)
    {
        lock (_gate)
        {
            return count <= _index.Sealed.Count ? [.. _index.Sealed.Take((int)count)] : null;
        }
    }

    /// <summary>A tile's values as a commit left them.</summary>
    public SubtreeValue[] Values(long epoch, int tile, long commit)
    {
        lock (_gate)
        {
            var memory = _epochs[epoch];
            return memory.Tiles[tile].AsOf((uint)(commit - memory.Index.Start));
        }
    }

    /// <summary>What the epoch holds of each key of a bucket, now: later postings than the caller asks for included.</summary>
    public List<KeyPostings> Bucket(long epoch, int bucket)
    {
        lock (_gate)
        {
            return _epochs[epoch].Index.Read(bucket);
        }
    }

    // A staged group may or may not have been stored. What both hold must be the same state, and the last commit entry stands for all of it.
    private async Task GoBack(SequencerStore store, long size, CancellationToken ct)
    {
        lock (_gate)
        {
            if (_staged && _index.Size > size)
            {
                Undo();
            }

            _staged = false;
        }

        var last = _index.Last;
        var known = _index.Size <= size && !_index.HasPending
            && (last is null || last.Equals(await store.ReadCommit(last.Covered, ct)));
        if (!known)
        {
            lock (_gate)
            {
                _index = new SubjectIndex();
                _epochs.Clear();
            }
        }
    }

    private void Replay(LoggedKeys entry)
    {
        lock (_gate)
        {
            if (entry.Commit is null)
            {
                _index.Append(entry.Index, entry.LeafHash, entry.Keys.Span);
                return;
            }

            if (!_index.Follow(entry.Commit))
            {
                throw new SetBackException($"the entries before {entry.Index} do not give the subject index that was committed there");
            }

            Record(entry.Commit);
        }
    }

    private void Record(CommitEntry entry)
    {
        if (!_epochs.TryGetValue(entry.Epoch, out var memory))
        {
            _epochs.Add(entry.Epoch, memory = new EpochMemory(_index.Epoch));
        }

        memory.Record(entry.Covered);
    }

    private void Undo()
    {
        var epoch = _index.Epoch;
        _epochs[epoch.Number].Undo();
        _index.Undo();
        if (!ReferenceEquals(epoch, _index.Epoch) || _index.Last is null)
        {
            _epochs.Remove(epoch.Number);
        }
    }
}

/// <summary>An epoch in memory with the history of its values.</summary>
internal sealed class EpochMemory(EpochIndex index)
{
    public EpochIndex Index { get; } = index;

    public TileHistory[] Tiles { get; } = [.. Enumerable.Range(0, TileHistory.Tiles).Select(_ => new TileHistory())];

    /// <summary>Notes the values that a commit changed.</summary>
    public void Record(long commit)
    {
        foreach (var tile in Tiles)
        {
            tile.Mark();
        }

        var at = checked((uint)(commit - Index.Start));
        var before = -1;
        foreach (var bucket in Index.Touched)
        {
            var tile = bucket / TileHistory.Width;
            Tiles[tile].Add(at, bucket % TileHistory.Width, Index.Bucket(bucket));
            if (tile != before)
            {
                Tiles[TileHistory.Top].Add(at, tile, Index.Tile(tile));
                before = tile;
            }
        }
    }

    /// <summary>Forgets what the last commit changed.</summary>
    public void Undo()
    {
        foreach (var tile in Tiles)
        {
            tile.Undo();
        }
    }
}

/// <summary>What the index needs of a logged entry.</summary>
/// <param name="Index">Index in the log.</param>
/// <param name="LeafHash">As stored.</param>
/// <param name="Keys">Keys of an event.</param>
/// <param name="Commit">The commit entry, when it is one.</param>
internal readonly record struct LoggedKeys(long Index, byte[] LeafHash, ReadOnlyMemory<byte> Keys, CommitEntry? Commit);

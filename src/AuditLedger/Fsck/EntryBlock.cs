using System.Buffers.Binary;
using Trust.AuditLedger.Entries;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Fsck;

/// <summary>What an entry turned out to be.</summary>
internal enum EntryState : byte
{
    /// <summary>Its bytes are not those that were logged, or are no entry; its hash is the one its other copies give.</summary>
    Damaged,

    /// <summary>An event.</summary>
    Event,

    /// <summary>A commit entry.</summary>
    Commit,
}

/// <summary>What else is stored of a stretch of entries.</summary>
/// <param name="Tiles">Full tiles of level 0 over it, by number.</param>
/// <param name="Batches">Batches that its events came in, in order.</param>
internal sealed record Surroundings(Dictionary<long, byte[]> Tiles, List<StoredBatch> Batches);

/// <summary>A producer's batch as stored.</summary>
internal sealed record StoredBatch(string Source, long Epoch, long FirstSeq, long LastSeq, long FirstIndex, byte[] Signature)
{
    /// <summary>Index of its last event.</summary>
    public long LastIndex => FirstIndex + LastSeq - FirstSeq;
}

/// <summary>
/// A run of entries on its way through a check: read, judged, followed by the index, and then used again for a later run. All of it lies in a
/// few arrays, because a log has millions of entries and a check should be bound by hashing.
/// </summary>
internal sealed class EntryBlock
{
    /// <summary>Most entries of a block: 16 tiles.</summary>
    public const int Capacity = 16 * LogTree.Width;

    // COPY in binary form, PostgreSQL manual, COPY, "Binary Format": signature, flags, length of an extension.
    private const int HeaderSize = 19;
    private const int TupleSize = sizeof(short) + (3 * sizeof(int)) + sizeof(long);

    private readonly Row[] _rows = new Row[Capacity];
    private readonly EntryState[] _states = new EntryState[Capacity];
    private readonly Dictionary<int, LeafVerdict> _faults = [];
    private readonly byte[] _hashes = new byte[Capacity * IndexHash.Size];

    // Room for entries of two kilobytes, of which the system gives what is used: to grow into it step by step would take twice the memory.
    private byte[] _bytes = GC.AllocateUninitializedArray<byte>(Capacity << 11);

    /// <summary>Index of the first entry.</summary>
    public long First { get; private set; }

    /// <summary>Number of entries.</summary>
    public int Count { get; private set; }

    /// <summary>Index after the last entry.</summary>
    public long End => First + Count;

    /// <summary>How many of the first entries were pruned: only their hashes are left.</summary>
    public int Pruned { get; private set; }

    /// <summary>Of this and the blocks that follow; null when they were given with an earlier one.</summary>
    public Surroundings? Surroundings { get; private set; }

    /// <summary>Begins anew.</summary>
    public void Begin(long first, long end, long minimum, Surroundings? surroundings)
    {
        Surroundings = surroundings;
        (First, Count, Pruned) = (first, (int)(end - first), (int)(Math.Clamp(minimum, first, end) - first));
        _rows.AsSpan().Clear();
        _states.AsSpan().Clear();
        _hashes.AsSpan().Clear();
        _faults.Clear();
    }

    /// <summary>Takes rows <c>idx, leaf_hash, leaf</c> as COPY sends them, in any order, to its end, and has each judged by its own bytes.</summary>
    /// <remarks>
    /// Each at once: meanwhile the server fills the connection. A reader that only reads overtakes it and waits for every eight kilobytes.
    /// </remarks>
    /// <exception cref="InvalidDataException">The server sent another form.</exception>
    public void Read(Stream copy, LeafCheck check)
    {
        var (at, length) = (HeaderSize, 0);
        for (int read; (read = copy.Read(_bytes.AsSpan(length))) > 0;)
        {
            length += read;
            for (int next; (next = ReadRow(at, length, check)) > at;)
            {
                at = next;
            }

            if (length == _bytes.Length)
            {
                Array.Resize(ref _bytes, 2 * length);
            }
        }

        if (length != at + sizeof(short) || BinaryPrimitives.ReadInt16BigEndian(_bytes.AsSpan(at)) != -1)
        {
            throw new InvalidDataException("COPY did not end with its trailer.");
        }
    }

    /// <summary>The stored hash and bytes of an entry; false when there is no row of it.</summary>
    public bool TryRow(int i, out ReadOnlySpan<byte> column, out ReadOnlySpan<byte> leaf)
    {
        var row = _rows[i];
        column = _bytes.AsSpan(row.Hash, row.HashLength);
        leaf = _bytes.AsSpan(row.Leaf, row.LeafLength);
        return row.Hash > 0;
    }

    /// <summary>What its own bytes say of an entry that there is a row of.</summary>
    public LeafVerdict Verdict(int i) => _faults.TryGetValue(i, out var verdict) ? verdict : new LeafVerdict(_states[i]);

    /// <summary>Settles that an entry is damaged, and the hash that the log has of it.</summary>
    public void Damage(int i, ReadOnlySpan<byte> hash)
    {
        _states[i] = EntryState.Damaged;
        // A damaged column may have any length.
        var kept = _hashes.AsSpan(i * IndexHash.Size, IndexHash.Size);
        kept.Clear();
        hash[..Math.Min(hash.Length, IndexHash.Size)].CopyTo(kept);
    }

    /// <summary>Takes what is left of pruned entries: their hashes, in full tiles.</summary>
    public void TakePruned(Dictionary<long, byte[]> level0)
    {
        for (int i = 0, count; i < Pruned; i += count)
        {
            var (number, before) = Math.DivRem(First + i, LogTree.Width);
            count = Math.Min(LogTree.Width - (int)before, Pruned - i);
            if (level0.TryGetValue(number, out var hashes))
            {
                hashes.AsSpan((int)before * IndexHash.Size, count * IndexHash.Size).CopyTo(_hashes.AsSpan(i * IndexHash.Size));
            }
        }
    }

    /// <summary>What the entry is.</summary>
    public EntryState State(int i) => _states[i];

    /// <summary>The leaf hash that two of its three copies agree on.</summary>
    public ReadOnlySpan<byte> Hash(int i) => _hashes.AsSpan(i * IndexHash.Size, IndexHash.Size);

    /// <summary>Its bytes.</summary>
    public ReadOnlySpan<byte> Leaf(int i) => _bytes.AsSpan(_rows[i].Leaf, _rows[i].LeafLength);

    /// <summary>Whether the actor's key is among an event's.</summary>
    public bool IsByActor(int i) => Leaf(i)[0] == EntryType.EventByActor;

    /// <summary>Subject keys of an event.</summary>
    public ReadOnlySpan<byte> Keys(int i) => EventLeaf.KeysOf(Leaf(i));

    // Where the next row begins; the same place while not all of this one is there.
    private int ReadRow(int at, int length, LeafCheck check)
    {
        var tuple = _bytes.AsSpan(at, Math.Max(length - at, 0));
        if (tuple.Length < TupleSize)
        {
            return at;
        }

        var hash = BinaryPrimitives.ReadInt32BigEndian(tuple[14..]);
        if (BinaryPrimitives.ReadInt16BigEndian(tuple) != 3 || hash < 0)
        {
            throw new InvalidDataException("COPY sent rows of another form.");
        }

        if (tuple.Length < TupleSize + hash)
        {
            return at;
        }

        var leaf = BinaryPrimitives.ReadInt32BigEndian(tuple[(18 + hash)..]);
        if (leaf < 0)
        {
            throw new InvalidDataException("COPY sent rows of another form.");
        }

        if (tuple.Length < TupleSize + hash + leaf)
        {
            return at;
        }

        var index = BinaryPrimitives.ReadInt64BigEndian(tuple[6..]);
        if (index >= First && index < End)
        {
            Take((int)(index - First), new Row(at + 18, hash, at + TupleSize + hash, leaf), check);
        }

        return at + TupleSize + hash + leaf;
    }

    private void Take(int i, Row row, LeafCheck check)
    {
        _rows[i] = row;
        MerkleProof.LeafHash(Leaf(i), _hashes.AsSpan(i * IndexHash.Size, IndexHash.Size));
        var verdict = check.Check(Leaf(i));
        _states[i] = verdict.State;
        if (verdict.Code is not null)
        {
            _faults[i] = verdict;
        }
    }

    private readonly record struct Row(int Hash, int HashLength, int Leaf, int LeafLength);
}

using Npgsql;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Evidence;

/// <summary>Reads what evidence is made of.</summary>
internal sealed class EvidenceStore(NpgsqlDataSource db)
{
    // After years an entry's page lies on the disk: one wait after another would be the sum of all waits, and a statement for each entry costs
    // more than what it reads. So a statement reads a few entries, and some of them run side by side.
    private const int EntriesAtOnce = 8;
    private const int SideBySide = 16;

    private const string SelectEntries = """
        SELECT i.n, e.leaf, b.first_seq, b.last_seq, b.first_idx, b.signature
        FROM unnest($1::bigint[]) WITH ORDINALITY AS i (idx, n)
        JOIN entries e ON e.idx = i.idx
        JOIN LATERAL (SELECT * FROM batches WHERE first_idx <= i.idx ORDER BY first_idx DESC LIMIT 1) b ON true
        """;

    // The limit, which no batch reaches, has the rows read in the order of the key.
    private const string SelectTails = """
        SELECT r.n, e.leaf
        FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS r (idx, last, n)
        CROSS JOIN LATERAL (SELECT idx, leaf FROM entries WHERE idx > r.idx AND idx <= r.last ORDER BY idx LIMIT 1024) e
        ORDER BY r.n, e.idx
        """;

    private const string SelectMinimum = "SELECT minimum FROM entries_layout";

    private const string SelectBefore = "SELECT idx, leaf FROM entries WHERE idx < $1 ORDER BY idx DESC LIMIT 256";

    private const string SelectFrom = "SELECT idx, leaf FROM entries WHERE idx >= $1 AND idx < $2 ORDER BY idx LIMIT 256";

    private const string SelectMarkBefore = "SELECT m.idx, e.leaf FROM marks m JOIN entries e ON e.idx = m.idx WHERE m.idx < $1 ORDER BY m.idx DESC LIMIT 16";

    private const string SelectMarkFrom = "SELECT m.idx, e.leaf FROM marks m JOIN entries e ON e.idx = m.idx WHERE m.idx >= $1 AND m.idx < $2 ORDER BY m.idx LIMIT 16";

    // Further off only the ledger's own marks are looked for, one a minute where it is anchored: else the range would reach to the end of the log.
    private const int MaxLooks = 64;

    private const string SelectLast = "SELECT leaf FROM entries WHERE idx <= $1 AND idx > $1 - 2 ORDER BY idx DESC";

    /// <summary>
    /// First index whose ledger time is at or after an instant; <paramref name="size"/> when there is none, the first kept entry when it may
    /// have been pruned. Time never falls, and a commit entry counts with the events before it.
    /// </summary>
    /// <param name="time">Microseconds since 1970.</param>
    /// <param name="size">Entries to look at.</param>
    /// <param name="ct">Cancels.</param>
    public Task<long> LowerBound(long time, long size, CancellationToken ct) => Search(size, leaf => leaf is { } e && TimeOf(e) < time, ct);

    /// <summary>
    /// First index from which on events are found by who acted; <paramref name="size"/> when none is, the first kept entry when it may have been pruned. Behind
    /// the first of them there is none of the older type.
    /// </summary>
    public Task<long> FirstByActor(long size, CancellationToken ct) => Search(size, leaf => leaf is [EntryType.Event, ..], ct);

    /// <summary>Whether the tree's events are found by who acted, from its first entry on.</summary>
    public async Task<bool> IsByActor(long size, CancellationToken ct) =>
        await db.Sql(SelectLast).With(size - 1).One(r => r.GetFieldValue<byte[]>(0), ct) is { } last && CommitEntry.TryRead(last) is { ByActor: true };

    private async Task<long> Search(long size, Predicate<byte[]?> liesBefore, CancellationToken ct)
    {
        var (low, high) = (Math.Min(await db.Sql(SelectMinimum).Scalar<long>(ct), size), size);
        while (low < high)
        {
            var middle = low + ((high - low) / 2);
            (low, high) = liesBefore(await EventAt(middle, ct)) ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    /// <summary>The nearest event below an index that may be shown; null when none is kept nearby.</summary>
    public async Task<(long Index, byte[] Leaf)?> LastBefore(long index, Predicate<byte[]> mayBeShown, CancellationToken ct)
    {
        var from = index;
        for (var look = 0; look < MaxLooks; look++)
        {
            var rows = await db.Sql(SelectBefore).With(index).All(r => (Index: r.GetInt64(0), Leaf: r.GetFieldValue<byte[]>(1)), ct);
            if (rows.FindIndex(r => mayBeShown(r.Leaf)) is >= 0 and var found)
            {
                return rows[found];
            }

            if (rows.Count == 0)
            {
                return null;
            }

            index = rows[^1].Index;
        }

        return await Near(db.Sql(SelectMarkBefore).With(from), mayBeShown, ct);
    }

    /// <summary>The nearest event from an index on that may be shown, below an end; null when there is none nearby.</summary>
    public async Task<(long Index, byte[] Leaf)?> FirstFrom(long index, long end, Predicate<byte[]> mayBeShown, CancellationToken ct)
    {
        for (var look = 0; look < MaxLooks && index < end; look++)
        {
            var rows = await db.Sql(SelectFrom).With(index).With(end).All(r => (Index: r.GetInt64(0), Leaf: r.GetFieldValue<byte[]>(1)), ct);
            if (rows.FindIndex(r => mayBeShown(r.Leaf)) is >= 0 and var found)
            {
                return rows[found];
            }

            index = rows.Count == 0 ? end : rows[^1].Index + 1;
        }

        return index < end ? await Near(db.Sql(SelectMarkFrom).With(index).With(end), mayBeShown, ct) : null;
    }

    private static async Task<(long Index, byte[] Leaf)?> Near(NpgsqlCommand marks, Predicate<byte[]> mayBeShown, CancellationToken ct)
    {
        var rows = await marks.All(r => (Index: r.GetInt64(0), Leaf: r.GetFieldValue<byte[]>(1)), ct);
        return rows.FindIndex(r => mayBeShown(r.Leaf)) is >= 0 and var found ? rows[found] : null;
    }

    /// <summary>Entries and the batches they came in, in the order asked for; null when they bring too many hashes along.</summary>
    /// <param name="indices">Which.</param>
    /// <param name="maxHashes">Most body hashes of batches.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>In the place of an entry that has been pruned, or one after it in its batch: null.</returns>
    public async Task<(byte[] Leaf, EvidenceBatch Batch)?[]?> ReadAll(IReadOnlyList<long> indices, int maxHashes, CancellationToken ct)
    {
        var found = new (byte[] Leaf, EvidenceBatch Batch)?[indices.Count];
        var hashes = 0;
        var chunks = indices.Select((index, at) => (index, at)).Chunk(EntriesAtOnce);
        await Parallel.ForEachAsync(chunks, new ParallelOptions { MaxDegreeOfParallelism = SideBySide, CancellationToken = ct }, async (chunk, cancel) =>
        {
            var rows = await Rows(Array.ConvertAll(chunk, c => c.index), cancel);
            // Counted before they are read: what is refused for its size need not be held first.
            if (Interlocked.Add(ref hashes, rows.Sum(r => r.AfterIt)) <= maxHashes)
            {
                await Tails(rows, cancel);
                rows.ForEach(r => found[chunk[r.Place].at] = r.Tail.Count == r.AfterIt ? (r.Leaf, r.Batch) : null);
            }
        });
        return hashes <= maxHashes ? found : null;
    }

    /// <summary>An entry and the batch it came in; null when it has been pruned, or one after it in its batch.</summary>
    public async Task<(byte[] Leaf, EvidenceBatch Batch)?> Read(long index, CancellationToken ct) => (await ReadAll([index], int.MaxValue, ct))![0];

    private Task<List<Row>> Rows(long[] indices, CancellationToken ct) => db.Sql(SelectEntries).With(indices).All(
        r => new Row(
            (int)r.GetInt64(0) - 1, indices[r.GetInt64(0) - 1], r.GetFieldValue<byte[]>(1), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4), r.GetFieldValue<byte[]>(5)),
        ct);

    private async Task Tails(List<Row> rows, CancellationToken ct)
    {
        var some = rows.FindAll(r => r.AfterIt > 0);
        if (some.Count > 0)
        {
            var tails = db.Sql(SelectTails).With(some.ConvertAll(r => r.Index).ToArray()).With(some.ConvertAll(r => r.Index + r.AfterIt).ToArray());
            foreach (var (row, hash) in await tails.All(r => (some[(int)r.GetInt64(0) - 1], BodyHash(r.GetFieldValue<byte[]>(1))), ct))
            {
                row.Tail.Add(hash);
            }
        }
    }

    // A commit entry counts with the event before it.
    private async Task<byte[]?> EventAt(long index, CancellationToken ct)
    {
        foreach (var leaf in await db.Sql(SelectLast).With(index).All(r => r.GetFieldValue<byte[]>(0), ct))
        {
            if (EventLeaf.TryRead(leaf, out _))
            {
                return leaf;
            }
        }

        // The first kept entry is a commit entry, and the events before it are pruned: what they were, nobody can say any more.
        return null;
    }

    private static long TimeOf(byte[] leaf) => EventLeaf.TryRead(leaf, out var e) ? e.Time : throw new InvalidDataException("An entry that was read as an event is none.");

    private static byte[] BodyHash(byte[] leaf) =>
        EventLeaf.TryRead(leaf, out var read) ? read.BodyHash.ToArray() : throw new InvalidDataException("A batch's entry is not an event.");

    /// <param name="Place">Among those asked for, from 0.</param>
    private sealed record Row(int Place, long Index, byte[] Leaf, long FirstSeq, long LastSeq, long FirstIndex, byte[] Signature)
    {
        /// <summary>Events of the batch behind this one.</summary>
        public int AfterIt { get; } = (int)(FirstIndex + LastSeq - FirstSeq - Index);

        /// <summary>Body hashes of those that are kept.</summary>
        public List<byte[]> Tail { get; } = [];

        public EvidenceBatch Batch => new(FirstSeq, (int)(LastSeq - FirstSeq + 1), Tail, Signature);
    }
}

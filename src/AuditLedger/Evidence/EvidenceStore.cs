using Npgsql;
using Trust.Kernel.Log;
using Trust.Kernel.Postgres;

namespace Trust.AuditLedger.Evidence;

/// <summary>Reads what evidence is made of.</summary>
internal sealed class EvidenceStore(NpgsqlDataSource db)
{
    // After years an entry's page lies on the disk: one wait after another would be the sum of all waits.
    private const int SideBySide = 16;

    private const string SelectEntry = """
        SELECT e.leaf, s.name, b.first_seq, b.last_seq, b.first_idx, b.signature
        FROM entries e
        JOIN LATERAL (SELECT * FROM batches WHERE first_idx <= e.idx ORDER BY first_idx DESC LIMIT 1) b ON true
        JOIN sources s ON s.id = b.source
        WHERE e.idx = $1
        """;

    private const string SelectMinimum = "SELECT minimum FROM entries_layout";

    private const string SelectBefore = "SELECT idx, leaf FROM entries WHERE idx < $1 ORDER BY idx DESC LIMIT 256";

    private const string SelectFrom = "SELECT idx, leaf FROM entries WHERE idx >= $1 AND idx < $2 ORDER BY idx LIMIT 256";

    // What lies further off is not looked for: the range then reaches to the end of the log.
    private const int MaxLooks = 64;

    private const string SelectLast = "SELECT leaf FROM entries WHERE idx <= $1 AND idx > $1 - 2 ORDER BY idx DESC";

    private const string SelectTail = "SELECT leaf FROM entries WHERE idx > $1 AND idx <= $2 ORDER BY idx";

    /// <summary>
    /// First index whose ledger time is at or after an instant; <paramref name="size"/> when there is none, the first kept entry when it may
    /// have been pruned. Time never falls, and a commit entry counts with the events before it.
    /// </summary>
    /// <param name="time">Microseconds since 1970.</param>
    /// <param name="size">Entries to look at.</param>
    /// <param name="ct">Cancels.</param>
    public async Task<long> LowerBound(long time, long size, CancellationToken ct)
    {
        var (low, high) = (Math.Min(await db.Sql(SelectMinimum).Scalar<long>(ct), size), size);
        while (low < high)
        {
            var middle = low + ((high - low) / 2);
            (low, high) = await TimeAt(middle, ct) < time ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    /// <summary>The nearest event below an index that may be shown; null when none is kept nearby.</summary>
    public async Task<(long Index, byte[] Leaf)?> LastBefore(long index, Predicate<byte[]> mayBeShown, CancellationToken ct)
    {
        for (var look = 0; look < MaxLooks; look++)
        {
            var rows = await db.Sql(SelectBefore).With(index).All(r => (Index: r.GetInt64(0), Leaf: r.GetFieldValue<byte[]>(1)), ct);
            if (rows.FindIndex(r => mayBeShown(r.Leaf)) is >= 0 and var found)
            {
                return rows[found];
            }

            if (rows.Count == 0)
            {
                break;
            }

            index = rows[^1].Index;
        }

        return null;
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

        return null;
    }

    /// <summary>Entries and their batches, in the order asked for, each as <see cref="Read"/> gives it; null when they bring too many hashes along.</summary>
    /// <param name="indices">Which.</param>
    /// <param name="maxHashes">Most body hashes of batches.</param>
    /// <param name="ct">Cancels.</param>
    public async Task<(byte[] Leaf, EvidenceBatch Batch)?[]?> ReadAll(IReadOnlyList<long> indices, int maxHashes, CancellationToken ct)
    {
        var found = new (byte[] Leaf, EvidenceBatch Batch)?[indices.Count];
        var hashes = 0;
        await Parallel.ForAsync(0, indices.Count, new ParallelOptions { MaxDegreeOfParallelism = SideBySide, CancellationToken = ct }, async (i, cancel) =>
        {
            if (Volatile.Read(ref hashes) <= maxHashes)
            {
                found[i] = await Read(indices[i], cancel);
                Interlocked.Add(ref hashes, found[i]?.Batch.Tail.Count ?? 0);
            }
        });
        return hashes <= maxHashes ? found : null;
    }

    /// <summary>An entry and the batch it came in; null when it has been pruned, or one after it in its batch.</summary>
    public async Task<(byte[] Leaf, EvidenceBatch Batch)?> Read(long index, CancellationToken ct)
    {
        var row = await db.Sql(SelectEntry).With(index).One(
            r => new Row(r.GetFieldValue<byte[]>(0), r.GetString(1), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4), r.GetFieldValue<byte[]>(5)), ct);
        if (row is null)
        {
            return null;
        }

        var lastIndex = row.FirstIndex + row.LastSeq - row.FirstSeq;
        List<byte[]> tail = index == lastIndex
            ? []
            : await db.Sql(SelectTail).With(index).With(lastIndex).All(r => BodyHash(r.GetFieldValue<byte[]>(0)), ct);
        return (row.Leaf, new EvidenceBatch(row.FirstSeq, (int)(row.LastSeq - row.FirstSeq + 1), tail, row.Signature));
    }

    private async Task<long> TimeAt(long index, CancellationToken ct)
    {
        foreach (var leaf in await db.Sql(SelectLast).With(index).All(r => r.GetFieldValue<byte[]>(0), ct))
        {
            if (EventLeaf.TryRead(leaf, out var e))
            {
                return e.Time;
            }
        }

        throw new InvalidDataException($"No event stands at {index} or before it.");
    }

    private static byte[] BodyHash(byte[] leaf) =>
        EventLeaf.TryRead(leaf, out var read) ? read.BodyHash.ToArray() : throw new InvalidDataException("A batch's entry is not an event.");

    private sealed record Row(byte[] Leaf, string Source, long FirstSeq, long LastSeq, long FirstIndex, byte[] Signature);
}

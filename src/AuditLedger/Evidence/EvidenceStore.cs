using Npgsql;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Index;
using Trust.Kernel.Audit;
using Trust.Kernel.Log;
using Trust.Kernel.Postgres;

namespace Trust.AuditLedger.Evidence;

/// <summary>Reads what a subject's evidence is made of.</summary>
internal sealed class EvidenceStore(NpgsqlDataSource db, CompletenessProver prover)
{
    /// <summary>Most entries of one evidence file.</summary>
    public const int MaxEntries = 10_000;

    private const string SelectEntry = """
        SELECT e.leaf, s.name, b.first_seq, b.last_seq, b.first_idx, b.signature
        FROM entries e
        JOIN LATERAL (SELECT * FROM batches WHERE first_idx <= e.idx ORDER BY first_idx DESC LIMIT 1) b ON true
        JOIN sources s ON s.id = b.source
        WHERE e.idx = $1
        """;

    private const string SelectTail = "SELECT leaf FROM entries WHERE idx > $1 AND idx <= $2 ORDER BY idx";

    /// <summary>Indices and leaf hashes of a subject below a head, in order; null when there are more than <see cref="MaxEntries"/>.</summary>
    public async Task<List<ManifestEntry>?> Find(SubjectKey subject, PublishedHead head, CancellationToken ct)
    {
        var size = head.Checkpoint.Size;
        if (size == 0)
        {
            return [];
        }

        return await prover.Prove(head, subject.Key.ToArray(), 0, size - 1, size, MaxEntries, ct) switch
        {
            SubjectAnswer.Proved(_, var shown) => shown.Count > MaxEntries ? null : shown.ConvertAll(p => new ManifestEntry(p.Index, p.LeafHash)),
            SubjectAnswer.TooMany => null,
            var other => throw new InvalidOperationException($"The published head was answered {other}."),
        };
    }

    /// <summary>An entry and the batch it came in.</summary>
    public async Task<(byte[] Leaf, EvidenceBatch Batch)> Read(long index, CancellationToken ct)
    {
        var row = await db.Sql(SelectEntry).With(index).One(
            r => new Row(r.GetFieldValue<byte[]>(0), r.GetString(1), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4), r.GetFieldValue<byte[]>(5)), ct)
            ?? throw new InvalidOperationException($"Entry {index} is not stored.");
        var lastIndex = row.FirstIndex + row.LastSeq - row.FirstSeq;
        List<byte[]> tail = index == lastIndex
            ? []
            : await db.Sql(SelectTail).With(index).With(lastIndex).All(r => BodyHash(r.GetFieldValue<byte[]>(0)), ct);
        return (row.Leaf, new EvidenceBatch(row.FirstSeq, (int)(row.LastSeq - row.FirstSeq + 1), tail, row.Signature));
    }

    private static byte[] BodyHash(byte[] leaf) =>
        EventLeaf.TryRead(leaf, out var read) ? read.BodyHash.ToArray() : throw new InvalidDataException("A batch's entry is not an event.");

    private sealed record Row(byte[] Leaf, string Source, long FirstSeq, long LastSeq, long FirstIndex, byte[] Signature);
}

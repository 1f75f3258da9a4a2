using System.Globalization;
using Npgsql;
using Trust.AuditLedger.Retention;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.AuditLedger.Shredding;

/// <summary>What forbids that a subject's sealed detail is destroyed.</summary>
internal static class ShreddingRules
{
    // A portion at a time: an institution may be the subject of millions.
    private const int Portion = 1000;

    private const string SelectSealed = """
        SELECT d.idx, e.leaf FROM data_keys d JOIN entries e USING (idx) WHERE d.subject = $1 AND d.idx < $2 ORDER BY d.idx DESC LIMIT $3
        """;

    /// <summary>Why detail under a subject's key has to be kept at an instant; null when nothing forbids to destroy it.</summary>
    public static async Task<Refusal?> Forbid(
        NpgsqlTransaction tx, SubjectKey subject, RetentionSchedule retention, DateTimeOffset now, CancellationToken ct)
    {
        var (below, last, rows) = (long.MaxValue, DateTimeOffset.MinValue, new List<(long Index, byte[] Leaf)>());
        do
        {
            rows = await tx.Sql(SelectSealed).With(subject.Key.ToArray()).With(below).With(Portion).All(r => (r.GetInt64(0), r.GetFieldValue<byte[]>(1)), ct);
            // A hold keeps everything on its subject, also what lies under the key of another: an event names several.
            if (await LegalHolds.AnyOpen(tx, [subject.Key.ToArray(), .. rows.SelectMany(r => KeysOf(r.Leaf))], ct))
            {
                return LedgerRefusals.LegalHold;
            }

            last = rows.Select(r => retention.Ends(r.Leaf)).Append(last).Max();
            below = rows.Count > 0 ? rows[^1].Index : below;
        }
        while (rows.Count == Portion);

        return last > now ? LedgerRefusals.Retention.With("until", last.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)) : null;
    }

    private static byte[][] KeysOf(byte[] leaf) => EventLeaf.TryRead(leaf, out var e) ? e.Keys.ToArray().Chunk(SubjectKey.Size).ToArray() : [];
}

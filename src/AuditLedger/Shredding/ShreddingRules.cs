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
    private const string SelectSealed = "SELECT e.leaf FROM data_keys d JOIN entries e USING (idx) WHERE d.subject = $1 ORDER BY d.idx DESC";

    /// <summary>Why detail under a subject's key has to be kept at an instant; null when nothing forbids to destroy it.</summary>
    public static async Task<Refusal?> Forbid(
        NpgsqlTransaction tx, SubjectKey subject, RetentionSchedule retention, DateTimeOffset now, CancellationToken ct)
    {
        var leaves = await tx.Sql(SelectSealed).With(subject.Key.ToArray()).All(r => r.GetFieldValue<byte[]>(0), ct);
        // A hold keeps everything on its subject, also what lies under the key of another: an event names several.
        byte[][] subjects = [subject.Key.ToArray(), .. leaves.SelectMany(KeysOf)];
        if (await LegalHolds.AnyOpen(tx, subjects, ct))
        {
            return LedgerRefusals.LegalHold;
        }

        var last = leaves.Select(leaf => retention.Ends(leaf)).DefaultIfEmpty(DateTimeOffset.MinValue).Max();
        return last > now ? LedgerRefusals.Retention.With("until", last.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)) : null;
    }

    private static byte[][] KeysOf(byte[] leaf) => EventLeaf.TryRead(leaf, out var e) ? e.Keys.ToArray().Chunk(SubjectKey.Size).ToArray() : [];
}

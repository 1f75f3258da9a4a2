using System.Globalization;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Retention;

/// <summary>How far a log may be pruned, and why no further.</summary>
/// <param name="Below">Entries below it may go; a multiple of 65,536.</param>
/// <param name="Why">What keeps the next range.</param>
internal sealed record PruneLimit(long Below, string Why);

/// <summary>
/// Verb <c>prune [--dry-run]</c>, as the owner's role: removes whole ranges of entries of sealed volumes that are all past their retention and that no
/// hold touches. Their hashes stay in the tiles, so every proof stands. The removal and its event share a transaction.
/// </summary>
internal static class PruneCommand
{
    private const string SelectLast = "SELECT leaf FROM entries WHERE idx = (SELECT size FROM head) - 1";
    private const string SelectRanges = "SELECT first, next FROM entries_ranges ORDER BY first";
    private const string SelectLeaves = "SELECT idx, leaf FROM entries WHERE idx >= $1 AND idx < $2 ORDER BY idx";
    private const string SelectHolds = "SELECT subject FROM legal_holds WHERE released_at IS NULL";
    private const string LockHolds = "LOCK TABLE legal_holds IN SHARE MODE";
    private const string DropKeys = "DELETE FROM data_keys WHERE idx < $1";
    private const string Drop = "SELECT drop_entries_below($1)";

    private const int Chunk = 4096;

    /// <summary>Runs the verb.</summary>
    public static async Task<int> Run(WebApplication app, string[] args, CancellationToken ct)
    {
        var services = app.Services;
        await using var owner = Outbound.Database(services.GetRequiredService<DatabaseOptions>(), asOwner: true);
        var dry = args.Contains("--dry-run", StringComparer.Ordinal);
        var limit = await Prune(owner, services.GetRequiredService<RetentionSchedule>(), services.GetRequiredService<Outbox>(), services.GetRequiredService<TimeProvider>(), dry, ct);
        await Console.Out.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture, $"{(dry ? "could remove" : "removed")} entries below {limit.Below}; the next range stays: {limit.Why}"));
        return 0;
    }

    /// <summary>Removes what may go, and records it.</summary>
    internal static async Task<PruneLimit> Prune(
        NpgsqlDataSource owner, RetentionSchedule retention, Outbox outbox, TimeProvider clock, bool dry, CancellationToken ct)
    {
        await using var connection = await owner.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        // Nobody places a hold between the look and the removal.
        await tx.Sql(LockHolds).Execute(ct);
        var limit = await Limit(tx, retention, clock.GetUtcNow(), ct);
        if (dry || limit.Below == 0)
        {
            return limit;
        }

        await tx.Sql(DropKeys).With(limit.Below).Execute(ct);
        await tx.Sql(Drop).With(limit.Below).Scalar<long>(ct);
        var recorded = await outbox.Append(tx, new AuditEvent
        {
            Action = "LEDGER.prune", Actor = new Actor("ledger"), Subjects = [], Outcome = EventOutcome.Success,
            Basis = string.Create(CultureInfo.InvariantCulture, $"below:{limit.Below}"), Reason = "retention-ended",
        }, ct);
        if (recorded is AppendOutcome.Refused(var why))
        {
            return new PruneLimit(0, "the removal could not be recorded: " + why.Code);
        }

        await tx.CommitAsync(ct);
        return limit;
    }

    private static async Task<PruneLimit> Limit(NpgsqlTransaction tx, RetentionSchedule retention, DateTimeOffset now, CancellationToken ct)
    {
        var last = await tx.Sql(SelectLast).Scalar<byte[]>(ct);
        if (last is null || CommitEntry.TryRead(last) is not { } commit)
        {
            return new PruneLimit(0, "nothing was published");
        }

        var held = (await tx.Sql(SelectHolds).All(r => Convert.ToHexString(r.GetFieldValue<byte[]>(0)), ct)).ToHashSet(StringComparer.Ordinal);
        var below = 0L;
        foreach (var (first, next) in await tx.Sql(SelectRanges).All(r => (r.GetInt64(0), r.GetInt64(1)), ct))
        {
            // The live volume is rebuilt from its entries; only sealed ones stand without them.
            if (next > commit.VolumeStart)
            {
                return new PruneLimit(below, string.Create(CultureInfo.InvariantCulture, $"its volume, which began at {commit.VolumeStart}, is not sealed"));
            }

            for (var at = first; at < next; at += Chunk)
            {
                foreach (var (index, leaf) in await tx.Sql(SelectLeaves).With(at).With(Math.Min(at + Chunk, next)).All(r => (r.GetInt64(0), r.GetFieldValue<byte[]>(1)), ct))
                {
                    if (Keeps(leaf, retention, held, now) is { } why)
                    {
                        return new PruneLimit(below, string.Create(CultureInfo.InvariantCulture, $"entry {index} {why}"));
                    }
                }
            }

            below = next;
        }

        return new PruneLimit(below, "there is none");
    }

    private static string? Keeps(byte[] leaf, RetentionSchedule retention, HashSet<string> held, DateTimeOffset now)
    {
        if (!EventLeaf.TryRead(leaf, out var e))
        {
            return null; // A commit entry; its hash stays with the others.
        }

        for (var at = 0; at < e.Keys.Length; at += SubjectKey.Size)
        {
            if (held.Count > 0 && held.Contains(Convert.ToHexString(e.Keys.Slice(at, SubjectKey.Size))))
            {
                return "is under a legal hold";
            }
        }

        var ends = retention.Ends(leaf);
        return ends > now ? string.Create(CultureInfo.InvariantCulture, $"has to be kept until {ends:yyyy-MM-dd}") : null;
    }
}

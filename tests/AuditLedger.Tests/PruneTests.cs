using Npgsql;
using Trust.AuditLedger.Index;
using Trust.AuditLedger.Retention;
using Trust.AuditLedger.Tests.Index;
using Trust.Cli.Verify;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;

namespace Trust.AuditLedger.Tests;

/// <summary>What need not be kept goes as whole ranges, nothing else goes, and every proof stands.</summary>
public sealed class PruneTests
{
    private static readonly byte[] Body = "{\"action\":\"REC.read\",\"class\":\"ACCESS\"}"u8.ToArray();

    [Fact]
    public async Task Only_sealed_ranges_past_their_retention_and_free_of_holds_go_and_every_proof_stands()
    {
        await using var log = await DirectLog.Create(40_000, new IndexPace { ImageAtStop = 1 });
        await Run(log, "UPDATE entries_layout SET width = 65536; UPDATE entries_ranges SET next = 65536");
        await Run(log, "ALTER TABLE entries DETACH PARTITION entries_000000000000; ALTER TABLE entries ATTACH PARTITION entries_000000000000 FOR VALUES FROM (0) TO (65536)");
        var key = new byte[32];
        key[0] = 7;
        for (var g = 0; g < 9; g++)
        {
            await log.Append([.. Enumerable.Range(0, 16_000).Select(i => i == 0 ? key : [])], body: Body);
        }

        await log.Live.Rest();
        var clock = new ShiftedClock();
        Assert.Contains("has to be kept until", (await Prune(log, clock)).Why, StringComparison.Ordinal);
        clock.Shift(TimeSpan.FromDays(220));
        await Run(log, "INSERT INTO legal_holds VALUES (gen_random_uuid(), 'patient', decode('07' || repeat('00', 31), 'hex'), 'C', 'x', now())");
        Assert.Equal(new PruneLimit(0, "entry 0 is under a legal hold"), await Prune(log, clock));
        await Run(log, "UPDATE legal_holds SET released_by = 'x', released_at = now()");

        var limit = await Prune(log, clock);
        Assert.Equal(65_536, limit.Below);
        Assert.Contains("is not sealed", limit.Why, StringComparison.Ordinal);
        Assert.Equal(65_536, await log.Database.Runtime.Sql("SELECT min(idx) FROM entries").Scalar<long>(default));
        Assert.Equal(1, await log.Database.Runtime.Sql("SELECT count(*) FROM audit_outbox WHERE action = 'LEDGER.prune'").Scalar<long>(default));
        await Proves(log, key);
        await log.Load();
        await Proves(log, key);
        await log.Append([key], body: Body);
        await Proves(log, key);
    }

    private static async Task Proves(DirectLog log, byte[] key)
    {
        var (size, root) = log.Heads[^1];
        var answer = Assert.IsType<SubjectAnswer.Proved>(await log.Prover.Prove(log.Head, key, 0, size - 1, size, 1000, default));
        Assert.Equal(log.Written.Where(w => w.Key.StartsWith("07", StringComparison.Ordinal)).Select(w => w.Index), answer.Shown.Select(p => p.Index));
        Assert.True(CompletenessProof.TryRead(answer.Proof)!.Holds(size, root, key, 0, size - 1, [.. answer.Shown.Select(p => p.LeafHash)]));
    }

    private static Task<PruneLimit> Prune(DirectLog log, TimeProvider clock)
    {
        var options = new AuditLedgerOptions
        {
            Origin = "o", LockStoreDirectory = "/", Sources = [], RetentionMonths = new Dictionary<string, int>(StringComparer.Ordinal) { ["ACCESS"] = 6 },
        };
        var audit = new AuditOptions { Source = "ledger", Region = "510000", Node = "n" };
        var outbox = new Outbox(log.Database.Runtime, audit, new OutboxState(TimeProvider.System), new ReceiptBoard(), TimeProvider.System, new GroupCommit(log.Database.Runtime));
        return PruneCommand.Prune(log.Database.Owner, new RetentionSchedule(options), outbox, clock, dry: false, default);
    }

    private static async Task Run(DirectLog log, string statement)
    {
        await using var command = log.Database.Owner.CreateCommand(statement);
        await command.ExecuteNonQueryAsync();
    }
}

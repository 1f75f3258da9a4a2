using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests;

/// <summary>A service looks at the ledger's checkpoints, and believes of its receipts only what they prove.</summary>
public sealed class CheckpointWatchTests : IAsyncLifetime
{
    private RelayFixture _fixture = null!;

    public async ValueTask InitializeAsync() => _fixture = await RelayFixture.Create();

    public ValueTask DisposeAsync() => _fixture.DisposeAsync();

    // Witnesses are not on the way of an event in: a checkpoint that waits for them is not a ledger that is away.
    [Theory]
    [InlineData("/checkpoint")]
    [InlineData("/proofs/consistency")]
    [InlineData("/proofs/inclusion")]
    public async Task While_no_checkpoint_is_shown_or_proved_confirmed_acts_go_on(string path)
    {
        using var faults = _fixture.Faults();
        var service = _fixture.Instance(faults);
        await service.Start();
        await Eventually.Holds(() => service.State.LedgerReached == true, "the relay reaches the ledger");
        await Eventually.Holds(async () => await _fixture.Verified() > 0, "a first checkpoint is verified");
        faults.Unavailable = path;
        Assert.IsType<ConfirmOutcome.Confirmed>(await service.Confirm());
        await Eventually.Holds(async () => (await service.Loops[1].Check(default)).Detail.Contains("failed", StringComparison.Ordinal), "the look at the checkpoint fails");
        for (var act = 0; act < 3; act++)
        {
            Assert.IsType<ConfirmOutcome.Confirmed>(await service.Confirm());
        }

        Assert.True(service.State.LedgerReached);
        await service.Stop();
    }

    [Fact]
    public async Task Answered_events_are_deleted_after_the_retention_once_a_verified_checkpoint_covers_them()
    {
        var service = _fixture.Instance(null, AtOnce);
        await service.AppendMany(5);
        await service.Start();
        await Eventually.Holds(
            async () => await Kept() == 0 && await _fixture.Verified() == await _fixture.Ledger.Database.Runtime.Sql("SELECT size FROM head").Scalar<long>(default),
            "covered events are gone");
        Assert.IsType<ConfirmOutcome.Confirmed>(await service.Confirm());
        await service.Stop();
    }

    [Fact]
    public async Task A_relay_that_is_never_idle_does_not_keep_checkpoints_from_being_verified_and_events_from_being_deleted()
    {
        var service = _fixture.Instance(null, AtOnce);
        await service.Start();
        using var load = new CancellationTokenSource();
        // More than one in each pause between two batches.
        var loads = Enumerable.Range(0, 4).Select(async _ =>
        {
            while (!load.IsCancellationRequested)
            {
                await service.Append();
            }
        }).ToList();
        var first = 0L;
        await Eventually.Holds(async () => (first = await _fixture.Verified()) > 0, "a checkpoint is verified under load");
        await Eventually.Holds(async () => await _fixture.Verified() > first, "and a later one");
        await Eventually.Holds(async () => await service.Db.Sql("SELECT min(ordinal) FROM audit_outbox").Scalar<long>(default) > 1, "events go under load");
        await load.CancelAsync();
        await Task.WhenAll(loads);
        await service.Stop();
    }

    [Fact]
    public async Task A_ledger_that_acknowledges_what_it_does_not_log_is_named_and_nothing_is_deleted()
    {
        using var faults = _fixture.Faults();
        var service = _fixture.Instance(faults, AtOnce);
        faults.Acknowledge = 0;
        await service.AppendMany(3);
        await service.Start();
        await Eventually.Holds(async () => await _fixture.Answered() == 3, "receipts come");
        await Eventually.Holds(() => service.Watched.Exists(l => l.Contains("does not hold it there", StringComparison.Ordinal)), "the ledger is named");
        var verified = await _fixture.Verified();
        // The log grows by others' events; that does not make it hold these.
        using (var ca = _fixture.Ledger.Client("ca", _fixture.Running.Address))
        {
            await new LedgerLink(ca, "ca").Post(_fixture.Ledger.Producer("ca").Next(TestProducer.Ceremony()), 1, default);
        }

        var looks = faults.Checkpoints;
        await Eventually.Holds(() => faults.Checkpoints >= looks + 3, "it looks again, and goes to the end of a look");
        Assert.Equal(3, await Kept());
        Assert.Equal(0, await _fixture.InLedger());
        Assert.Equal(verified, await _fixture.Verified());
        await service.Stop();
    }

    [Fact]
    public async Task An_entry_that_holds_another_event_of_this_service_does_not_prove_the_one_acknowledged()
    {
        var service = _fixture.Instance();
        await service.AppendMany(3);
        await service.Start();
        await Eventually.Holds(async () => await _fixture.Answered() == 3 && await _fixture.Verified() > 0, "all is proved");
        await service.Stop();
        await service.Db.Sql("UPDATE audit_outbox SET idx = idx - 1 WHERE seq = (SELECT max(seq) FROM audit_outbox)").Execute(default);
        var again = _fixture.Instance(null, AtOnce);
        await again.Start();
        await Eventually.Holds(() => again.Watched.Exists(l => l.Contains("does not hold it there", StringComparison.Ordinal)), "the wrong place is named");
        Assert.Equal(3, await Kept());
        await again.Stop();
    }

    [Fact]
    public async Task An_acknowledged_event_that_no_checkpoint_covers_in_time_is_named()
    {
        using var faults = _fixture.Faults();
        var service = _fixture.Instance(faults, o => With(o, TimeSpan.Zero, TimeSpan.FromMilliseconds(200)));
        faults.Acknowledge = 1_000_000;
        await service.AppendMany(2);
        await service.Start();
        await Eventually.Holds(() => service.Watched.Exists(l => l.Contains("acknowledged entry 1000000,", StringComparison.Ordinal)), "the entry is named");
        Assert.Equal(2, await Kept());
        await service.Stop();
        Assert.Single(service.Watched, l => l.Contains("acknowledged entry", StringComparison.Ordinal));
    }

    private Task<long> Kept() => _fixture.Database.Runtime.Sql("SELECT count(*) FROM audit_outbox").Scalar<long>(default);

    private static AuditOptions AtOnce(AuditOptions o) => With(o, TimeSpan.Zero, o.CoveredWithin);

    private static AuditOptions With(AuditOptions o, TimeSpan retention, TimeSpan covered) => new()
    {
        Source = o.Source, Region = o.Region, Node = o.Node, Poll = o.Poll, Retry = o.Retry, LedgerKeys = o.LedgerKeys, Retention = retention, CoveredWithin = covered,
        BudgetCount = 10_000_000,
    };
}

using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.LogFormat.Index;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests;

/// <summary>The outbox and its relay against a real ledger, with every remote step failing before and after it took effect.</summary>
public sealed class RelayTests : IAsyncLifetime
{
    private RelayFixture _fixture = null!;

    public async ValueTask InitializeAsync() => _fixture = await RelayFixture.Create();

    public ValueTask DisposeAsync() => _fixture.DisposeAsync();

    [Fact]
    public async Task A_confirmed_event_returns_with_its_receipt_and_can_be_found_again()
    {
        var service = _fixture.Instance();
        await service.Start();
        await Eventually.Holds(() => service.State.LedgerReached == true, "the relay reached the ledger");
        var confirmed = Assert.IsType<ConfirmOutcome.Confirmed>(await service.Confirm());
        Assert.Equal(2, confirmed.Receipt.Index);
        // Told first, then stored.
        Receipt? found = null;
        await Eventually.Holds(async () => (found = await service.Outbox.FindReceipt(confirmed.Id, default)) is not null, "the receipt is stored");
        Assert.Equal(confirmed.Receipt.LeafHash, found!.LeafHash);
        Assert.Equal(confirmed.Receipt.Time, found.Time);
        await service.Stop();
    }

    [Fact]
    public async Task More_acts_than_the_pool_has_connections_wait_at_once_and_all_are_confirmed()
    {
        var service = _fixture.Instance();
        var acts = Enumerable.Range(0, 150).Select(_ => service.Confirm()).ToList();
        await service.Start();
        Assert.All(await Task.WhenAll(acts), outcome => Assert.IsType<ConfirmOutcome.Confirmed>(outcome));
        await service.Stop();
    }

    [Theory]
    [InlineData("head", Took.NoEffect)]
    [InlineData("head", Took.Effect)]
    [InlineData("epochs", Took.NoEffect)]
    [InlineData("epochs", Took.Effect)]
    [InlineData("entries", Took.NoEffect)]
    [InlineData("entries", Took.Effect)]
    public async Task A_lost_exchange_loses_nothing_and_repeats_nothing(string path, Took took)
    {
        using var faults = _fixture.Faults();
        faults.FailOnce = (path, took);
        var service = _fixture.Instance(faults);
        await service.AppendMany(20);
        await service.Start();
        await Eventually.Holds(async () => await _fixture.Answered() == 20, "all events are answered");
        Assert.Equal(20, await _fixture.InLedger());
        await service.Stop();
    }

    [Theory]
    [InlineData(Took.NoEffect)]
    [InlineData(Took.Effect)]
    public async Task A_relay_that_dies_between_numbering_sending_and_recording_is_replaced_without_loss(Took took)
    {
        using var faults = _fixture.Faults();
        faults.Hang = ("entries", took);
        var first = _fixture.Instance(faults);
        await first.AppendMany(20);
        await first.Start();
        await faults.Reached;
        await first.Stop();
        Assert.Equal(0, await _fixture.Answered());
        Assert.Equal(20, await _fixture.Database.Runtime.Sql("SELECT count(*) FROM audit_outbox WHERE seq IS NOT NULL").Scalar<long>(default));

        var second = _fixture.Instance();
        await second.AppendMany(5);
        await second.Start();
        await Eventually.Holds(async () => await _fixture.Answered() == 25, "all events are answered");
        Assert.Equal(25, await _fixture.InLedger());
        await second.Stop();
    }

    [Fact]
    public async Task Two_relays_compete_and_every_event_arrives_once_also_when_the_holder_stops()
    {
        var one = _fixture.Instance();
        var two = _fixture.Instance();
        await one.Start();
        await two.Start();
        await Parallel.ForAsync(0, 100, async (i, _) => await (i % 2 == 0 ? one : two).Append());
        await Eventually.Holds(async () => await _fixture.Answered() == 100, "all events are answered");
        await one.Stop();
        Assert.IsType<ConfirmOutcome.Confirmed>(await two.Confirm());
        await two.Stop();
        Assert.Equal(101, await _fixture.InLedger());
    }

    [Fact]
    public async Task A_poison_event_is_quarantined_and_a_gap_stands_in_its_place()
    {
        var service = _fixture.Instance();
        await service.AppendMany(3);
        const string insert = "INSERT INTO audit_outbox (id, action, body, data_key, created_at) VALUES ($1, 'X', $2, ''::bytea, now())";
        await _fixture.Database.Runtime.Sql(insert).With(Guid.CreateVersion7()).With("{\"action\":\"NOT.known\"}"u8.ToArray()).Execute(default);
        await service.AppendMany(3);
        await service.Start();
        await Eventually.Holds(async () => await _fixture.Answered() == 7, "six events and a gap are answered");
        Assert.Equal("unknown-action", await _fixture.Database.Runtime.Sql("SELECT quarantined FROM audit_outbox WHERE quarantined IS NOT NULL").Scalar<string>(default));
        var leaf = await _fixture.Ledger.Database.Runtime.Sql("SELECT leaf FROM entries WHERE get_byte(leaf, 0) <> 2 ORDER BY idx OFFSET 4 LIMIT 1").Scalar<byte[]>(default);
        Assert.Contains("\"action\":\"LEDGER.gap\"", Encoding.UTF8.GetString(leaf!), StringComparison.Ordinal);
        Assert.IsType<ConfirmOutcome.Confirmed>(await service.Confirm());
        await service.Stop();
    }

    [Fact]
    public async Task A_ledger_that_refuses_the_gap_itself_is_asked_again_after_a_pause_and_one_gap_stands_for_the_event()
    {
        using var faults = _fixture.Faults();
        faults.RefuseEvents = true;
        var service = _fixture.Instance(faults);
        await service.AppendMany(1);
        await service.Start();
        await Eventually.Holds(() => faults.Refused >= 5 && service.State.LedgerReached == false, "the relay goes on trying, and says so");
        Assert.Equal(2, await _fixture.Database.Runtime.Sql("SELECT count(*) FROM audit_outbox").Scalar<long>(default));
        Assert.Equal(1, await _fixture.Database.Runtime.Sql("SELECT count(*) FROM audit_outbox WHERE quarantined IS NOT NULL").Scalar<long>(default));
        faults.RefuseEvents = false;
        await Eventually.Holds(async () => await _fixture.Answered() == 1, "the gap is answered once the ledger takes it");
        await service.Stop();
    }

    [Fact]
    public async Task A_token_that_hangs_holds_up_no_view_of_what_waits_and_the_relay_goes_on_trying()
    {
        var hung = System.Reflection.DispatchProxy.Create<IToken, HungToken>();
        ((HungToken)hung).Inner = _fixture.Token;
        var service = _fixture.Instance(with: o => new AuditOptions
        {
            Source = o.Source, Region = o.Region, Node = o.Node, Poll = o.Poll, Retry = o.Retry, LedgerKeys = o.LedgerKeys, SignWithin = TimeSpan.FromMilliseconds(200), BudgetCount = 3,
        }, token: hung);
        await service.AppendMany(1);
        await service.Start();
        await Eventually.Holds(() => service.State.LedgerReached == false, "the relay gives the signature up");
        Assert.Equal(AppendRefusal.LedgerAway, Assert.IsType<ConfirmOutcome.Refused>(await service.Confirm()).Reason.Code);
        await Eventually.Holds(async () => await service.Append() is AppendOutcome.Refused(var why) && why.Code == AppendRefusal.BudgetSpent, "what waits spends the budget");
        ((HungToken)hung).Hangs = false;
        await Eventually.Holds(() => service.State is { LedgerReached: true, Pending: 0 }, "the relay has gone on");
        await service.Stop();
    }

    [Fact]
    public async Task A_view_that_nobody_renews_spends_the_budget_by_its_own_age()
    {
        var service = _fixture.Instance(with: o => new AuditOptions
        {
            Source = o.Source, Region = o.Region, Node = o.Node, Poll = o.Poll, Retry = o.Retry, LedgerKeys = o.LedgerKeys, BudgetAge = TimeSpan.FromMinutes(5),
        });
        // Another instance holds the relay's lock and does nothing with it; what it stored says that nothing waits.
        await using var holder = await _fixture.Database.Runtime.OpenConnectionAsync();
        Assert.True(await holder.Sql("SELECT pg_try_advisory_lock(hashtextextended('trust.relay.' || current_schema(), 0))").Scalar<bool>(default));
        await holder.Sql("UPDATE audit_relay SET reached = true, pending = 0, oldest = NULL, seen_at = now()").Execute(default);
        await service.Start();
        await Eventually.Holds(() => service.State.LedgerReached == true, "the view is read");
        Assert.IsType<AppendOutcome.Appended>(await service.Append());
        await holder.Sql("UPDATE audit_relay SET seen_at = now() - interval '6 minutes'").Execute(default);
        await Eventually.Holds(() => service.State.SeenAge > TimeSpan.FromMinutes(5), "the older view is read");
        Assert.Equal(AppendRefusal.BudgetSpent, Assert.IsType<AppendOutcome.Refused>(await service.Append()).Reason.Code);
        Assert.IsType<AppendOutcome.Appended>(await service.Append("CERT.revoke"));
        await service.Stop();
    }

    [Fact]
    public async Task While_the_ledger_is_away_confirmed_acts_refuse_at_once_traced_ones_when_the_budget_ends_and_revocation_never()
    {
        using var faults = _fixture.Faults();
        faults.Away = true;
        var service = _fixture.Instance(faults, o => new AuditOptions
        {
            Source = o.Source, Region = o.Region, Node = o.Node, Poll = o.Poll, Retry = o.Retry, LedgerKeys = o.LedgerKeys, BudgetCount = 10,
        });
        await service.Start();
        await Eventually.Holds(() => service.State.LedgerReached == false, "the relay noticed that the ledger is away");
        var refused = Assert.IsType<ConfirmOutcome.Refused>(await service.Confirm());
        Assert.Equal(AppendRefusal.LedgerAway, refused.Reason.Code);
        Assert.Equal(0, await _fixture.Database.Runtime.Sql("SELECT count(*) FROM audit_outbox").Scalar<long>(default));

        await service.AppendMany(11);
        await Eventually.Holds(() => service.State.Pending == 11, "the relay counted what waits");
        Assert.Equal(AppendRefusal.BudgetSpent, Assert.IsType<AppendOutcome.Refused>(await service.Append()).Reason.Code);
        Assert.IsType<AppendOutcome.Appended>(await service.Append("CERT.revoke"));
        Assert.IsType<AppendOutcome.Appended>(await service.Append("AUTH.logout"));

        faults.Away = false;
        await Eventually.Holds(async () => await _fixture.Answered() == 13, "everything arrives after the outage");
        await Eventually.Holds(() => service.State.Pending == 0, "the relay counted again");
        Assert.IsType<AppendOutcome.Appended>(await service.Append());
        Assert.IsType<ConfirmOutcome.Confirmed>(await service.Confirm());
        await service.Stop();
    }

    [Fact]
    public async Task An_old_event_spends_the_budget_by_its_age()
    {
        using var faults = _fixture.Faults();
        faults.Away = true;
        var service = _fixture.Instance(faults, o => new AuditOptions
        {
            Source = o.Source, Region = o.Region, Node = o.Node, Poll = o.Poll, Retry = o.Retry, BudgetAge = TimeSpan.FromMilliseconds(200),
        });
        await service.Start();
        await service.Append();
        await Eventually.Holds(async () => await service.Append() is AppendOutcome.Refused { Reason.Code: AppendRefusal.BudgetSpent }, "the age budget ends");
        await service.Stop();
    }

    [Fact]
    public async Task A_confirmed_act_whose_receipt_does_not_come_in_time_is_unknown_and_resumes_by_its_id()
    {
        using var faults = _fixture.Faults();
        faults.Hang = ("entries", Took.Effect);
        var first = _fixture.Instance(faults, o => new AuditOptions
        {
            Source = o.Source, Region = o.Region, Node = o.Node, Poll = o.Poll, Retry = o.Retry, ConfirmWithin = TimeSpan.FromMilliseconds(300),
        });
        await first.Start();
        var unknown = Assert.IsType<ConfirmOutcome.Unknown>(await first.Confirm());
        await first.Stop();
        Assert.Null(await first.Outbox.FindReceipt(unknown.Id, default));
        var second = _fixture.Instance();
        await second.Start();
        await Eventually.Holds(async () => await second.Outbox.FindReceipt(unknown.Id, default) is not null, "the receipt is found");
        Assert.Equal(1, await _fixture.InLedger());
        await second.Stop();
    }

    [Fact]
    public async Task A_service_whose_database_was_set_back_refuses_to_record()
    {
        var service = _fixture.Instance();
        await service.AppendMany(5);
        await service.Start();
        await Eventually.Holds(async () => await _fixture.Answered() == 5, "all events are answered");
        await service.Stop();
        await _fixture.Database.Runtime.Sql("DELETE FROM audit_outbox WHERE ordinal > 3").Execute(default);
        await _fixture.Database.Runtime.Sql("UPDATE audit_relay SET seq = 3").Execute(default);

        var restored = _fixture.Instance();
        await restored.Start();
        await Eventually.Holds(() => Task.FromResult(restored.End.Code == Relay.HeadBehindExitCode), "the process is to end");
        Assert.Contains("(1, 5)", restored.State.HeadBehind, StringComparison.Ordinal);
        Assert.Contains("(1, 3)", restored.State.HeadBehind, StringComparison.Ordinal);
        Assert.Equal(AppendRefusal.HeadBehind, Assert.IsType<AppendOutcome.Refused>(await restored.Append()).Reason.Code);
        Assert.Equal(AppendRefusal.HeadBehind, Assert.IsType<ConfirmOutcome.Refused>(await restored.Confirm()).Reason.Code);
    }

    [Fact]
    public async Task A_rolled_back_act_leaves_no_event_and_no_hole()
    {
        var service = _fixture.Instance();
        await service.Start();
        await using (var connection = await service.Db.OpenConnectionAsync())
        {
            await using var tx = await connection.BeginTransactionAsync();
            Assert.IsType<AppendOutcome.Appended>(await service.Outbox.Append(tx, RelayInstance.Event(), default));
            await tx.RollbackAsync();
        }

        await service.AppendMany(3);
        await Eventually.Holds(async () => await _fixture.Answered() == 3, "the others are answered");
        Assert.Equal(3, await _fixture.Database.Runtime.Sql("SELECT max(seq) FROM audit_outbox").Scalar<long>(default));
        await service.Stop();
    }

    [Fact]
    public async Task Refusals_of_strangers_become_one_event_a_rule()
    {
        var service = _fixture.Instance();
        var counter = new RefusalCounter(service.Outbox, service.Db, service.Options, TimeProvider.System);
        for (var i = 0; i < 1000; i++)
        {
            counter.Count(i % 2 == 0 ? "invalid-token" : "peer-required");
        }

        await counter.Flush(default);
        await counter.Flush(default);
        var bodies = await service.Db.Sql("SELECT body FROM audit_outbox ORDER BY ordinal").All(r => Encoding.UTF8.GetString(r.GetFieldValue<byte[]>(0)), default);
        Assert.Equal(2, bodies.Count);
        Assert.All(bodies, b => Assert.Contains("\"basis\":\"count:500\"", b, StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_event_outside_the_catalogue_is_a_fault_that_no_caller_can_ignore_and_leaves_nothing()
    {
        var service = _fixture.Instance();
        await Assert.ThrowsAsync<InvalidEventException>(() => service.Append("NOT.known"));
        await Assert.ThrowsAsync<InvalidEventException>(() => service.Confirm("NOT.known"));
        Assert.Equal(0, await service.Db.Sql("SELECT count(*) FROM audit_outbox").Scalar<long>(default));
    }
}

using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.LockStore;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.LogFormat;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests;

/// <summary>What other logs have gone through (docs/THREAT-MODEL.md, incidents), done to ours.</summary>
public sealed class IncidentTests : IAsyncLifetime
{
    private readonly TokenOptions _token = Tokens.NewOptions("ledger");
    private LedgerFixture _fixture = null!;

    public async ValueTask InitializeAsync() => _fixture = await LedgerFixture.Create();

    public ValueTask DisposeAsync() => _fixture.DisposeAsync();

    [Fact]
    public async Task A_bit_that_flips_on_the_disk_before_the_head_is_signed_is_never_signed_for()
    {
        await using var owner = Outbound.Database(_fixture.Database.Options, asOwner: true);
        var faults = new Flip(owner);
        var ca = _fixture.Producer("ca");
        byte[] frame;
        await using (var ledger = await _fixture.Start(_token, faults: faults))
        {
            await ledger.Leads();
            await Open(ledger);
            Assert.IsType<PostOutcome.Accepted>(await Post(ledger, ca.Next(TestProducer.Ceremony())));
            faults.Armed = true;
            frame = ca.Next(ca.Body());
            Assert.IsNotType<PostOutcome.Accepted>(await Try(ledger, frame));
            Assert.Equal(1, faults.Flipped);
            Assert.True(Signed().Size < 4);
        }

        // The sector is mended; nothing was acknowledged, and the same batch is taken once.
        faults.Turn();
        await using var again = await _fixture.Start(_token, node: "ledger-2");
        await again.Leads();
        Assert.IsType<PostOutcome.Accepted>(await Post(again, frame));
        Assert.Equal(1, await owner.Sql("SELECT count(*) FROM batches b JOIN sources s ON s.id = b.source WHERE s.name = 'ca' AND b.first_seq = 2").Scalar<long>(default));
    }

    [Fact]
    public async Task A_clock_that_goes_back_does_not_take_ledger_time_with_it_and_is_alarmed_once()
    {
        var clock = new ShiftedClock();
        await using var ledger = await _fixture.Start(_token, clock: clock);
        await ledger.Leads();
        await Open(ledger);
        var ca = _fixture.Producer("ca");
        Assert.IsType<PostOutcome.Accepted>(await Post(ledger, ca.Next(TestProducer.Ceremony())));
        for (var i = 0; i < 5; i++)
        {
            clock.Shift(TimeSpan.FromSeconds(-20));
            Assert.IsType<PostOutcome.Accepted>(await Post(ledger, ca.Next(ca.Body())));
        }

        var times = new List<long>();
        foreach (var leaf in await ledger.App.Services.GetRequiredService<NpgsqlDataSource>().Sql("SELECT leaf FROM entries ORDER BY idx").All(r => r.GetFieldValue<byte[]>(0), default))
        {
            if (EventLeaf.TryRead(leaf, out var e))
            {
                times.Add(e.Time);
            }
        }

        Assert.Equal(times.Order(), times);
        await Eventually.Holds(async () => (await _fixture.Alarms()).Count > 0, "the alarm is an event");
        Assert.Equal("clock-regression", Assert.Single(await _fixture.Alarms()).Split([':', ' '])[1]);
    }

    [Fact]
    public async Task Events_that_come_long_after_they_happened_are_alarmed_once_until_their_source_has_caught_up()
    {
        await using var ledger = await _fixture.Start(_token);
        await ledger.Leads();
        await Open(ledger);
        var ca = _fixture.Producer("ca");
        Assert.IsType<PostOutcome.Accepted>(await Post(ledger, ca.Next(TestProducer.Ceremony())));
        foreach (var minutes in (int[])[5, 20, 15, 1, 30])
        {
            Assert.IsType<PostOutcome.Accepted>(await Post(ledger, ca.Next(ca.Body(ago: TimeSpan.FromMinutes(minutes)))));
        }

        await Eventually.Holds(async () => (await _fixture.Alarms()).Count > 1, "the alarms are events");
        Assert.Equal(["alarm:backlog source:ca late:1200s", "alarm:backlog source:ca late:1800s"], await _fixture.Alarms());
    }

    private Checkpoint Signed()
    {
        var note = new FileLockStore(_fixture.LockStore).Read();
        return Checkpoint.TryParse(note[..(note.LastIndexOf("\n\n", StringComparison.Ordinal) + 1)])!;
    }

    private async Task Open(RunningLedger ledger)
    {
        using var client = _fixture.Client("ca", ledger.Address);
        await new LedgerLink(client, "ca").OpenEpoch(new string('0', 64), default);
    }

    private async Task<PostOutcome> Post(RunningLedger ledger, byte[] frame)
    {
        using var client = _fixture.Client("ca", ledger.Address);
        return await new LedgerLink(client, "ca").Post(frame, 1, default);
    }

    private async Task<PostOutcome?> Try(RunningLedger ledger, byte[] frame)
    {
        try
        {
            return await Post(ledger, frame);
        }
        catch (HttpRequestException)
        {
            return null; // The service has ended.
        }
    }

    // A disk that flips one bit of what it was just given.
    private sealed class Flip(NpgsqlDataSource owner) : LedgerFaults
    {
        public bool Armed { get; set; }

        public int Flipped { get; private set; }

        public override void At(string point)
        {
            if (Armed && point is "after-commit")
            {
                Armed = false;
                Turn();
                Flipped++;
            }
        }

        public void Turn()
        {
            using var command = owner.CreateCommand("UPDATE entries SET leaf = set_bit(leaf, 700, 1 - get_bit(leaf, 700)) WHERE idx = 2");
            Assert.Equal(1, command.ExecuteNonQuery());
        }
    }
}

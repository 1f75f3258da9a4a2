using Trust.Kernel.Audit;
using Trust.Kernel.LockStore;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Checkpoints;

/// <summary>With a real streaming standby.</summary>
public sealed class StandbyTests : IAsyncLifetime
{
    private readonly TokenOptions _token = Tokens.NewOptions("ledger");
    private LedgerFixture _fixture = null!;
    private StandbyServer _standby = null!;

    public async ValueTask InitializeAsync()
    {
        _fixture = await LedgerFixture.Create(await TestDatabase.OnOwnServer("ledger", typeof(Program).Assembly));
        await _fixture.Database.Server.Sql("postgres", "GRANT pg_read_all_stats TO ledger_runtime", default);
        _standby = await StandbyServer.Follow(_fixture.Database.Server, "near");
        _fixture.Standbys = new { Count = 1, Names = new[] { "near" }, Wait = "00:00:00.500" };
    }

    public async ValueTask DisposeAsync()
    {
        await _standby.Stop();
        await _fixture.Database.Server.Stop(immediate: true, default);
        await _fixture.DisposeAsync();
    }

    [Fact]
    public async Task With_its_standby_stopped_nothing_is_signed_and_with_it_back_the_same_batch_is_taken_once()
    {
        await using var ledger = await _fixture.Start(_token);
        await ledger.Leads();
        using var client = _fixture.Client("ca", ledger.Address);
        var link = new LedgerLink(client, "ca");
        await link.OpenEpoch(new string('0', 64), default);
        var producer = _fixture.Producer("ca");
        Assert.IsType<PostOutcome.Accepted>(await link.Post(producer.Next(TestProducer.Ceremony()), 1, default));
        var signed = Signed();

        await _standby.Stop();
        var batch = producer.Next(producer.Body(), producer.Body());
        Assert.IsType<PostOutcome.Away>(await link.Post(batch, 2, default));
        // It is on the primary, and stays unsigned however often the sequencer begins again.
        await Eventually.Holds(async () => await _fixture.Database.Runtime.Sql("SELECT size FROM head").Scalar<long>(default) > signed, "it is committed");
        for (var i = 0; i < 3; i++)
        {
            Assert.IsType<PostOutcome.Away>(await link.Post(batch, 2, default));
            Assert.Equal(signed, Signed());
        }

        await _standby.Start();
        PostOutcome answer = new PostOutcome.Away("");
        await Eventually.Holds(async () => (answer = await link.Post(batch, 2, default)) is PostOutcome.Accepted, "it is signed");
        var receipts = Assert.IsType<PostOutcome.Accepted>(answer).Answer.Receipts;
        Assert.Equal(receipts[0].Index + 1, receipts[1].Index);
        Assert.True(Signed() > signed);
    }

    [Fact]
    public async Task A_standby_of_another_name_does_not_count()
    {
        _fixture.Standbys = new { Count = 1, Names = new[] { "far" }, Wait = "00:00:00.200" };
        await using var ledger = await _fixture.Start(_token);
        await Eventually.Holds(() => ledger.Sequencer.NotLeading?.Contains("StandbyException", StringComparison.Ordinal) == true, "it does not lead");
        Assert.Equal("", new FileLockStore(_fixture.LockStore).Read());
    }

    private long Signed() => Checkpoint.TryParse(SignedNote.TryRead(new FileLockStore(_fixture.LockStore).Read())!.Value.Text)!.Size;
}

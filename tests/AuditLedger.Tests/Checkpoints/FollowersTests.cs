using Microsoft.Extensions.DependencyInjection;
using Trust.AuditLedger.Checkpoints;
using Trust.AuditLedger.Tests.Anchoring;
using Trust.AuditLedger.Tests.Witnessing;
using Trust.AuditLedger.Witnessing;
using Trust.Kernel.Audit;
using Trust.LogFormat;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Checkpoints;

/// <summary>What follows the log: witnesses, anchors, the tree under SM3.</summary>
public sealed class FollowersTests
{
    // Incident Raio 2025: two transient failures in a row, the second unhandled.
    [Fact]
    public async Task A_database_that_goes_twice_ends_none_of_them_and_each_catches_up()
    {
        await using var fixture = await LedgerFixture.Create(await TestDatabase.OnOwnServer("ledger", typeof(Program).Assembly));
        await using var witness = await ScriptedWitness.Start("wit-a");
        await using var outside = await SampleTimeStamper.Start();
        fixture.AddWitness(witness.Name, witness.Address, witness.Key);
        fixture.Quorum = 1;
        fixture.MorePeers.Add((outside.Name, outside.Address));
        fixture.Anchoring = new { Authorities = new[] { outside.Options() }, Interval = "00:00:00.100" };
        await using var ledger = await fixture.Start(Tokens.NewOptions("ledger"));
        await ledger.Leads();
        using var client = fixture.Client("ca", ledger.Address);
        var link = new LedgerLink(client, "ca");
        await link.OpenEpoch(new string('0', 64), default);
        var producer = fixture.Producer("ca");
        Assert.IsType<PostOutcome.Accepted>(await link.Post(producer.Next(TestProducer.Ceremony()), 1, default));
        for (var time = 0; time < 2; time++)
        {
            await fixture.Database.Server.Restart(default);
            var batch = producer.Next(producer.Body(), producer.Body());
            PostOutcome answer = new PostOutcome.Away("");
            await Eventually.Holds(async () => (answer = await link.Post(batch, 2, default)) is PostOutcome.Accepted, "intake goes on");
            var size = Assert.IsType<PostOutcome.Accepted>(answer).Answer.Receipts[^1].TreeSize;
            await Eventually.Holds(() => ledger.App.Services.GetRequiredService<CosignatureRounds>().Shown?.Checkpoint.Size >= size, "the witness catches up");
            await Eventually.Holds(
                () => ledger.App.Services.GetRequiredService<Sm3Follower>().Note is { } note && Checkpoint.TryParse(note.Split("\n\n")[0] + "\n")!.Size >= size, "the SM3 tree catches up");
            await Eventually.Holds(
                async () =>
                {
                    using var anchor = await client.GetAsync($"anchors/{size}");
                    return anchor.IsSuccessStatusCode;
                },
                "the anchors catch up");
        }
    }
}

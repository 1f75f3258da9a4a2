using Trust.Kernel.Audit;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests;

/// <summary>The ledger killed by SIGKILL at each step of a group, and started again over what it left.</summary>
public sealed class KillAtPointTests
{
    [Theory]
    [InlineData("before-commit")]
    [InlineData("after-commit")]
    [InlineData("after-sign")]
    [InlineData("after-swap")]
    public async Task Killed_at_a_step_it_comes_back_with_the_batch_standing_once_and_every_acknowledged_entry_in_place(string point)
    {
        await using var fixture = await LedgerFixture.Create();
        var token = Tokens.NewOptions("ledger");
        var (acknowledged, before, ca) = await Begin(fixture, token);
        var (config, address) = fixture.Configure("ledger-2", token);
        using var client = fixture.Client("ca", address);
        var link = new LedgerLink(client, "ca");
        var frame = ca.Next(ca.Body(), ca.Body());
        using (var dying = DyingService.Start(typeof(KillAtPointTests).Assembly, config, point))
        {
            await Leads(dying, link, ca);
            Assert.IsType<PostOutcome.Away>(await link.Post(frame, 2, default));
            await dying.Died();
        }

        using var again = DyingService.Start(typeof(KillAtPointTests).Assembly, config, null);
        await Leads(again, link, ca);
        PostOutcome answer = new PostOutcome.Away("");
        await Eventually.Holds(async () => (answer = await link.Post(frame, 2, default)) is PostOutcome.Accepted, "the same batch is taken");
        var receipts = Assert.IsType<PostOutcome.Accepted>(answer).Answer.Receipts;
        Assert.Equal([before.Size, before.Size + 1], receipts.Select(r => r.Index));
        var repeated = Assert.IsType<PostOutcome.Accepted>(await link.Post(frame, 2, default)).Answer.Receipts;
        Assert.Equal(receipts.Select(r => Convert.ToHexString(r.LeafHash)), repeated.Select(r => Convert.ToHexString(r.LeafHash)));
        var after = await Head(fixture, link);
        Assert.True(MerkleProof.VerifyConsistency(before.Size, before.Root, after.Size, after.Root, await link.Consistency(before.Size, after.Size, default)));
        foreach (var receipt in acknowledged.Concat(receipts))
        {
            Assert.Equal(receipt.LeafHash, await fixture.LeafHash(receipt.Index));
        }
    }

    // A log with acknowledged entries, written by a ledger that ended in order.
    private static async Task<(IReadOnlyList<Receipt> Acknowledged, Checkpoint Head, TestProducer Producer)> Begin(LedgerFixture fixture, Pkcs11.TokenOptions token)
    {
        await using var ledger = await fixture.Start(token);
        await ledger.Leads();
        using var client = fixture.Client("ca", ledger.Address);
        var link = new LedgerLink(client, "ca");
        await link.OpenEpoch((await link.Head(default)).Hash, default);
        var ca = fixture.Producer("ca");
        List<Receipt> acknowledged = [.. Assert.IsType<PostOutcome.Accepted>(await link.Post(ca.Next(TestProducer.Ceremony()), 1, default)).Answer.Receipts];
        acknowledged.AddRange(Assert.IsType<PostOutcome.Accepted>(await link.Post(ca.Next(ca.Body(), ca.Body(), ca.Body()), 3, default)).Answer.Receipts);
        return (acknowledged, await Head(fixture, link), ca);
    }

    private static Task Leads(DyingService ledger, LedgerLink link, TestProducer ca) =>
        ledger.Answers(async () => (await link.Head(default)).Epoch == ca.Epoch);

    private static async Task<Checkpoint> Head(LedgerFixture fixture, LedgerLink link)
    {
        var keys = (await File.ReadAllLinesAsync(Path.Combine(fixture.Public, "ledger.vkeys"))).Select(l => NoteVerifier.TryParse(l)!).ToList();
        return Checkpoint.TryParse(SignedNote.TryOpen(await link.Checkpoint(default), keys, 1)!)!;
    }
}

using Microsoft.Extensions.DependencyInjection;
using Trust.AuditLedger.Proofs;
using Trust.Kernel.Audit;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Tiles;

/// <summary>Readers whom nobody knows take no connection that the log itself needs.</summary>
public sealed class ReaderGateTests
{
    [Fact]
    public async Task As_many_readers_as_may_be_hold_up_other_readers_and_not_the_log()
    {
        await using var fixture = await LedgerFixture.Create();
        await using var ledger = await fixture.Start(Tokens.NewOptions("ledger"));
        await ledger.Leads();
        using var client = fixture.Client("ca", ledger.Address);
        var link = new LedgerLink(client, "ca");
        await link.OpenEpoch(new string('0', 64), default);
        var ca = fixture.Producer("ca");
        var gate = ledger.App.Services.GetRequiredService<ReaderGate>();
        var held = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var readers = Enumerable.Range(0, ReaderGate.Most).Select(_ => gate.Read(() => held.Task, default)).ToList();

        var waits = client.GetAsync("proofs/consistency?from=0&to=0");
        Assert.IsType<PostOutcome.Accepted>(await link.Post(ca.Next(TestProducer.Ceremony()), 1, default));
        Assert.False(waits.IsCompleted);
        held.SetResult(0);
        await Task.WhenAll(readers);
        using var answer = await waits;
        Assert.True(answer.IsSuccessStatusCode);
    }
}

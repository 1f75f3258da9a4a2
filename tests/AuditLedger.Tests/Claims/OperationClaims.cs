using Trust.Kernel.Audit;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Claims;

/// <summary>A producer beside a ledger without witnesses.</summary>
public sealed class OperationClaims
{
    // Witnesses are not on the way of an event: a checkpoint that waits for them is not a ledger that is away.
    [Fact]
    public async Task F18_While_no_checkpoint_is_shown_confirmed_acts_go_on()
    {
        await using var fixture = await RelayFixture.Create();
        using var faults = fixture.Faults();
        faults.Unavailable = "/checkpoint";
        var service = fixture.Instance(faults);
        await service.Start();
        await Eventually.Holds(() => service.State.LedgerReached == true, "the relay reaches the ledger");
        await Eventually.Holds(async () => (await service.Loops[1].Check(default)).Detail.Contains("failed", StringComparison.Ordinal), "no checkpoint is shown");
        for (var act = 0; act < 3; act++)
        {
            Assert.IsType<ConfirmOutcome.Confirmed>(await service.Confirm());
        }

        Assert.True(service.State.LedgerReached);
        await service.Stop();
    }
}

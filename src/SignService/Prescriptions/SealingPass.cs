using Microsoft.Extensions.Logging;
using Trust.Kernel.Audit;

namespace Trust.SignService.Prescriptions;

/// <summary>
/// Seals what was approved while something was away. Each prescription that cannot be sealed waits 1, 2, 4 … 64 seconds by its own row, so
/// that many of one institution without a seal hold up no other institution's.
/// </summary>
public sealed class SealingPass(SealPrescription seal, PrescriptionStore store, OutboxState head, TimeProvider clock, ILogger<SealingPass> log)
{
    /// <summary>From the end of one round to the begin of the next.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>Tries each that is due.</summary>
    public async Task Round(CancellationToken ct)
    {
        // What an older database holds as approved may have been voided since.
        if (!head.HeadCompared)
        {
            return;
        }

        foreach (var id in await store.Unsealed(clock.GetUtcNow(), ct))
        {
            ct.ThrowIfCancellationRequested();
            if (!await TrySeal(id))
            {
                await store.PostponeSeal(id, clock.GetUtcNow(), ct);
            }
        }
    }

    private async Task<bool> TrySeal(Guid id)
    {
        try
        {
            return await seal.TrySeal(id) is null;
        }
#pragma warning disable CA1031 // Whatever is wrong with one prescription, the others must be sealed; a database that is away fails the round at the next statement.
        catch (Exception e)
#pragma warning restore CA1031
        {
            SignLog.SealFailed(log, id, e);
            return false;
        }
    }
}

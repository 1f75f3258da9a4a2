using Microsoft.Extensions.Logging;
using Trust.Kernel.Audit;

namespace Trust.CA.Certificates;

/// <summary>
/// Finishes issuances that a crash, a lost token or an absent ledger left reserved, and closes reservations that nobody will finish.
/// One that cannot be finished waits twice as long each time, in its row, while the others go on.
/// </summary>
public sealed class ResumeIssuance(Issuance issuance, CertificateStore store, CaOptions options, OutboxState head, TimeProvider clock, ILogger<ResumeIssuance> log)
{
    /// <summary>From one round to the next.</summary>
    internal static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    // Longer than any signature can take: what is closed here, nobody is working on.
    private static readonly TimeSpan AbandonAfter = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(1);

    /// <summary>Takes up what waits long enough; answers how many were finished.</summary>
    public async Task<int> Round(CancellationToken ct)
    {
        // What an older database holds as reserved may have been issued, or refused, since.
        if (!head.HeadCompared)
        {
            return 0;
        }

        var now = clock.GetUtcNow();
        if (await store.CloseAbandoned(now - AbandonAfter, ct) is > 0 and var closed)
        {
            CaLog.ReservationsClosed(log, closed);
        }

        var finished = 0;
        foreach (var row in await store.Unfinished(now - options.ResumeAfter, now, ct))
        {
            if (await Resume(row, ct))
            {
                finished++;
            }
            else
            {
                await store.TryLater(row, clock.GetUtcNow(), options.ResumeAfter, LongestWait, ct);
            }
        }

        return finished;
    }

    private async Task<bool> Resume(CertificateRow row, CancellationToken ct)
    {
        try
        {
            switch (await issuance.Resume(row, ct))
            {
                case IssueOutcome.Issued:
                    return true;
                case IssueOutcome.Refused(var why):
                    CaLog.IssuanceWaits(log, row.Request, why.Name);
                    return false;
                case IssueOutcome.LedgerAway(var reason):
                    CaLog.IssuanceWaits(log, row.Request, reason.Code);
                    return false;
                default:
                    return false;
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            throw;
        }
#pragma warning disable CA1031 // Whatever is wrong with this one, the others must go on.
        catch (Exception e)
#pragma warning restore CA1031
        {
            CaLog.IssuanceFailed(log, row.Request, e);
            return false;
        }
    }
}

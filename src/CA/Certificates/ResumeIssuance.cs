using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using Trust.Pkcs11;

namespace Trust.CA.Certificates;

/// <summary>Finishes issuances that a crash, a lost token or an absent ledger left reserved.</summary>
public sealed class ResumeIssuance(Issuance issuance, CertificateStore store, CaOptions options, TimeProvider clock, ILogger<ResumeIssuance> log) : BackgroundService
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(2);

    /// <summary>Takes up everything that waits long enough; answers how many were finished.</summary>
    public async Task<int> Run(CancellationToken ct)
    {
        var finished = 0;
        foreach (var row in await store.Unfinished(clock.GetUtcNow() - options.ResumeAfter, ct))
        {
            // A system certificate without a request is simply made anew by whoever needs it.
            if (row.Request is not null && await issuance.Resume(row, ct) is IssueOutcome.Issued)
            {
                finished++;
            }
        }

        return finished;
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var tick = new PeriodicTimer(Look, clock);
        while (await tick.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                _ = await Run(stoppingToken);
            }
            catch (Exception e) when (e is NpgsqlException or TokenException)
            {
                CaLog.ResumeFailed(log, e);
            }
        }
    }
}

using Microsoft.Extensions.Hosting;
using Npgsql;
using Trust.AuditLedger.Checkpoints;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Fsck;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.LockStore;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.Pkcs11;

namespace Trust.AuditLedger.Watching;

/// <summary>
/// Checks the whole log from its stored bytes now and then, beside the sequencer, so that a bit that flips is found while another copy can still
/// give it back. Each check is an event; what it finds makes the service unready until a check finds nothing.
/// </summary>
internal sealed class Scrub(
    NpgsqlDataSource db, DatabaseOptions database, ILockStore lockStore, CheckpointSigner signer, Sources sources, Sequencer sequencer, IToken token, Outbox outbox,
    AuditLedgerOptions options, TimeProvider clock, ILogger<Scrub> log) : BackgroundService
{
    private volatile CheckReport? _last;

    /// <summary>What the last check found.</summary>
    public Readiness Health() => _last is not { } last
        ? new Readiness(true, "not checked yet")
        : new Readiness(last.Faults.Count == 0, FormattableString.Invariant($"{last.Size} entries checked, {last.Faults.Count} faults"));

    /// <summary>Checks once and records it.</summary>
    internal async Task<CheckReport> RunOnce(CancellationToken ct)
    {
        var report = await new LogCheck(db, database, lockStore, signer, sources, token).Run(null, ct);
        _last = report;
        LedgerMetrics.Scrubbed(report.Faults.Count);
        if (report.Faults.Count > 0)
        {
            LedgerLog.ScrubFound(log, report.Faults.Count, report.Faults[0].Code, report.Faults[0].Index);
        }

        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await outbox.Append(tx, new AuditEvent
        {
            Action = "LEDGER.verify",
            Actor = new Actor("ledger"),
            Subjects = [],
            Outcome = report.Faults.Count == 0 ? EventOutcome.Success : EventOutcome.Failed,
            Basis = FormattableString.Invariant($"size:{report.Size} faults:{report.Faults.Count}"),
        }, ct);
        await tx.CommitAsync(ct);
        return report;
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (options.Watching.ScrubEvery == TimeSpan.Zero)
        {
            return;
        }

        while (!stoppingToken.IsCancellationRequested)
        {
            await Task.Delay(options.Watching.ScrubEvery, clock, stoppingToken);
            if (sequencer.Published is null)
            {
                continue; // The process that leads does it.
            }

            try
            {
                await RunOnce(stoppingToken);
            }
            catch (Exception e) when (e is NpgsqlException or InvalidDataException or IOException or TokenException)
            {
                LedgerLog.ScrubFailed(log, e);
            }
        }
    }
}

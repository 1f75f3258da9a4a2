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
    ILogger<Scrub> log)
{
    private bool _waited;
    private volatile CheckReport? _last;

    /// <summary>What the last check found.</summary>
    public Readiness Health() => _last is not { } last
        ? new Readiness(true, "not checked yet")
        : new Readiness(last.Faults.Count == 0, FormattableString.Invariant($"{last.Size} entries checked, {last.Faults.Count} faults"));

    /// <summary>Checks, where this process leads; not at the start, which is no reason to read the whole log.</summary>
    public async Task Round(CancellationToken ct)
    {
        if (_waited && sequencer.Published is not null)
        {
            await CheckLog(ct);
        }

        _waited = true;
    }

    /// <summary>Checks once and records it.</summary>
    internal async Task<CheckReport> CheckLog(CancellationToken ct)
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
        var outcome = await outbox.Append(tx, new AuditEvent
        {
            Action = "LEDGER.verify",
            Actor = new Actor("ledger"),
            Subjects = [],
            Outcome = report.Faults.Count == 0 ? EventOutcome.Success : EventOutcome.Failed,
            Basis = FormattableString.Invariant($"size:{report.Size} faults:{report.Faults.Count}"),
        }, ct);
        if (outcome is AppendOutcome.Refused(var why))
        {
            throw new InvalidOperationException("The check of the log cannot be recorded: " + why.Code);
        }

        await tx.CommitAsync(ct);
        return report;
    }
}

using Npgsql;
using Trust.AuditLedger.Checkpoints;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Fsck;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.LockStore;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.LogFormat;
using Trust.Pkcs11;

namespace Trust.AuditLedger.Watching;

/// <summary>
/// Checks the whole log from its stored bytes now and then, beside the sequencer, so that a bit that flips is found while another copy can still
/// give it back. A round checks one portion, to the end of the next volume of the subject index, and stores where it came to: the memory it takes is that
/// volume's, and a process that is started anew goes on. Each check is an event; what it finds makes the service unready until a check finds nothing.
/// </summary>
internal sealed class Scrub(
    NpgsqlDataSource db, DatabaseOptions database, ILockStore lockStore, CheckpointSigner signer, Sources sources, Sequencer sequencer, IToken token, Outbox outbox,
    AuditLedgerOptions options, TimeProvider clock, ILogger<Scrub> log)
{
    /// <summary>Between portions, and between looks whether a check is due.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    // What was found is looked at again so soon: it may have been repaired.
    private static readonly TimeSpan AfterFaults = TimeSpan.FromHours(1);

    private const string Select = "SELECT position, ended_at, faults FROM scrub";
    private const string Begin = "INSERT INTO scrub (ended_at) VALUES ($1) ON CONFLICT (one) DO NOTHING";
    private const string MoveOn = "INSERT INTO scrub (position, ended_at) VALUES ($1, $2) ON CONFLICT (one) DO UPDATE SET position = $1";
    private const string End = "INSERT INTO scrub (ended_at, faults) VALUES ($1, $2) ON CONFLICT (one) DO UPDATE SET position = NULL, ended_at = $1, faults = $2";

    private volatile Readiness _health = new(true, "not checked yet");

    /// <summary>What the last check found, whichever process made it.</summary>
    public Readiness Health() => _health;

    /// <summary>Checks the next portion if a check is under way or due, where this process leads.</summary>
    public async Task Round(CancellationToken ct)
    {
        if (sequencer.Published is null)
        {
            return;
        }

        await db.Sql(Begin).With(clock.GetUtcNow()).Execute(ct);
        var state = await State(ct);
        Tell(state.Faults, null);
        var every = options.Watching.ScrubEvery;
        if (state.Position is not null || clock.GetUtcNow() >= state.EndedAt + (state.Faults > 0 && every > AfterFaults ? AfterFaults : every))
        {
            await CheckPortion(ct);
        }
    }

    /// <summary>Checks from where the check stands to the log's end and records it.</summary>
    internal async Task<CheckReport> CheckLog(CancellationToken ct)
    {
        CheckReport report;
        do
        {
            report = await CheckPortion(ct);
        }
        while (report.Next is not null);
        return report;
    }

    /// <summary>Checks the next portion and stores where it came to.</summary>
    internal async Task<CheckReport> CheckPortion(CancellationToken ct)
    {
        // Connections of its own: those of the sequencer and of readers are not held for it.
        await using var own = Outbound.Database(database);
        var from = (await State(ct)).Position is { } stored ? CheckPosition.TryRead(stored) : null;
        var report = await new LogCheck(own, database, lockStore, signer, sources, token).RunPortion(from, Rest(ct), ct);
        if (report.Next is { } next)
        {
            await db.Sql(MoveOn).With(next.Write()).With(clock.GetUtcNow()).Execute(ct);
        }
        else
        {
            await Record(report, ct);
        }

        return report;
    }

    // Neither the system nor the server knows ranks among a service's threads and sessions, so it rests for as long as it has worked.
    private Action<long, long> Rest(CancellationToken ct)
    {
        const long Stretch = 16 * EntryBlock.Capacity;
        var began = clock.GetTimestamp();
        return (done, _) =>
        {
            if (done % Stretch == 0)
            {
                ct.WaitHandle.WaitOne(clock.GetElapsedTime(began));
                began = clock.GetTimestamp();
            }
        };
    }

    private async Task<ScrubState> State(CancellationToken ct) =>
        await db.Sql(Select).One(r => new ScrubState(r.Nullable<byte[]>(0), r.GetFieldValue<DateTimeOffset>(1), r.GetInt32(2)), ct) ?? new ScrubState(null, default, 0);

    private async Task Record(CheckReport report, CancellationToken ct)
    {
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
        Tell(report.Faults.Count, report.Size);
        if (outcome is AppendOutcome.Refused(var why))
        {
            throw new InvalidOperationException("The check of the log cannot be recorded: " + why.Code);
        }

        await tx.Sql(End).With(clock.GetUtcNow()).With(report.Faults.Count).Execute(ct);
        await tx.CommitAsync(ct);
    }

    private void Tell(int faults, long? size) => _health = new Readiness(
        faults == 0, size is null ? FormattableString.Invariant($"{faults} faults at the last check") : FormattableString.Invariant($"{size} entries checked, {faults} faults"));

    private sealed record ScrubState(byte[]? Position, DateTimeOffset EndedAt, int Faults);
}

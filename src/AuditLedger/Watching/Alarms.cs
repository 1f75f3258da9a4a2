using System.Collections.Frozen;
using System.Threading.Channels;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.LogFormat;

namespace Trust.AuditLedger.Watching;

/// <summary>What the ledger alarms about, beside what a check of the whole log finds.</summary>
internal enum AlarmKind
{
    /// <summary>One actor reads one patient again and again.</summary>
    Snooping,

    /// <summary>One actor reads many patients.</summary>
    BulkReading,

    /// <summary>This machine's clock stands behind the ledger's time.</summary>
    ClockRegression,

    /// <summary>Events of a source come long after they happened.</summary>
    Backlog,

    /// <summary>Entries stand beyond the last quorum of witnesses for too long.</summary>
    WitnessLag,

    /// <summary>The log has grown and was not time-stamped within its budget.</summary>
    NotAnchored,

    /// <summary>This ledger stands on an older or another history than its lock store or a witness knows.</summary>
    SetBack,
}

/// <summary>
/// Makes every alarm a line of the log, a count and an event <c>LEDGER.alarm</c>, so that who alarmed nobody can still be asked years later.
/// Raising never waits and never throws: the sequencer does it.
/// </summary>
internal sealed class Alarms(NpgsqlDataSource db, Outbox outbox, ILogger<Alarms> log)
{
    private const int MaxWaiting = 1024;

    private static readonly FrozenDictionary<AlarmKind, string> Names = new Dictionary<AlarmKind, string>
    {
        [AlarmKind.Snooping] = "snooping", [AlarmKind.BulkReading] = "bulk-reading", [AlarmKind.ClockRegression] = "clock-regression",
        [AlarmKind.Backlog] = "backlog", [AlarmKind.WitnessLag] = "witness-lag", [AlarmKind.NotAnchored] = "not-anchored",
        [AlarmKind.SetBack] = "set-back",
    }.ToFrozenDictionary();

    private readonly Channel<(AlarmKind Kind, string Detail)> _raised = Channel.CreateBounded<(AlarmKind, string)>(MaxWaiting);

    /// <summary>Raises one.</summary>
    /// <param name="kind">What.</param>
    /// <param name="detail">Words <c>name:value</c>, pseudonyms and figures only; at most 200 bytes.</param>
    public void Raise(AlarmKind kind, string detail)
    {
        LedgerLog.Alarmed(log, kind, detail);
        LedgerMetrics.Alarmed(Names[kind]);
        if (!_raised.Writer.TryWrite((kind, detail)))
        {
            LedgerLog.AlarmNotRecorded(log, kind, null);
        }
    }

    /// <summary>Raises one and records it before it returns: the process is about to end. What keeps it from being recorded is told in the log.</summary>
    /// <param name="kind">What.</param>
    /// <param name="detail">As for <see cref="Raise"/>.</param>
    /// <param name="ct">Cancels the recording.</param>
    public async Task RecordNow(AlarmKind kind, string detail, CancellationToken ct)
    {
        LedgerLog.Alarmed(log, kind, detail);
        LedgerMetrics.Alarmed(Names[kind]);
        try
        {
            await Record(kind, detail, ct);
        }
        catch (Exception e) when (e is AlarmRefusedException or NpgsqlException or OperationCanceledException)
        {
            LedgerLog.AlarmNotRecorded(log, kind, e);
        }
    }

    /// <summary>Waits for alarms and records those that are raised.</summary>
    /// <exception cref="AlarmRefusedException">The outbox takes none now; it stays the first to be recorded.</exception>
    public async Task Round(CancellationToken ct)
    {
        await _raised.Reader.WaitToReadAsync(ct);
        // Taken out when it is recorded, and not before: a round that fails leaves it to the next.
        while (_raised.Reader.TryPeek(out var raised))
        {
            await Record(raised.Kind, raised.Detail, ct);
            _raised.Reader.TryRead(out _);
        }
    }

    private async Task Record(AlarmKind kind, string detail, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        try
        {
            var outcome = await outbox.Append(tx, new AuditEvent
            {
                Action = "LEDGER.alarm", Actor = new Actor("ledger"), Subjects = [], Outcome = EventOutcome.Success, Basis = $"alarm:{Names[kind]} {detail}",
            }, ct);
            if (outcome is AppendOutcome.Refused(var why))
            {
                throw new AlarmRefusedException(why.Code);
            }

            await tx.CommitAsync(ct);
        }
        catch (InvalidEventException e)
        {
            LedgerLog.AlarmNotRecorded(log, kind, e); // No later round can record it either, and those behind it wait.
        }
    }
}

/// <summary>The outbox takes no alarm now.</summary>
/// <param name="code">Code of the refusal.</param>
public sealed class AlarmRefusedException(string code) : Exception("An alarm cannot be recorded now: " + code);

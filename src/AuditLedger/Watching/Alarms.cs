using System.Threading.Channels;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.LogFormat;

namespace Trust.AuditLedger.Watching;

/// <summary>
/// Makes every alarm a line of the log, a count and an event <c>LEDGER.alarm</c>, so that who alarmed nobody can still be asked years later.
/// Raising never waits and never throws: the sequencer does it.
/// </summary>
internal sealed class Alarms(NpgsqlDataSource db, Outbox outbox, ILogger<Alarms> log)
{
    private const int MaxWaiting = 1024;

    private readonly Channel<Raised> _raised = Channel.CreateBounded<Raised>(MaxWaiting);

    /// <summary>Raises one.</summary>
    /// <param name="kind">What.</param>
    /// <param name="detail">Words <c>name:value</c>, pseudonyms and figures only; at most 200 bytes.</param>
    /// <param name="subjects">Whom and what it is about: evidence questions find it by them.</param>
    public void Raise(AlarmKind kind, string detail, params IReadOnlyList<SubjectKey> subjects)
    {
        LedgerLog.Alarmed(log, kind, detail);
        LedgerMetrics.Alarmed(kind.Name());
        if (!_raised.Writer.TryWrite(new Raised(kind, detail, subjects)))
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
        LedgerMetrics.Alarmed(kind.Name());
        try
        {
            await Record(new Raised(kind, detail, []), ct);
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
            await Record(raised, ct);
            _raised.Reader.TryRead(out _);
        }
    }

    private async Task Record(Raised alarm, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        try
        {
            var outcome = await outbox.Append(tx, new AuditEvent
            {
                Action = "LEDGER.alarm",
                Actor = new Actor("ledger"),
                Subjects = [SubjectKey.Of(SubjectText.Alarm, alarm.Kind.Name()), .. alarm.Subjects],
                Outcome = EventOutcome.Success,
                Basis = $"alarm:{alarm.Kind.Name()} {alarm.Detail}",
            }, ct);
            if (outcome is AppendOutcome.Refused(var why))
            {
                throw new AlarmRefusedException(why.Code);
            }

            await tx.CommitAsync(ct);
        }
        catch (InvalidEventException e)
        {
            LedgerLog.AlarmNotRecorded(log, alarm.Kind, e); // No later round can record it either, and those behind it wait.
        }
    }

    private sealed record Raised(AlarmKind Kind, string Detail, IReadOnlyList<SubjectKey> Subjects);
}

/// <summary>The outbox takes no alarm now.</summary>
/// <param name="code">Code of the refusal.</param>
public sealed class AlarmRefusedException(string code) : Exception("An alarm cannot be recorded now: " + code);

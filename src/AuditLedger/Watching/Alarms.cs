using System.Collections.Frozen;
using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
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
}

/// <summary>
/// Makes every alarm a line of the log, a count and an event <c>LEDGER.alarm</c>, so that who alarmed nobody can still be asked years later.
/// Raising never waits and never throws: the sequencer does it.
/// </summary>
internal sealed class Alarms(NpgsqlDataSource db, Outbox outbox, TimeProvider clock, ILogger<Alarms> log) : BackgroundService
{
    private const int MaxWaiting = 1024;

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private static readonly FrozenDictionary<AlarmKind, string> Names = new Dictionary<AlarmKind, string>
    {
        [AlarmKind.Snooping] = "snooping", [AlarmKind.BulkReading] = "bulk-reading", [AlarmKind.ClockRegression] = "clock-regression",
        [AlarmKind.Backlog] = "backlog", [AlarmKind.WitnessLag] = "witness-lag", [AlarmKind.NotAnchored] = "not-anchored",
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

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var (kind, detail) in _raised.Reader.ReadAllAsync(stoppingToken))
        {
            while (!await TryRecord(kind, detail, stoppingToken))
            {
                await Task.Delay(Pause, clock, stoppingToken);
            }
        }
    }

    private async Task<bool> TryRecord(AlarmKind kind, string detail, CancellationToken ct)
    {
        try
        {
            await using var connection = await db.OpenConnectionAsync(ct);
            await using var tx = await connection.BeginTransactionAsync(ct);
            await outbox.Append(tx, new AuditEvent
            {
                Action = "LEDGER.alarm", Actor = new Actor("ledger"), Subjects = [], Outcome = EventOutcome.Success, Basis = $"alarm:{Names[kind]} {detail}",
            }, ct);
            await tx.CommitAsync(ct);
            return true;
        }
        catch (NpgsqlException e)
        {
            LedgerLog.AlarmNotRecorded(log, kind, e);
            return false;
        }
    }
}

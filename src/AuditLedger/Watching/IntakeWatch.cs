using Trust.AuditLedger.Entries;
using Trust.LogFormat;

namespace Trust.AuditLedger.Watching;

/// <summary>
/// Looks at each group as it is sequenced: at this machine's clock, which must not stand behind the ledger's time, and at how long after they
/// happened each source's events come. An overloaded or cut-off producer is otherwise seen only by itself.
/// </summary>
internal sealed class IntakeWatch(AuditLedgerOptions options, Alarms alarms)
{
    private readonly HashSet<string> _late = new(StringComparer.Ordinal);
    private bool _behind;

    /// <summary>Looks at a group that has been published.</summary>
    /// <param name="group">What was added.</param>
    /// <param name="now">This machine's clock when it was begun.</param>
    public void LookAtGroup(Group group, DateTimeOffset now)
    {
        var behind = TimeSpan.FromMicroseconds(group.Time - Microseconds.Since1970(now));
        if (behind > options.Watching.ClockTolerance && !_behind)
        {
            alarms.Raise(AlarmKind.ClockRegression, FormattableString.Invariant($"behind:{behind.TotalSeconds:F1}s size:{group.FirstIndex}"));
        }

        _behind = behind > options.Watching.ClockTolerance;
        foreach (var (request, _) in group.Accepted)
        {
            LookAtBatch(request.Batch, group.Time);
        }
    }

    private void LookAtBatch(JudgedBatch batch, long time)
    {
        var lag = TimeSpan.FromMicroseconds(time - Microseconds.Since1970(EventBodyReader.TimeOf(batch.Events[^1].Body.Span)));
        LedgerMetrics.Lags(batch.Source, lag);
        if (lag <= options.Watching.Backlog)
        {
            _late.Remove(batch.Source);
        }
        else if (_late.Add(batch.Source))
        {
            alarms.Raise(AlarmKind.Backlog, FormattableString.Invariant($"source:{batch.Source} late:{lag.TotalSeconds:F0}s"), SubjectKey.Actor(batch.Source));
        }
    }
}

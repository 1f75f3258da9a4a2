using System.Diagnostics.Metrics;

namespace Trust.Kernel.Audit;

/// <summary>What the relay last saw, published to every append without a query, and to the operator as <c>trust.audit.waiting</c> and <c>trust.audit.waiting.oldest</c>.</summary>
public sealed class OutboxState : IDisposable
{
    private readonly TimeProvider _clock;
    private readonly SemaphoreSlim _work = new(0, 1);
    private readonly Meter _meter = new("Trust.Kernel.Audit");
    private long _expected;
    private bool _leads;
    private volatile Snapshot _last = new(Reached: null, Behind: null, Compared: false, Pending: 0, Oldest: null, SeenAt: null, AgeThen: default);

    /// <summary>Nothing seen yet.</summary>
    /// <param name="clock">What ages are measured by.</param>
    public OutboxState(TimeProvider clock)
    {
        _clock = clock;
        _meter.CreateObservableGauge("trust.audit.waiting", () => Pending, "{event}", "Events that the ledger has not acknowledged.");
        _meter.CreateObservableGauge("trust.audit.waiting.oldest", () => OldestAge.TotalSeconds, "s", "Age of the oldest of them.");
    }

    /// <summary>Whether the ledger answered last time; null before the first exchange.</summary>
    public bool? LedgerReached => _last.Reached;

    /// <summary>Events that wait for the ledger.</summary>
    public long Pending => _last.Pending;

    /// <summary>Age of the oldest waiting event.</summary>
    public TimeSpan OldestAge => _last.Oldest is { } oldest ? _clock.GetUtcNow() - oldest : TimeSpan.Zero;

    /// <summary>Why this service may not record anything any more; null while all is well.</summary>
    public string? HeadBehind => _last.Behind;

    /// <summary>
    /// Whether this process has held its database's head against the ledger's since it started, or since the database's sessions last broke off. Until then the
    /// database may be an older one of its own, and what rests on it vouches for nothing (docs/decisions/0097).
    /// </summary>
    public bool HeadCompared => _last.Compared;

    /// <summary>Tells the relay that there is work; several calls are one.</summary>
    public void Wake()
    {
        if (_work.CurrentCount == 0)
        {
            try
            {
                _work.Release();
            }
            catch (SemaphoreFullException)
            {
                // Another append has just said the same.
                return;
            }
        }
    }

    /// <summary>Tells that an event is about to be committed by a transaction that nobody reports the end of.</summary>
    internal void Expect() => Interlocked.Exchange(ref _expected, _clock.GetTimestamp());

    /// <summary>Whether one was expected within the last second.</summary>
    internal bool Expects => Interlocked.Read(ref _expected) is var at and not 0 && _clock.GetElapsedTime(at) < TimeSpan.FromSeconds(1);

    /// <inheritdoc/>
    public void Dispose()
    {
        _meter.Dispose();
        _work.Dispose();
    }

    internal Task<bool> Work(TimeSpan atMost, CancellationToken ct) => _work.WaitAsync(atMost, ct);

    /// <summary>How long ago the relay looked, here or in the instance that holds its lock; nothing before the first look.</summary>
    public TimeSpan SeenAge => _last.SeenAt is { } seen ? _last.AgeThen + _clock.GetElapsedTime(seen) : TimeSpan.Zero;

    /// <param name="reached">Whether the ledger answered.</param>
    /// <param name="pending">Events that wait.</param>
    /// <param name="oldest">When the oldest of them was written.</param>
    /// <param name="age">How old this view is already: one that another instance stored.</param>
    internal void Publish(bool? reached, long pending, DateTimeOffset? oldest, TimeSpan age = default) => _last = _last with
    {
        Reached = reached, Pending = pending, Oldest = oldest, SeenAt = _clock.GetTimestamp(), AgeThen = age > TimeSpan.Zero ? age : TimeSpan.Zero,
    };

    internal void PublishReached(bool reached) => _last = _last with { Reached = reached };

    /// <summary>Whether this process's own relay carries the events, and so tells of receipts itself.</summary>
    internal bool Leads { get => Volatile.Read(ref _leads); set => Volatile.Write(ref _leads, value); }

    internal void PublishCompared(bool compared) => _last = _last with { Compared = compared };

    internal void PublishBehind(string why) => _last = _last with { Behind = why };

    internal AppendRefusal? Spent(AuditOptions options)
    {
        var last = _last;
        if (last.Behind is not null)
        {
            return new AppendRefusal(AppendRefusal.HeadBehind, last.Behind);
        }

        if (last.Pending > options.BudgetCount)
        {
            return new AppendRefusal(AppendRefusal.BudgetSpent, $"{last.Pending} events wait for the ledger; {options.BudgetCount} may");
        }

        if (last.Oldest is { } oldest && _clock.GetUtcNow() - oldest > options.BudgetAge)
        {
            return new AppendRefusal(AppendRefusal.BudgetSpent, $"an event has waited for the ledger since {oldest:O}; {options.BudgetAge} are allowed");
        }

        // Whatever was written since the relay last looked may wait since then: a relay that stands still must not make an old view a good one.
        return SeenAge is var age && age > options.BudgetAge
            ? new AppendRefusal(AppendRefusal.BudgetSpent, $"nobody has looked for {age} at what waits for the ledger; {options.BudgetAge} are allowed")
            : null;
    }

    internal AppendRefusal? Away(AuditOptions options)
    {
        var last = _last;
        if (last.Behind is not null)
        {
            return new AppendRefusal(AppendRefusal.HeadBehind, last.Behind);
        }

        return last.Reached == false
            ? new AppendRefusal(AppendRefusal.LedgerAway, $"the peer '{options.Peer}' does not answer")
            : null;
    }

    private sealed record Snapshot(bool? Reached, string? Behind, bool Compared, long Pending, DateTimeOffset? Oldest, long? SeenAt, TimeSpan AgeThen);
}

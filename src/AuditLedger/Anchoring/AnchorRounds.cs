using System.Text;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Watching;
using Trust.AuditLedger.Witnessing;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;

namespace Trust.AuditLedger.Anchoring;

/// <summary>
/// Has the newest checkpoint stamped by an outside authority whenever the log has grown, and old stamps stamped again before their authority's
/// certificate ends. Sequencing never waits for it; a log that grows for longer than the budget without an anchor alarms.
/// </summary>
internal sealed class AnchorRounds(
    AnchorStore store, Sequencer sequencer, CosignatureRounds cosignatures, Outbound outbound, AuditLedgerOptions options, Alarms alarms,
    TimeProvider clock, ILogger<AnchorRounds> log)
{
    private const int RenewedAtOnce = 100;

    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RenewalInterval = TimeSpan.FromHours(1);

    private readonly AnchoringOptions _options = options.Anchoring;
    private readonly List<StampingAuthority> _authorities = [.. options.Anchoring.Authorities.Select(a => new StampingAuthority(a, outbound, clock))];
    private DateTimeOffset _tried;
    private DateTimeOffset _renewed;
    private long _anchored = -1;
    private long _goodAt;
    private bool _alarmed;

    private static readonly TimeSpan WhenLate = TimeSpan.FromSeconds(5);

    /// <summary>From one look at the head to the next.</summary>
    public static TimeSpan PauseOf(AnchoringOptions options) => options.Interval < LongestPause ? options.Interval : LongestPause;

    /// <summary>True when the budget is spent.</summary>
    public bool IsOverdue => _options.Authorities.Count > 0 && Interlocked.Read(ref _goodAt) is > 0 and var at
        && clock.GetUtcNow().UtcTicks - at > _options.Budget.Ticks;

    /// <summary>True when nothing may be taken until the log is anchored again.</summary>
    public bool StopsIntake => _options.StopIntake && IsOverdue;

    /// <summary>Whether the log is anchored in time.</summary>
    public Readiness Health() => IsOverdue
        ? new Readiness(false, $"not anchored since {Since():O}{(_options.StopIntake ? "; intake is stopped" : "")}")
        : new Readiness(true, _options.Authorities.Count == 0 ? "no authorities" : "anchored");

    /// <summary>Has the newest checkpoint stamped if it is time, and old stamps renewed.</summary>
    public async Task Round(CancellationToken ct)
    {
        if (sequencer.Published is null)
        {
            Interlocked.Exchange(ref _goodAt, 0); // Another process leads and anchors.
            return;
        }

        if (Interlocked.Read(ref _goodAt) == 0)
        {
            // The last stamp, whoever had it made: a process that is started again and again would otherwise never be late.
            Interlocked.Exchange(ref _goodAt, (await store.LastStamped(ct) ?? clock.GetUtcNow()).UtcTicks);
        }

        var done = false;
        try
        {
            await Anchor(ct);
            await Renew(ct);
            done = true;
        }
        finally
        {
            _anchored = done ? _anchored : -1; // Whether it was kept is unknown then; the table says.
            Judge();
        }
    }

    private async Task Anchor(CancellationToken ct)
    {
        if (_anchored < 0)
        {
            _anchored = (await store.Latest(ct))?.Checkpoint.Size ?? 0;
        }

        if (cosignatures.Shown is not { } head)
        {
            return;
        }

        if (head.Checkpoint.Size == _anchored || await store.OnlyAnchorsBetween(_anchored, head.Checkpoint.Size, ct))
        {
            Good();
            return;
        }

        // Late, as after months switched off, it does not wait an interval for an authority that was still starting.
        if (clock.GetUtcNow() - _tried < (IsOverdue && WhenLate < _options.Interval ? WhenLate : _options.Interval))
        {
            return;
        }

        _tried = clock.GetUtcNow();
        if (await Stamp(Encoding.UTF8.GetBytes(head.Note), ct) is { } stamp && await store.Keep(head.Checkpoint, head.Note, stamp, ct))
        {
            _anchored = head.Checkpoint.Size;
            Good();
        }
    }

    private async Task Renew(CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        if (now - _renewed < RenewalInterval)
        {
            return;
        }

        var ending = await store.Ending(now + _options.RenewBefore, now, RenewedAtOnce, ct);
        foreach (var anchor in ending)
        {
            // A new stamp that ends no later renews nothing.
            if (await Stamp(anchor.Renewable(), ct) is not { } stamp || stamp.Ends <= anchor.Stamps[^1].Ends || !await store.Keep(anchor, stamp, ct))
            {
                LedgerLog.NotRenewed(log, anchor.Checkpoint.Size, anchor.Stamps[^1].Ends);
                _renewed = now;
                return;
            }
        }

        _renewed = ending.Count == RenewedAtOnce ? _renewed : now;
    }

    private async Task<Stamp?> Stamp(byte[] data, CancellationToken ct)
    {
        foreach (var authority in _authorities)
        {
            var (stamp, why) = await authority.Ask(data, ct);
            if (stamp is not null)
            {
                return stamp;
            }

            LedgerLog.NoStamp(log, authority.Name, why);
        }

        return null;
    }

    private void Judge()
    {
        var overdue = IsOverdue;
        if (overdue && !_alarmed)
        {
            LedgerLog.AnchorOverdue(log, Since(), _options.StopIntake);
            alarms.Raise(AlarmKind.NotAnchored, $"since:{Since():yyyy-MM-dd'T'HH:mm:ss'Z'} stopsIntake:{_options.StopIntake}");
        }

        _alarmed = overdue;
    }

    private void Good() => Interlocked.Exchange(ref _goodAt, clock.GetUtcNow().UtcTicks);

    private DateTimeOffset Since() => new(Interlocked.Read(ref _goodAt), TimeSpan.Zero);
}

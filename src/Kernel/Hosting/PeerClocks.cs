using System.Collections.Concurrent;
using System.Globalization;

namespace Trust.Kernel.Hosting;

/// <summary>
/// How far the peers' clocks are from this machine's. Every answer of a peer tells its time (<c>Date</c>, RFC 9110 6.6.1) somewhere between question and answer,
/// which bounds the difference both ways: only what is certain counts, so that a slow answer accuses nobody.
/// </summary>
public sealed class PeerClocks(TimeProvider clock) : IReadinessCheck
{
    /// <summary>From here on a difference is told to the operator; time-stamps stop here (docs/decisions/0086).</summary>
    public static readonly TimeSpan Tolerance = TimeSpan.FromSeconds(5);

    /// <summary>From here on answers about rights are not taken, so that nobody logs in or signs.</summary>
    public static readonly TimeSpan Most = TimeSpan.FromSeconds(30);

    // Date is cut to the second, and servers make it anew once a second.
    private static readonly TimeSpan Grain = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(5);
    private readonly ConcurrentDictionary<string, Measure> _last = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public string Name => "clocks";

    /// <summary>Told once when a peer's clock is found apart by more than <see cref="Tolerance"/>, and with zero when it agrees again.</summary>
    public Action<string, TimeSpan>? Told { get; set; }

    /// <summary>This machine's time.</summary>
    public DateTimeOffset Now => clock.GetUtcNow();

    /// <summary>Takes what an answer says.</summary>
    /// <param name="peer">Whose.</param>
    /// <param name="sent">When the question left, by this machine's clock.</param>
    /// <param name="date">The answer's Date.</param>
    public void Note(string peer, DateTimeOffset sent, DateTimeOffset date)
    {
        var (least, most) = (date - clock.GetUtcNow(), date + Grain - sent);
        var skew = least > TimeSpan.Zero ? least : most < TimeSpan.Zero ? most : TimeSpan.Zero;
        var before = _last.TryGetValue(peer, out var known) ? known.Skew : TimeSpan.Zero;
        _last[peer] = new Measure(skew, clock.GetTimestamp());
        if (IsApart(skew) != IsApart(before))
        {
            Told?.Invoke(peer, IsApart(skew) ? skew : TimeSpan.Zero);
        }
    }

    /// <summary>How far a peer's clock is ahead of this machine's at least (negative: behind); zero when they agree, or it has not answered for five minutes.</summary>
    public TimeSpan SkewOf(string peer) => _last.TryGetValue(peer, out var known) && clock.GetElapsedTime(known.At) < Fresh ? known.Skew : TimeSpan.Zero;

    /// <inheritdoc/>
    public ValueTask<Readiness> Check(CancellationToken ct)
    {
        List<(string Peer, TimeSpan Skew)> apart = [.. _last.Keys.Order(StringComparer.Ordinal).Select(p => (p, SkewOf(p))).Where(p => IsApart(p.Item2))];
        return ValueTask.FromResult(apart.Count == 0
            ? new Readiness(true, "agree with the peers' clocks")
            : new Readiness(apart.TrueForAll(p => p.Skew.Duration() < Most), string.Join("; ", apart.Select(p => Say(p.Peer, p.Skew)))));
    }

    private static string Say(string peer, TimeSpan skew) => string.Create(
        CultureInfo.InvariantCulture, $"clock-skew: the clock of {peer} is at least {skew.Duration().TotalSeconds:F0} s {(skew > TimeSpan.Zero ? "ahead of" : "behind")} this machine's");

    private static bool IsApart(TimeSpan skew) => skew.Duration() >= Tolerance;

    private sealed record Measure(TimeSpan Skew, long At);
}

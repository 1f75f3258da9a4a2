using Trust.Kernel.Residency;

namespace Trust.SignService.Timestamps;

/// <summary>
/// Whether this machine's clock agrees with the ledger's. The ledger's time is asked for once a minute and carried on by the processor's own
/// count of time in between, so that a clock set by hand is noticed at the next stamp and not a minute later.
/// </summary>
/// <param name="ask">The ledger's time now; null when it does not answer.</param>
/// <param name="clock">This machine's.</param>
public sealed class LedgerClock(Func<CancellationToken, Task<DateTimeOffset?>> ask, TimeProvider clock) : IDisposable
{
    /// <summary>How far the two may be apart: the ledger tells whole seconds, and an answer takes its time.</summary>
    public static readonly TimeSpan Tolerance = TimeSpan.FromSeconds(5);

    // A processor's count is off by less than the tolerance after an hour.
    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    private readonly SemaphoreSlim asking = new(1);
    private volatile Comparison? last;

    /// <summary>Asks the ledger over the declared connection; the Date of any answer is its time (RFC 9110 6.6.1).</summary>
    public static LedgerClock Of(Outbound outbound, TimeProvider clock) => new(
        async ct =>
        {
            try
            {
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
                limit.CancelAfter(TimeSpan.FromSeconds(5));
                using var answer = await outbound.Client("ledger").GetAsync("checkpoint", limit.Token);
                return answer.Headers.Date;
            }
            catch (Exception e) when (e is HttpRequestException or UndeclaredPeerException || (e is OperationCanceledException && !ct.IsCancellationRequested))
            {
                return null;
            }
        },
        clock);

    /// <summary>True when the clocks agree; false when they do not, or were never or too long ago compared.</summary>
    public async ValueTask<bool> Agrees(DateTimeOffset now, CancellationToken ct)
    {
        var known = last;
        if (known is null || clock.GetElapsedTime(known.At) > Fresh || !known.Fits(now, clock))
        {
            known = await Compare(known, ct);
        }

        return known is not null && clock.GetElapsedTime(known.At) <= Longest && known.Fits(clock.GetUtcNow(), clock);
    }

    /// <inheritdoc/>
    public void Dispose() => asking.Dispose();

    private async Task<Comparison?> Compare(Comparison? seen, CancellationToken ct)
    {
        await asking.WaitAsync(ct);
        try
        {
            // Another has asked meanwhile.
            if (last is { } other && other != seen)
            {
                return other;
            }

            var asked = clock.GetTimestamp();
            return await ask(ct) is { } time ? last = new Comparison(time, clock.GetTimestamp(), clock.GetElapsedTime(asked)) : last;
        }
        finally
        {
            asking.Release();
        }
    }

    // The ledger told its time somewhere between question and answer, so a slow answer widens what is taken by what it took.
    private sealed record Comparison(DateTimeOffset Ledger, long At, TimeSpan Took)
    {
        public bool Fits(DateTimeOffset now, TimeProvider clock) =>
            now - (Ledger + clock.GetElapsedTime(At)) is var ahead && ahead >= -Tolerance && ahead <= Tolerance + Took;
    }
}

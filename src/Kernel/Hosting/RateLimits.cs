using System.ComponentModel.DataAnnotations;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http;

namespace Trust.Kernel.Hosting;

/// <summary>How often one caller may call a route: the class of the limit; the numbers are configured (<see cref="RateLimitOptions"/>).</summary>
public enum Limit
{
    /// <summary>Not limited: services among themselves, health.</summary>
    None,

    /// <summary>Public answers that are served from memory or by one look-up, per address.</summary>
    Read,

    /// <summary>Anonymous work that costs a signature in the token, per address.</summary>
    Sign,

    /// <summary>Steps of a person's login and pages, per address.</summary>
    Login,

    /// <summary>Calls with an access token, per client.</summary>
    Client,

    /// <summary>Calls with a card, per certificate.</summary>
    Card,
}

/// <summary>Configuration section <c>RateLimits</c>: calls a second of one caller, 0 for no limit; twice as many may come at once.</summary>
public sealed record RateLimitOptions
{
    /// <summary>Public answers, per address.</summary>
    [Range(0, 1_000_000)]
    public int Read { get; init; } = 5_000;

    /// <summary>Anonymous signatures, per address.</summary>
    [Range(0, 1_000_000)]
    public int Sign { get; init; } = 200;

    /// <summary>Login steps and pages, per address.</summary>
    [Range(0, 1_000_000)]
    public int Login { get; init; } = 200;

    /// <summary>Calls with an access token, per client.</summary>
    [Range(0, 1_000_000)]
    public int Client { get; init; } = 10_000;

    /// <summary>Calls with a card, per certificate.</summary>
    [Range(0, 1_000_000)]
    public int Card { get; init; } = 100;

    /// <summary>Calls a second for a class.</summary>
    public int Of(Limit limit) => limit switch
    {
        Limit.Read => Read,
        Limit.Sign => Sign,
        Limit.Login => Login,
        Limit.Client => Client,
        Limit.Card => Card,
        _ => 0,
    };
}

/// <summary>Counts calls by route class and caller.</summary>
internal sealed class RateLimits : IDisposable
{
    private readonly RateLimitOptions _options;
    private readonly PartitionedRateLimiter<(Limit Limit, string Caller)> _limiter;

    public RateLimits(RateLimitOptions options)
    {
        _options = options;
        // An idle caller's bucket is dropped by the limiter itself, so a stranger with many addresses does not fill memory for long.
        _limiter = PartitionedRateLimiter.Create<(Limit Limit, string Caller), (Limit, string)>(key => RateLimitPartition.GetTokenBucketLimiter(
            (key.Limit, key.Caller), _ => BucketOf(options.Of(key.Limit))));
    }

    /// <summary>A bucket of two seconds' calls that fills about ten times a second.</summary>
    /// <param name="perSecond">Calls a second, at least 1.</param>
    internal static TokenBucketRateLimiterOptions BucketOf(int perSecond)
    {
        var tokens = Math.Max(1, perSecond / 10);
        return new TokenBucketRateLimiterOptions { TokenLimit = perSecond * 2, TokensPerPeriod = tokens, ReplenishmentPeriod = TimeSpan.FromSeconds((double)tokens / perSecond), QueueLimit = 0 };
    }

    /// <summary>True when the caller may call now; otherwise Retry-After is set.</summary>
    public bool Admit(HttpContext context, Limit limit)
    {
        if (_options.Of(limit) == 0)
        {
            return true;
        }

        using var lease = _limiter.AttemptAcquire((limit, CallerOf(context, limit)));
        return lease.IsAcquired || Later(context);
    }

    /// <summary>
    /// True when the doors may judge who calls: the address has not been refused more often than one caller may call. Judging costs a
    /// signature check or a look into the database, and whoever is refused is no caller yet who could be counted.
    /// </summary>
    public bool AdmitJudging(HttpContext context, Limit limit) =>
        _options.Of(limit) == 0 || _limiter.GetStatistics(Refused(context, limit)) is { CurrentAvailablePermits: > 0 } || Later(context);

    /// <summary>Counts a call that the doors refused, by its address.</summary>
    public void CountRefused(HttpContext context, Limit limit)
    {
        if (_options.Of(limit) > 0)
        {
            _limiter.AttemptAcquire(Refused(context, limit)).Dispose();
        }
    }

    public void Dispose() => _limiter.Dispose();

    private static bool Later(HttpContext context)
    {
        context.Response.Headers.RetryAfter = "1";
        return false;
    }

    private static (Limit Limit, string Caller) Refused(HttpContext context, Limit limit) => (limit, "refused " + ConnectionLimits.Name(context.Connection.RemoteIpAddress));

    private static string CallerOf(HttpContext context, Limit limit) => limit switch
    {
        Limit.Client when EndpointAccess.TryCaller(context) is { } caller => caller.ClientId,
        Limit.Card when EndpointAccess.TryCaller(context) is { } caller => caller.ClientId,
        Limit.Card when context.Connection.ClientCertificate is { } card => card.Thumbprint,
        _ => ConnectionLimits.Name(context.Connection.RemoteIpAddress),
    };
}

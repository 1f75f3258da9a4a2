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
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(100);
    private readonly RateLimitOptions _options;
    private readonly PartitionedRateLimiter<(Limit Limit, string Caller)> _limiter;

    public RateLimits(RateLimitOptions options)
    {
        _options = options;
        // An idle caller's bucket is dropped by the limiter itself, so a stranger with many addresses does not fill memory for long.
        _limiter = PartitionedRateLimiter.Create<(Limit Limit, string Caller), (Limit, string)>(key => RateLimitPartition.GetTokenBucketLimiter(
            (key.Limit, key.Caller), _ => new TokenBucketRateLimiterOptions
            {
                TokenLimit = Math.Max(1, options.Of(key.Limit) * 2),
                TokensPerPeriod = Math.Max(1, options.Of(key.Limit) / 10),
                ReplenishmentPeriod = options.Of(key.Limit) >= 10 ? Period : TimeSpan.FromSeconds(1.0 / Math.Max(1, options.Of(key.Limit))),
                QueueLimit = 0,
            }));
    }

    /// <summary>True when the caller may call now; otherwise Retry-After is set.</summary>
    public bool Admit(HttpContext context, Route route)
    {
        if (_options.Of(route.Limit) == 0)
        {
            return true;
        }

        using var lease = _limiter.AttemptAcquire((route.Limit, CallerOf(context, route.Limit)));
        if (!lease.IsAcquired)
        {
            context.Response.Headers.RetryAfter = "1";
        }

        return lease.IsAcquired;
    }

    public void Dispose() => _limiter.Dispose();

    private static string CallerOf(HttpContext context, Limit limit) => limit switch
    {
        Limit.Client when EndpointAccess.TryCaller(context) is { } caller => caller.ClientId,
        Limit.Card when context.Connection.ClientCertificate is { } card => card.Thumbprint,
        _ => ConnectionLimits.Name(context.Connection.RemoteIpAddress),
    };
}

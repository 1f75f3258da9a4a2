using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Abstractions;
using Trust.Kernel.Residency;

namespace Trust.Kernel.Hosting;

/// <summary>
/// The issuer's keys from its JWKS, by the declared peer. They are used for five minutes; a key that is not among them is looked for at once,
/// at most once a second. All who wait share one fetch, which has a timeout of its own: a slow issuer delays the calls that need it, and each once.
/// </summary>
internal sealed class IssuerKeys : IConfigurationManager<OpenIddictConfiguration>
{
    private const int MostBytes = 64 * 1024;
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly AccessTokenOptions _options;
    private readonly HttpClient _issuer;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly Lock _gate = new();
    private Task<KeySet?> _fetch = Task.FromResult<KeySet?>(null);
    private DateTimeOffset _triedAt = DateTimeOffset.MinValue;
    private volatile KeySet? _current;

    /// <summary>Registered by <see cref="TokenValidation.Add"/>.</summary>
    /// <exception cref="UndeclaredPeerException">The peer is not declared.</exception>
    public IssuerKeys(AccessTokenOptions options, Outbound outbound, TimeProvider clock, ILogger<IssuerKeys> log) =>
        (_options, _issuer, _clock, _log) = (options, outbound.Client(options.Peer), clock, log);

    /// <summary>The keys to verify a token of this key name with; null when the issuer does not answer.</summary>
    /// <param name="kid">The token's key name.</param>
    /// <param name="ct">Ends this caller's wait, not the fetch.</param>
    public async ValueTask<OpenIddictConfiguration?> For(string? kid, CancellationToken ct)
    {
        var now = _clock.GetUtcNow();
        var current = _current is { } set && now - set.FetchedAt < Life ? set : null;
        if (current is not null && current.Has(kid))
        {
            return current.Configuration;
        }

        var fetched = await Fetch(now).WaitAsync(ct);
        return (fetched ?? current)?.Configuration;
    }

    /// <inheritdoc/>
    public async Task<OpenIddictConfiguration> GetConfigurationAsync(CancellationToken cancel) =>
        await For(null, cancel) ?? throw new InvalidOperationException("The issuer's keys cannot be read.");

    /// <summary>Does nothing: an unknown key has been looked for before the token was verified.</summary>
    public void RequestRefresh()
    {
    }

    private Task<KeySet?> Fetch(DateTimeOffset now)
    {
        lock (_gate)
        {
            if (_fetch.IsCompleted)
            {
                // Whoever asks within the pause after a fetch gets what that one brought.
                if (now - _triedAt < Pause)
                {
                    return Task.FromResult(_current is { } set && now - set.FetchedAt < Life ? set : null);
                }

                _triedAt = now;
                _fetch = Task.Run(() => Read(now));
            }

            return _fetch;
        }
    }

    private async Task<KeySet?> Read(DateTimeOffset now)
    {
        try
        {
            using var limit = new CancellationTokenSource(Timeout, _clock);
            using var response = await _issuer.GetAsync("jwks", HttpCompletionOption.ResponseHeadersRead, limit.Token);
            response.EnsureSuccessStatusCode();
            await response.Content.LoadIntoBufferAsync(MostBytes, limit.Token);
            var text = await response.Content.ReadAsStringAsync(limit.Token);
            if (_current is { } before && before.Text == text)
            {
                // The same set stays the same object: tokens that were verified under it need not be again, whoever had it fetched.
                return _current = before with { FetchedAt = now };
            }

            var keys = new JsonWebKeySet(text).GetSigningKeys().Where(IsOurs).ToList();
            var configuration = new OpenIddictConfiguration { Issuer = new Uri(_options.Issuer) };
            configuration.SigningKeys.AddRange(keys);
            return _current = new KeySet(configuration, text, now);
        }
#pragma warning disable CA1031 // Whatever the answer is, without keys the issuer is away; those who wait get 503, and not the exception.
        catch (Exception e)
#pragma warning restore CA1031
        {
            HostLog.IssuerAway(_log, e);
            return null;
        }
    }

    // A key without a name would be tried on every token; other kinds belong to algorithms that are not accepted.
    private static bool IsOurs(SecurityKey key) => key.KeyId is { Length: > 0 } && key is ECDsaSecurityKey { KeySize: 256 } or RsaSecurityKey { KeySize: >= 2048 };

    private sealed record KeySet(OpenIddictConfiguration Configuration, string Text, DateTimeOffset FetchedAt)
    {
        private readonly HashSet<string> _names = Configuration.SigningKeys.Select(key => key.KeyId).ToHashSet(StringComparer.Ordinal);

        public bool Has(string? kid) => kid is not null && _names.Contains(kid);
    }
}

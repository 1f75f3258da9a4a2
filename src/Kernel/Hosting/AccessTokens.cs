using System.Collections.Concurrent;
using System.ComponentModel.DataAnnotations;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Trust.Kernel.Residency;

namespace Trust.Kernel.Hosting;

/// <summary>Whose access tokens this service accepts.</summary>
public sealed record AccessTokenOptions
{
    /// <summary>Exact issuer (RFC 9068 §2.2.1, RFC 9207).</summary>
    [Required]
    public required string Issuer { get; init; }

    /// <summary>This service's resource identifier; a token for another is refused (RFC 9068 §4).</summary>
    [Required]
    public required string Audience { get; init; }

    /// <summary>Declared peer that serves the issuer's keys at <c>jwks</c>.</summary>
    public string Peer { get; init; } = "idp";
}

/// <summary>The caller as a valid access token describes it.</summary>
/// <param name="Subject">Practitioner URN, or the client's identifier for a client acting alone.</param>
/// <param name="ClientId">OAuth client.</param>
/// <param name="Scopes">Granted scopes.</param>
/// <param name="Role">Professional or system role, for example <c>physician</c> or <c>regulator</c>.</param>
/// <param name="Institution">Acting institution URN.</param>
/// <param name="Region">Region of a regulator, GB/T 2260.</param>
/// <param name="LoginCertificate">SHA-256 (hex) of the card certificate the session was opened with.</param>
/// <param name="SessionId">Session at the issuer.</param>
/// <param name="TokenId">The token's <c>jti</c>.</param>
public sealed record Caller(
    string Subject, string ClientId, IReadOnlySet<string> Scopes, string? Role, string? Institution, string? Region,
    string? LoginCertificate, string? SessionId, string TokenId);

/// <summary>What became of a presented token.</summary>
public abstract record TokenOutcome
{
    private TokenOutcome()
    {
    }

    /// <summary>Signature, issuer, audience, time and binding all hold.</summary>
    public sealed record Valid(Caller Caller) : TokenOutcome;

    /// <summary>Missing or not acceptable; the reason is for the log, not for the caller.</summary>
    public sealed record Invalid(string Reason) : TokenOutcome;

    /// <summary>The issuer's keys could not be read.</summary>
    public sealed record Unavailable : TokenOutcome;
}

/// <summary>Validates RFC 9068 access tokens: type, algorithm, issuer, audience, time, and the <c>cnf</c> binding of RFC 8705.</summary>
public sealed class AccessTokens(AccessTokenOptions options, Outbound outbound, TimeProvider clock) : IDisposable
{
    private static readonly TimeSpan KeyLife = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan RefetchPause = TimeSpan.FromSeconds(1);
    private const int MostKnown = 10_000;
    private static readonly string[] Types = ["at+jwt"];
    private static readonly string[] Algorithms = [SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.RsaSsaPssSha256];
    private readonly JsonWebTokenHandler _handler = new() { MapInboundClaims = false, MaximumTokenSizeInBytes = 16 * 1024 };
    private readonly SemaphoreSlim _fetch = new(1, 1);
    private readonly ConcurrentDictionary<string, Known> _known = new(StringComparer.Ordinal);
    private volatile KeySet? _keys;

    /// <summary>Validates the bearer token of a request.</summary>
    public async Task<TokenOutcome> Validate(HttpContext context)
    {
        var header = context.Request.Headers.Authorization;
        // RFC 6750 2: one method, the header only; a token in the query would end in logs.
        if (header.Count != 1 || header[0] is not { } value || !value.StartsWith("Bearer ", StringComparison.Ordinal))
        {
            return new TokenOutcome.Invalid("missing");
        }

        var token = value["Bearer ".Length..];
        if (token.Length > 16 * 1024 || !_handler.CanReadToken(token))
        {
            return new TokenOutcome.Invalid("malformed");
        }

        // Kept under its hash, so that a memory image is no store of tokens.
        var name = Convert.ToHexString(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(token)));
        var known = _known.GetValueOrDefault(name);
        var parsed = known?.Token ?? _handler.ReadJsonWebToken(token);
        var keys = await Keys(parsed.Kid, context.RequestAborted);
        if (keys is null)
        {
            return new TokenOutcome.Unavailable();
        }

        // The signature was verified under this very set of keys; what changes with time and connection is judged each time.
        if (known is not null && ReferenceEquals(known.Keys, keys) && IsInTime(parsed.ValidFrom, parsed.ValidTo))
        {
            return Read(parsed, context);
        }

        var result = await _handler.ValidateTokenAsync(parsed, Parameters(keys));
        if (result is not { IsValid: true, SecurityToken: JsonWebToken valid })
        {
            return new TokenOutcome.Invalid("invalid");
        }

        if (_known.Count >= MostKnown)
        {
            _known.Clear();
        }

        _known[name] = new Known(valid, keys);
        return Read(valid, context);
    }

    /// <inheritdoc/>
    public void Dispose() => _fetch.Dispose();

    private TokenValidationParameters Parameters(KeySet keys) => new()
    {
        ValidTypes = Types,
        ValidAlgorithms = Algorithms,
        ValidIssuer = options.Issuer,
        ValidAudience = options.Audience,
        RequireExpirationTime = true,
        RequireSignedTokens = true,
        IssuerSigningKeys = keys.Keys,
        TryAllIssuerSigningKeys = false,
        LifetimeValidator = (notBefore, expires, _, _) => expires is { } end && IsInTime(notBefore ?? DateTime.MinValue, end),
    };

    private bool IsInTime(DateTime notBefore, DateTime expires)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        return now < expires && now.AddSeconds(5) >= notBefore;
    }

    private static TokenOutcome Read(JsonWebToken token, HttpContext context)
    {
        if (token.TryGetPayloadValue<JsonElement>("cnf", out var cnf) && !IsBound(cnf, context))
        {
            return new TokenOutcome.Invalid("cnf");
        }

        string? Claim(string name) => token.TryGetPayloadValue<string>(name, out var value) ? value : null;
        return Claim("client_id") is { } client && !string.IsNullOrEmpty(token.Subject) && !string.IsNullOrEmpty(token.Id)
            ? new TokenOutcome.Valid(new Caller(
                token.Subject, client, (Claim("scope") ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries).ToHashSet(StringComparer.Ordinal),
                Claim("role"), Claim("acting_institution"), Claim("region"), Claim("login_certificate"), Claim("sid"), token.Id))
            : new TokenOutcome.Invalid("claims");
    }

    // RFC 8705 3.1. Any other confirmation method is one this service cannot check, so the token is refused.
    private static bool IsBound(JsonElement cnf, HttpContext context) =>
        cnf.ValueKind is JsonValueKind.Object
        && cnf.EnumerateObject().ToList() is [{ Name: "x5t#S256", Value: { ValueKind: JsonValueKind.String } thumbprint }]
        && context.Connection.ClientCertificate is { } certificate
        && CryptographicOperations.FixedTimeEquals(
            System.Text.Encoding.ASCII.GetBytes(thumbprint.GetString()!),
            System.Text.Encoding.ASCII.GetBytes(Base64UrlEncoder.Encode(SHA256.HashData(certificate.RawDataMemory.Span))));

    private async Task<KeySet?> Keys(string? kid, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        if (_keys is { } cached && now - cached.FetchedAt < KeyLife && (cached.Has(kid) || now - cached.FetchedAt < RefetchPause))
        {
            return cached;
        }

        await _fetch.WaitAsync(ct);
        try
        {
            if (_keys is { } fresh && now - fresh.FetchedAt < RefetchPause)
            {
                return fresh;
            }

            using var response = await outbound.Client(options.Peer).GetAsync("jwks", ct);
            if (!response.IsSuccessStatusCode)
            {
                return null;
            }

            return _keys = new KeySet([.. new JsonWebKeySet(await response.Content.ReadAsStringAsync(ct)).GetSigningKeys()], now);
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !ct.IsCancellationRequested)
        {
            // Known keys go on until they are too old to trust; without any, no token can be judged.
            return _keys is { } old && now - old.FetchedAt < KeyLife ? old : null;
        }
        finally
        {
            _fetch.Release();
        }
    }

    private sealed record Known(JsonWebToken Token, KeySet Keys);

    private sealed record KeySet(IReadOnlyList<SecurityKey> Keys, DateTimeOffset FetchedAt)
    {
        public bool Has(string? kid) => Keys.Any(key => key.KeyId == kid);
    }
}

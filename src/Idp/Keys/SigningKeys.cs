using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Microsoft.IdentityModel.Tokens;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.Pkcs11;

namespace Trust.Idp.Keys;

/// <summary>One token key as published in the JWKS.</summary>
/// <param name="Kid">RFC 7638 thumbprint of the public key.</param>
/// <param name="Ref">The key in the token.</param>
/// <param name="Public">The public key.</param>
/// <param name="State"><c>next</c> (published ahead), <c>active</c> (signs) or <c>retired</c> (verifies until its last token ends).</param>
/// <param name="Algorithm"><c>ES256</c>, <c>PS256</c> or <c>RS256</c>: the one it signs by.</param>
public sealed record SigningKey(string Kid, KeyRef Ref, PublicJwk Public, string State, string Algorithm);

/// <summary>
/// The OpenID signing keys, born in the token, never leaving it: P-256 for ES256, and RSA for PS256 or RS256 once a client asks for them. The next key is published before it signs, a retired
/// key after it stopped, each for longer than anyone may cache, so that rotation fails no verification.
/// </summary>
public sealed class SigningKeys(NpgsqlDataSource db, IToken token, Outbox outbox, IdpOptions options, TimeProvider clock, ILogger<SigningKeys> log)
{
    private const string Read = "SELECT kid, label, spki, state, alg FROM signing_keys WHERE state <> 'retired' OR retired_at > $1 ORDER BY created_at";
    private const string Insert = "INSERT INTO signing_keys (kid, label, spki, state, created_at, activated_at, alg) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    private const string Retire = "UPDATE signing_keys SET state = 'retired', retired_at = $1 WHERE state = 'active' AND activated_at < $2 AND alg = $3";
    private const string Activate = "UPDATE signing_keys SET state = 'active', activated_at = $1 WHERE kid = (SELECT kid FROM signing_keys WHERE state = 'next' AND alg = $2 ORDER BY created_at LIMIT 1)";
    private const string Wanted = """
        SELECT DISTINCT alg FROM clients, LATERAL (VALUES (metadata::json ->> 'id_token_signed_response_alg'), (metadata::json ->> 'userinfo_signed_response_alg'),
            (metadata::json ->> 'introspection_signed_response_alg'), (metadata::json ->> 'authorization_signed_response_alg')) AS asked (alg) WHERE enabled AND alg IS NOT NULL
        """;
    private const string Lock = "SELECT pg_advisory_xact_lock(hashtextextended('idp.signing_keys', 0))";

    // Longer than an access token lives and than relying parties cache the JWKS.
    private static readonly TimeSpan Overlap = TimeSpan.FromHours(1);
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(2);
    private volatile IReadOnlyList<SigningKey> _keys = [];
    private volatile IReadOnlyList<JsonWebKey> _toVerify = [];
    private DateTimeOffset _readAt;

    /// <summary>All keys that verify now.</summary>
    public IReadOnlyList<SigningKey> Published => _keys;

    /// <summary>The same for the library that reads tokens.</summary>
    internal IEnumerable<JsonWebKey> ToVerify => _toVerify;

    /// <summary>
    /// Loads the keys before the first request, and makes the first ones. It does not rotate: the new key's event may wait for a ledger
    /// that the relay reaches only once the service runs, and the keys in use are good meanwhile.
    /// </summary>
    public async Task Start(CancellationToken ct)
    {
        await using (var connection = await db.OpenConnectionAsync(ct))
        await using (var tx = await connection.BeginTransactionAsync(ct))
        {
            Take(await Load(tx, clock.GetUtcNow(), ct));
        }

        if (!_keys.Any(k => k.State == "active"))
        {
            await Refresh(ct);
        }
    }

    /// <summary>The keys as another instance may have changed them: read anew when what is known is older than two seconds.</summary>
    public async Task<IReadOnlyList<SigningKey>> Current(CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        if (now - _readAt > Fresh)
        {
            await using var connection = await db.OpenConnectionAsync(ct);
            await using var tx = await connection.BeginTransactionAsync(ct);
            Take(await Load(tx, now, ct));
        }

        return _keys;
    }

    /// <summary>Makes the first keys, rotates when due, and reloads. Run every minute, on every instance.</summary>
    public async Task Refresh(CancellationToken ct)
    {
        var wanted = await db.Sql(Wanted).All(r => r.GetString(0), ct);
        foreach (var algorithm in (string[])["ES256", .. wanted.Where(a => a is "PS256" or "RS256")])
        {
            await Refresh(algorithm, ct);
        }

        IdpLog.KeyActive(log, _keys.First(k => k.State == "active").Kid);
    }

    /// <summary>Retires the active key of an algorithm now; the published next one takes over.</summary>
    public Task Rotate(string algorithm, CancellationToken ct) => Refresh(algorithm, ct, TimeSpan.Zero);

    private async Task Refresh(string algorithm, CancellationToken ct, TimeSpan? life = null)
    {
        var now = clock.GetUtcNow();
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await tx.Sql(Lock).Execute(ct);
        var keys = await Load(tx, now, ct);
        if (!keys.Exists(k => k.State == "active" && k.Algorithm == algorithm))
        {
            await Create(tx, "active", algorithm, now, ct);
        }
        else if (await tx.Sql(Retire).With(now).With(now - (life ?? options.KeyLife)).With(algorithm).Execute(ct) == 1)
        {
            await tx.Sql(Activate).With(now).With(algorithm).Execute(ct);
        }

        if (!(await Load(tx, now, ct)).Exists(k => k.State == "next" && k.Algorithm == algorithm))
        {
            await Create(tx, "next", algorithm, now, ct);
        }

        var loaded = await Load(tx, now, ct);
        await tx.CommitAsync(ct);
        Take(loaded);
    }

    /// <summary>A compact JWS over a JSON payload, ES256.</summary>
    /// <param name="type">JWS <c>typ</c>, for example <c>at+jwt</c>.</param>
    /// <param name="payload">UTF-8 JSON.</param>
    /// <param name="ct">Cancels the signing.</param>
    public Task<string> Sign(string type, ReadOnlyMemory<byte> payload, CancellationToken ct) => Sign("ES256", type, payload, ct);

    /// <summary>A compact JWS over a JSON payload.</summary>
    /// <param name="algorithm"><c>ES256</c>, <c>PS256</c> or <c>RS256</c>.</param>
    /// <param name="type">JWS <c>typ</c>.</param>
    /// <param name="payload">UTF-8 JSON.</param>
    /// <param name="ct">Cancels the signing.</param>
    public async Task<string> Sign(string algorithm, string type, ReadOnlyMemory<byte> payload, CancellationToken ct)
    {
        if (Active(algorithm) is not { } key)
        {
            // The first client that wants this algorithm.
            await Refresh(algorithm, ct);
            key = Active(algorithm)!;
        }

        var header = Base64Url.EncodeToString(Encoding.UTF8.GetBytes($$"""{"alg":"{{algorithm}}","typ":"{{type}}","kid":"{{key.Kid}}"}"""));
        var input = header + "." + Base64Url.EncodeToString(payload.Span);
        var digest = SHA256.HashData(Encoding.ASCII.GetBytes(input));
        var signature = algorithm is "PS256" ? await token.SignPss(key.Ref, digest, ct) : await token.Sign(key.Ref, digest, ct);
        return input + "." + Base64Url.EncodeToString(signature);
    }

    private SigningKey? Active(string algorithm) => _keys.FirstOrDefault(k => k.State == "active" && k.Algorithm == algorithm);

    private void Take(IReadOnlyList<SigningKey> keys)
    {
        _toVerify = [.. keys.Select(k => k.Public.ForLibrary(k.Kid))];
        _keys = keys;
        _readAt = clock.GetUtcNow();
    }

    private async Task Create(NpgsqlTransaction tx, string state, string algorithm, DateTimeOffset now, CancellationToken ct)
    {
        var label = "openid-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
        var made = await token.Generate(new KeyRef(label), algorithm is "ES256" ? KeyAlgorithm.EcdsaP256 : KeyAlgorithm.Rsa3072, ct);
        var kid = PublicJwk.Of(made.SubjectPublicKeyInfo.Span).Thumbprint;
        await tx.Sql(Insert).With(kid).With(label).With(made.SubjectPublicKeyInfo.ToArray()).With(state).With(now).With(state == "active" ? now : (DateTimeOffset?)null).With(algorithm).Execute(ct);
        var traced = await outbox.Append(tx, new AuditEvent
        {
            Action = "KEY.generate", Actor = new Actor("idp"), Outcome = EventOutcome.Success, Subjects = [SubjectKey.Of("key", kid)], Class = "KEY", Basis = "openid-signing",
        }, ct);
        if (traced is AppendOutcome.Refused refused)
        {
            // The key stays unused in the token; the keys in use stay in use.
            throw new TokenException("KEY_UNRECORDED", "The new token key could not be recorded: " + refused.Reason.Detail);
        }
    }

    private static Task<List<SigningKey>> Load(NpgsqlTransaction tx, DateTimeOffset now, CancellationToken ct) =>
        tx.Sql(Read).With(now - Overlap).All(
            r => new SigningKey(r.GetString(0), new KeyRef(r.GetString(1)), PublicJwk.Of(r.GetFieldValue<byte[]>(2)), r.GetString(3), r.GetString(4)), ct);
}

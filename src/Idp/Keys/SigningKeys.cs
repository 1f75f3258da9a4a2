using System.Security.Cryptography;
using Microsoft.IdentityModel.Tokens;
using Npgsql;
using Trust.Crypto.Jose;
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
public sealed record SigningKey(string Kid, KeyRef Ref, Jwk Public, string State);

/// <summary>
/// The OpenID signing keys: P-256, born in the token, never leaving it. The next key is published before it signs, a retired
/// key after it stopped, each for longer than anyone may cache, so that rotation fails no verification.
/// </summary>
public sealed class SigningKeys(NpgsqlDataSource db, IToken token, Outbox outbox, IdpOptions options, TimeProvider clock, ILogger<SigningKeys> log)
{
    private const string Read = "SELECT kid, label, spki, state FROM signing_keys WHERE state <> 'retired' OR retired_at > $1 ORDER BY created_at";
    private const string Insert = "INSERT INTO signing_keys (kid, label, spki, state, created_at, activated_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    private const string Retire = "UPDATE signing_keys SET state = 'retired', retired_at = $1 WHERE state = 'active' AND activated_at < $2";
    private const string Activate = "UPDATE signing_keys SET state = 'active', activated_at = $1 WHERE kid = (SELECT kid FROM signing_keys WHERE state = 'next' ORDER BY created_at LIMIT 1)";
    private const string Lock = "SELECT pg_advisory_xact_lock(hashtextextended('idp.signing_keys', 0))";

    // Longer than an access token lives and than relying parties cache the JWKS.
    private static readonly TimeSpan Overlap = TimeSpan.FromHours(1);
    private volatile IReadOnlyList<SigningKey> _keys = [];

    /// <summary>All keys that verify now.</summary>
    public IReadOnlyList<SigningKey> Published => _keys;

    /// <summary>The same for the library that reads tokens.</summary>
    internal IEnumerable<JsonWebKey> ToVerify =>
        _keys.Select(k => new JsonWebKey { Kty = "EC", Crv = "P-256", X = k.Public.X, Y = k.Public.Y, Kid = k.Kid });

    /// <summary>
    /// Loads the keys before the first request, and makes the first ones. It does not rotate: the new key's event may wait for a ledger
    /// that the relay reaches only once the service runs, and the keys in use are good meanwhile.
    /// </summary>
    public async Task Start(CancellationToken ct)
    {
        await using (var connection = await db.OpenConnectionAsync(ct))
        await using (var tx = await connection.BeginTransactionAsync(ct))
        {
            _keys = await Load(tx, clock.GetUtcNow(), ct);
        }

        if (!_keys.Any(k => k.State == "active"))
        {
            await Refresh(ct);
        }
    }

    /// <summary>Makes the first keys, rotates when due, and reloads. Run every minute, on every instance.</summary>
    public async Task Refresh(CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        await using (var connection = await db.OpenConnectionAsync(ct))
        await using (var tx = await connection.BeginTransactionAsync(ct))
        {
            await tx.Sql(Lock).Execute(ct);
            var keys = await Load(tx, now, ct);
            if (!keys.Exists(k => k.State == "active"))
            {
                await Create(tx, "active", now, ct);
            }
            else if (await tx.Sql(Retire).With(now).With(now - options.KeyLife).Execute(ct) == 1)
            {
                await tx.Sql(Activate).With(now).Execute(ct);
            }

            if (!(await Load(tx, now, ct)).Exists(k => k.State == "next"))
            {
                await Create(tx, "next", now, ct);
            }

            _keys = await Load(tx, now, ct);
            await tx.CommitAsync(ct);
        }

        IdpLog.KeyActive(log, _keys.First(k => k.State == "active").Kid);
    }

    /// <summary>A compact JWS over a JSON payload, ES256.</summary>
    /// <param name="type">JWS <c>typ</c>, for example <c>at+jwt</c>.</param>
    /// <param name="payload">UTF-8 JSON.</param>
    /// <param name="ct">Cancels the signing.</param>
    public async Task<string> Sign(string type, ReadOnlyMemory<byte> payload, CancellationToken ct)
    {
        var key = _keys.First(k => k.State == "active");
        return await Jws.Sign(Jws.Header(type, key.Kid), payload, (digest, cancel) => token.Sign(key.Ref, digest, cancel), ct);
    }

    private async Task Create(NpgsqlTransaction tx, string state, DateTimeOffset now, CancellationToken ct)
    {
        var label = "openid-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
        var made = await token.Generate(new KeyRef(label), KeyAlgorithm.EcdsaP256, ct);
        var kid = Jwk.Of(made.SubjectPublicKeyInfo.Span).Thumbprint;
        await tx.Sql(Insert).With(kid).With(label).With(made.SubjectPublicKeyInfo.ToArray()).With(state).With(now).With(state == "active" ? now : (DateTimeOffset?)null).Execute(ct);
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
        tx.Sql(Read).With(now - Overlap).All(r => new SigningKey(r.GetString(0), new KeyRef(r.GetString(1)), Jwk.Of(r.GetFieldValue<byte[]>(2)), r.GetString(3)), ct);
}

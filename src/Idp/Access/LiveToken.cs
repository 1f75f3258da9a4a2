using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Npgsql;
using Trust.Idp.Clients;
using Trust.Idp.Keys;
using Trust.Idp.Sessions;
using Trust.Idp.Token;
using Trust.Kernel.LiveStatus;
using Trust.Kernel.Postgres;

namespace Trust.Idp.Access;

/// <summary>An access token of ours that counts now.</summary>
/// <param name="Token">As it was signed.</param>
/// <param name="Session">The person's session; null for a client that acts alone.</param>
/// <param name="Family">The refresh family it belongs to, or null.</param>
/// <param name="Claims">The claims parameter that its family was granted with, JSON; null for none.</param>
public sealed record LiveAccess(JsonWebToken Token, Session? Session, Guid? Family, string? Claims);

/// <summary>Judges one of our own access tokens as of this instant: signature, row, session, and the person's standing in the registry.</summary>
public sealed class LiveToken(
    NpgsqlDataSource db, SigningKeys keys, SessionStore sessions, ClientStore clients, EntitlementClient entitlements, Senders senders, IdpOptions options, TimeProvider clock)
{
    private const string Find = """
        SELECT t.client_id, t.session_id, t.family, coalesce(c.claims, f.claims)
        FROM tokens t LEFT JOIN codes c ON c.hash = t.code_hash LEFT JOIN refresh_families f ON f.id = t.family
        WHERE t.jti = $1 AND t.revoked_at IS NULL AND t.expires_at > $2
        """;
    private static readonly string[] Types = ["at+jwt"];
    private static readonly TimeSpan Skew = TimeSpan.FromSeconds(5);
    private readonly JsonWebTokenHandler _handler = new() { MapInboundClaims = false, MaximumTokenSizeInBytes = 16 * 1024 };

    /// <summary>The token and its session when it still counts, otherwise null.</summary>
    public async Task<LiveAccess?> Judge(string? value, CancellationToken ct)
    {
        if (ReceivedToken.TryRead(_handler, value) is not { } received)
        {
            return null;
        }

        var result = await _handler.ValidateTokenAsync(received, new TokenValidationParameters
        {
            ValidTypes = Types, ValidAlgorithms = [SecurityAlgorithms.EcdsaSha256], ValidIssuer = options.Issuer, ValidateAudience = false, TryAllIssuerSigningKeys = false,
            IssuerSigningKeys = keys.ToVerify,
            // A token from tomorrow: this clock ran ahead when it was issued, and would honour it until then.
            LifetimeValidator = (_, expires, issued, _) => expires is { } end && clock.GetUtcNow().UtcDateTime < end
                && issued is JsonWebToken { IssuedAt: var at } && at <= clock.GetUtcNow().UtcDateTime + Skew,
        });
        if (result is not { IsValid: true, SecurityToken: JsonWebToken token })
        {
            return null;
        }

        return await db.Sql(Find).With(token.Id).With(clock.GetUtcNow()).One(r => new Row(r.GetString(0), r.Nullable<Guid?>(1), r.Nullable<Guid?>(2), r.Nullable<string>(3)), ct) switch
        {
            null => null,
            // A client that was disabled or has ended its registration gets nothing more out of what it had (CVE-2025-64521).
            { ClientId: var client } when await clients.Find(client, ct) is null => null,
            { SessionId: null } row => await IsOfSystemAtWork(token, row.ClientId, ct) ? new LiveAccess(token, null, null, null) : null,
            { SessionId: { } sid } row => await OfSession(token, sid, row, ct),
        };
    }

    /// <summary>Whether a bound token is presented by whom it was given to (RFC 9449 7.1, RFC 8705 3).</summary>
    internal async ValueTask<bool> IsFromItsSender(LiveAccess live, Presented presented, HttpContext context, CancellationToken ct)
    {
        using var payload = JsonDocument.Parse(Base64UrlEncoder.DecodeBytes(live.Token.EncodedPayload));
        return await senders.IsMet(payload.RootElement.TryGetProperty("cnf", out var cnf) ? cnf : null, presented.Token, presented.ByDpop, context, ct);
    }

    private async Task<bool> IsOfSystemAtWork(JsonWebToken token, string clientId, CancellationToken ct) =>
        await clients.Find(clientId, ct) is not null
        && (!token.TryGetPayloadValue<string>("acting_institution", out var institution)
            || await entitlements.Check(new EntitlementQuestion(null, institution, "system"), ct) is Entitlement.Permit);

    private async Task<LiveAccess?> OfSession(JsonWebToken token, Guid sid, Row row, CancellationToken ct)
    {
        if (await sessions.Find(sid, ct) is not { } session || !token.TryGetPayloadValue<string>("acting_institution", out var institution))
        {
            return null;
        }

        var answer = await entitlements.Check(new EntitlementQuestion(session.Person, institution, "login", session.Certificate), ct);
        return answer is Entitlement.Permit ? new LiveAccess(token, session, row.Family, row.Claims) : null;
    }

    /// <summary>Those of the named claims that the token has, as they stand in it.</summary>
    internal static void Copy(Utf8JsonWriter json, JsonWebToken token, IReadOnlyList<string> names)
    {
        // From the payload itself: the library hands out registered claims and plain strings by types of its own only.
        using var payload = JsonDocument.Parse(Base64UrlEncoder.DecodeBytes(token.EncodedPayload));
        foreach (var name in names)
        {
            if (payload.RootElement.TryGetProperty(name, out var value))
            {
                json.WritePropertyName(name);
                value.WriteTo(json);
            }
        }
    }

    private sealed record Row(string ClientId, Guid? SessionId, Guid? Family, string? Claims);
}

using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Npgsql;
using Trust.Idp.Clients;
using Trust.Idp.Keys;
using Trust.Idp.Sessions;
using Trust.Kernel.LiveStatus;
using Trust.Kernel.Postgres;

namespace Trust.Idp.Access;

/// <summary>Judges one of our own access tokens as of this instant: signature, row, session, and the person's standing in the registry.</summary>
public sealed class LiveToken(
    NpgsqlDataSource db, SigningKeys keys, SessionStore sessions, ClientStore clients, EntitlementClient entitlements, IdpOptions options, TimeProvider clock)
{
    private const string Find = "SELECT client_id, session_id FROM tokens WHERE jti = $1 AND revoked_at IS NULL AND expires_at > $2";
    private static readonly string[] Types = ["at+jwt"];
    private static readonly TimeSpan Skew = TimeSpan.FromSeconds(5);
    private readonly JsonWebTokenHandler _handler = new() { MapInboundClaims = false, MaximumTokenSizeInBytes = 16 * 1024 };

    /// <summary>The token and its session when it still counts, otherwise null.</summary>
    public async Task<(JsonWebToken Token, Session? Session)?> Judge(string? value, CancellationToken ct)
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

        var row = await db.Sql(Find).With(token.Id).With(clock.GetUtcNow()).One(r => new Tuple<string, Guid?>(r.GetString(0), r.IsDBNull(1) ? null : r.GetGuid(1)), ct);
        return row switch
        {
            null => null,
            // A client that was disabled or has ended its registration gets nothing more out of what it had (CVE-2025-64521).
            _ when await clients.Find(row.Item1, ct) is null => null,
            { Item2: null } => await IsOfSystemAtWork(token, row.Item1, ct) ? (token, null) : null,
            { Item2: { } sid } => await OfSession(token, sid, ct),
        };
    }

    private async Task<bool> IsOfSystemAtWork(JsonWebToken token, string clientId, CancellationToken ct) =>
        await clients.Find(clientId, ct) is not null
        && (!token.TryGetPayloadValue<string>("acting_institution", out var institution)
            || await entitlements.Check(new EntitlementQuestion(null, institution, "system"), ct) is Entitlement.Permit);

    private async Task<(JsonWebToken Token, Session? Session)?> OfSession(JsonWebToken token, Guid sid, CancellationToken ct)
    {
        if (await sessions.Find(sid, ct) is not { } session || !token.TryGetPayloadValue<string>("acting_institution", out var institution))
        {
            return null;
        }

        var answer = await entitlements.Check(new EntitlementQuestion(session.Person, institution, "login", session.Certificate), ct);
        return answer is Entitlement.Permit ? (token, session) : null;
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
}

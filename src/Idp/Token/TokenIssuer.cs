using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Trust.Idp.Clients;
using Trust.Idp.Keys;
using Trust.Idp.Sessions;
using Trust.Kernel.LiveStatus;
using Trust.LogFormat;
using EventId = Trust.LogFormat.EventId;

namespace Trust.Idp.Token;

/// <summary>Who a token speaks for, as the registry says at this moment.</summary>
/// <param name="Session">The login.</param>
/// <param name="Institution">Acting institution URN.</param>
/// <param name="Permit">The registry's answer that carried the issuance.</param>
public sealed record Practitioner(Session Session, string Institution, Entitlement.Permit Permit);

/// <summary>A signed access token; it counts once its row is committed, and is handed out only then.</summary>
/// <param name="Value">RFC 9068 JWT.</param>
/// <param name="Id">Its <c>jti</c>.</param>
/// <param name="Subject">Its <c>sub</c>.</param>
/// <param name="IssuedAt">From when.</param>
/// <param name="ExpiresAt">Until when.</param>
public sealed record AccessToken(string Value, string Id, string Subject, DateTimeOffset IssuedAt, DateTimeOffset ExpiresAt)
{
    /// <summary>Its life in seconds.</summary>
    public int Seconds => (int)(ExpiresAt - IssuedAt).TotalSeconds;
}

/// <summary>Builds and signs tokens; each access token is a row, so that ending a session ends it for introspection at once.</summary>
public sealed class TokenIssuer(SigningKeys keys, Subjects subjects, IdpOptions options, TimeProvider clock)
{
    /// <summary>An RFC 9068 access token of a grant, not yet recorded.</summary>
    /// <param name="grant">What for.</param>
    /// <param name="txn">The event of its issue (RFC 8417 2.2): whoever holds the token can ask the ledger for the proof.</param>
    /// <param name="ct">Cancels.</param>
    public Task<AccessToken> AccessToken(Grant grant, EventId txn, CancellationToken ct) => AccessToken(
        grant.Client, grant.Practitioner.Session.Person, grant.Scope, grant.Resource, grant.Sender, txn, grant.NotAfter,
        json =>
        {
            OfPractitioner(json, grant.Practitioner);
            json.WriteString("login_certificate", grant.Practitioner.Session.Certificate);
            if (grant.ActsFor is not null)
            {
                json.WriteStartObject("act");
                json.WriteString("sub", grant.Client.Id);
                json.WriteStartObject("act");
                json.WriteString("sub", grant.ActsFor);
                json.WriteEndObject();
                json.WriteEndObject();
            }

            if (grant.AuthorizationDetails is { } details)
            {
                json.WritePropertyName("authorization_details");
                json.WriteRawValue(details);
            }
        }, ct);

    /// <summary>An access token of a client that acts alone.</summary>
    public Task<AccessToken> AccessToken(Client client, string scope, string resource, SenderBinding sender, EventId txn, CancellationToken ct) => AccessToken(
        client, client.Id, scope, resource, sender, txn, null,
        json =>
        {
            Text(json, "role", client.Role);
            Text(json, "acting_institution", client.Institution);
            Text(json, "region", client.Region);
        }, ct);

    /// <summary>An OpenID Connect ID token that goes with an access token.</summary>
    public async Task<string> IdToken(Grant grant, AccessToken access, EventId txn, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var subject = await subjects.Of(grant.Client, grant.Practitioner.Session.Person, ct);
        return await keys.Sign(grant.Client.Metadata.IdTokenSignedResponseAlg, "JWT", Write(json =>
        {
            Registered(json, subject, grant.Client.Id, now, now + options.AccessTokenLife);
            json.WriteString("azp", grant.Client.Id);
            Text(json, "nonce", grant.Nonce);
            // OpenID Connect Core 3.1.3.6: the left half of the hash; the three algorithms all hash by SHA-256.
            json.WriteString("at_hash", Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(access.Value)).AsSpan(0, 16)));
            json.WriteString("txn", txn.ToString());
            OfPractitioner(json, grant.Practitioner);
            PersonClaims.Write(json, grant.Practitioner, grant.Scope, grant.Claims, "id_token");
        }), ct);
    }

    private async Task<AccessToken> AccessToken(
        Client client, string subject, string scope, string resource, SenderBinding sender, EventId txn, DateTimeOffset? notAfter, Action<Utf8JsonWriter> more, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var expires = notAfter is { } end && end < now + options.AccessTokenLife ? end : now + options.AccessTokenLife;
        var jti = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        var payload = Write(json =>
        {
            Registered(json, subject, resource, now, expires);
            json.WriteString("jti", jti);
            json.WriteString("txn", txn.ToString());
            json.WriteString("client_id", client.Id);
            json.WriteString("scope", scope);
            Confirmation(json, sender);
            more(json);
        });
        return new AccessToken(await keys.Sign("ES256", "at+jwt", payload, ct), jti, subject, now, expires);
    }

    // RFC 7800 3.1 in the forms of RFC 9449 6.1 and RFC 8705 3.1.
    private static void Confirmation(Utf8JsonWriter json, SenderBinding sender)
    {
        if (sender is { Jkt: null, X5t: null })
        {
            return;
        }

        json.WriteStartObject("cnf");
        Text(json, "jkt", sender.Jkt);
        Text(json, "x5t#S256", sender.X5t);
        json.WriteEndObject();
    }

    /// <summary>The event of an issued token.</summary>
    public static AuditEvent Issued(Client client, Practitioner? practitioner, string jti) => new()
    {
        Action = "AUTH.login", Outcome = EventOutcome.Success, Basis = "token:" + jti, RuleVersion = practitioner?.Permit.RuleVersion,
        Actor = practitioner is null
            ? new Actor(client.Id, null, client.Role, client.Institution)
            : new Actor(practitioner.Session.Person, practitioner.Session.Certificate, practitioner.Permit.Role, practitioner.Institution),
        Correlation = practitioner?.Session.Id.ToString(),
        Subjects = practitioner is null
            ? [SubjectKey.Of("client", client.Id)]
            : [SubjectKey.Practitioner(practitioner.Session.Person), SubjectKey.Institution(practitioner.Institution), SubjectKey.Of("client", client.Id)],
    };

    /// <summary>Claims that name practitioner, role, acting institution and licence.</summary>
    internal static void OfPractitioner(Utf8JsonWriter json, Practitioner practitioner)
    {
        json.WriteNumber("auth_time", practitioner.Session.AuthenticatedAt.ToUnixTimeSeconds());
        json.WriteString("acr", practitioner.Session.Acr);
        json.WriteStartArray("amr");
        json.WriteStringValue("hwk");
        json.WriteStringValue("pin");
        json.WriteEndArray();
        json.WriteString("sid", practitioner.Session.Id);
        Text(json, "role", practitioner.Permit.Role);
        json.WriteString("acting_institution", practitioner.Institution);
        json.WriteString("region", practitioner.Permit.Region);
        json.WriteStartObject("licence");
        if (practitioner.Permit.Licence is { } licence)
        {
            json.WriteString("number_last4", licence.NumberLast4);
            json.WriteString("category", licence.Category);
            json.WriteStartArray("scope");
            foreach (var item in licence.Scope)
            {
                json.WriteStringValue(item);
            }

            json.WriteEndArray();
            json.WriteString("status", licence.Status);
        }

        json.WriteString("verified_at", practitioner.Permit.VerifiedAt.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
        json.WriteEndObject();
    }

    private void Registered(Utf8JsonWriter json, string subject, string audience, DateTimeOffset now, DateTimeOffset expires)
    {
        json.WriteString("iss", options.Issuer);
        json.WriteString("sub", subject);
        json.WriteString("aud", audience);
        json.WriteNumber("iat", now.ToUnixTimeSeconds());
        json.WriteNumber("exp", expires.ToUnixTimeSeconds());
    }

    private static void Text(Utf8JsonWriter json, string name, string? value)
    {
        if (value is not null)
        {
            json.WriteString(name, value);
        }
    }

    internal static byte[] Write(Action<Utf8JsonWriter> members)
    {
        using var stream = new MemoryStream(1024);
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        return stream.ToArray();
    }
}

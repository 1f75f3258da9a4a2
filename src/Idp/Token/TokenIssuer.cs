using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Trust.Idp.Clients;
using Trust.Idp.Keys;
using Trust.Idp.Sessions;
using Trust.Kernel.LiveStatus;
using Trust.LogFormat;

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
    /// <summary>An RFC 9068 access token, not yet recorded.</summary>
    public async Task<AccessToken> AccessToken(Client client, Practitioner? practitioner, string scope, string resource, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var expires = now + options.AccessTokenLife;
        var jti = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        var subject = practitioner?.Session.Person ?? client.Id;
        var payload = Write(json =>
        {
            Registered(json, subject, resource, now, expires);
            json.WriteString("jti", jti);
            json.WriteString("client_id", client.Id);
            json.WriteString("scope", scope);
            if (practitioner is null)
            {
                Text(json, "role", client.Role);
                Text(json, "acting_institution", client.Institution);
                Text(json, "region", client.Region);
            }
            else
            {
                OfPractitioner(json, practitioner);
                json.WriteString("login_certificate", practitioner.Session.Certificate);
            }
        });
        return new AccessToken(await keys.Sign("at+jwt", payload, ct), jti, subject, now, expires);
    }

    /// <summary>An OpenID Connect ID token.</summary>
    public async Task<string> IdToken(Client client, Practitioner practitioner, string? nonce, string scope, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var subject = await subjects.Of(client, practitioner.Session.Person, ct);
        return await keys.Sign("JWT", Write(json =>
        {
            Registered(json, subject, client.Id, now, now + options.AccessTokenLife);
            Text(json, "nonce", nonce);
            OfPractitioner(json, practitioner);
            if (scope.Split(' ').Contains("profile", StringComparer.Ordinal))
            {
                json.WriteString("name", practitioner.Session.Holder.Name);
            }
        }), ct);
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

using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Trust.Kernel.Postgres;

namespace Trust.Idp.Clients;

/// <summary>
/// Client authentication by <c>private_key_jwt</c> (RFC 7523 §3, OpenID Connect Core §9). The audience is the issuer, as a
/// JSON string and nothing else: an array or a token URL lets an assertion meant for another server be replayed here
/// (CVE-2025-27370). Older libraries, in oidc-compat, name the token endpoint. Each assertion counts once.
/// </summary>
public sealed class ClientAssertions(ClientStore clients, ClientKeys keys, GroupCommit commits, IdpOptions options, TimeProvider clock)
{
    private const string AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    private const string Remember = "INSERT INTO client_assertions (client_id, jti, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    private static readonly TimeSpan MaximumLife = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Skew = TimeSpan.FromSeconds(10);
    private static readonly string[] Strict = [SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.RsaSsaPssSha256];
    private static readonly string[] Compat = [.. Strict, SecurityAlgorithms.RsaSha256];
    private readonly JsonWebTokenHandler _handler = new() { MapInboundClaims = false, MaximumTokenSizeInBytes = 8 * 1024 };

    /// <summary>Judges the assertion in a form.</summary>
    public async Task<ClientOutcome> Judge(FormFields form, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(form);
        if (form.Text("client_assertion_type") != AssertionType || ReceivedToken.TryRead(_handler, form.Text("client_assertion")) is not { } parsed)
        {
            return new ClientOutcome.Refused("malformed client assertion");
        }

        var client = await clients.Find(parsed.Issuer, ct);
        if (client is not { Metadata.TokenEndpointAuthMethod: "private_key_jwt" } || (form.Text("client_id") is { } stated && stated != client.Id))
        {
            return new ClientOutcome.Refused("unknown client");
        }

        return await Judge(parsed, client, ct);
    }

    // Read from the parts themselves: the library turns a string and an array of one into the same list, a number in quotes into a date, and takes
    // the last of two members of one name. What must be understood (crit, RFC 7515 section 4.1.11) is not.
    private bool IsStrict(JsonWebToken assertion, Client client)
    {
        try
        {
            var limits = new JsonDocumentOptions { MaxDepth = 8, AllowDuplicateProperties = false };
            using var header = JsonDocument.Parse(Base64UrlEncoder.DecodeBytes(assertion.EncodedHeader), limits);
            using var payload = JsonDocument.Parse(Base64UrlEncoder.DecodeBytes(assertion.EncodedPayload), limits);
            return !header.RootElement.TryGetProperty("crit", out _)
                && payload.RootElement.TryGetProperty("aud", out var audience) && Check.Holds("assertion.audience", IsForUs(audience, client))
                && payload.RootElement.TryGetProperty("exp", out var expires) && expires.ValueKind is JsonValueKind.Number
                && (!payload.RootElement.TryGetProperty("nbf", out var begins) || begins.ValueKind is JsonValueKind.Number)
                && (!payload.RootElement.TryGetProperty("iat", out var issued) || issued.ValueKind is JsonValueKind.Number);
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private bool IsForUs(JsonElement audience, Client client) => audience.ValueKind switch
    {
        JsonValueKind.String => audience.ValueEquals(options.Issuer) || (client.IsCompat && audience.ValueEquals(options.Issuer + "/token")),
        JsonValueKind.Array => client.IsCompat && audience.GetArrayLength() == 1 && IsForUs(audience[0], client),
        _ => false,
    };

    private async Task<ClientOutcome> Judge(JsonWebToken assertion, Client client, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        if (!IsStrict(assertion, client))
        {
            return new ClientOutcome.Refused("the assertion's audience must be the issuer, as a string, its dates numbers, each member once, and without crit");
        }

        if (!Check.Holds("assertion.subject", assertion.Subject == client.Id) || assertion.Id is not { Length: > 0 and <= 128 } jti)
        {
            return new ClientOutcome.Refused("the assertion needs iss = sub = client_id and a jti");
        }

        var expires = assertion.ValidTo == DateTime.MinValue ? DateTimeOffset.MinValue : new DateTimeOffset(assertion.ValidTo, TimeSpan.Zero);
        var tooEarly = IsAfter(assertion.ValidFrom, now + Skew) || IsAfter(assertion.IssuedAt, now + Skew);
        if (!Check.Holds("assertion.expiry", expires > now) || expires > now + MaximumLife + Skew || !Check.Holds("assertion.not-before", !tooEarly))
        {
            return new ClientOutcome.Refused("the assertion is expired, not yet valid, or lives longer than five minutes");
        }

        // A key registered within the last second may be missing from what is kept.
        if (!Check.Holds("assertion.signature", await IsSigned(assertion, client, ct) || (await clients.FindNow(client.Id, ct) is { } fresh && await IsSigned(assertion, client = fresh, ct))))
        {
            return new ClientOutcome.Refused("the assertion's signature does not verify with the client's registered keys");
        }

        return await commits.Execute(GroupCommit.Sql(Remember).With(client.Id).With(jti).With(expires)) == 1
            ? new ClientOutcome.Proved(client)
            : new ClientOutcome.Refused("the assertion was used before");
    }

    private static bool IsAfter(DateTime date, DateTimeOffset limit) => date != DateTime.MinValue && new DateTimeOffset(date, TimeSpan.Zero) > limit;

    private async Task<bool> IsSigned(JsonWebToken assertion, Client client, CancellationToken ct)
    {
        var candidates = await keys.Of(client, assertion.Kid, ct);
        string[] algorithms = client.Metadata.TokenEndpointAuthSigningAlg is { } one ? [one] : client.IsCompat ? Compat : Strict;
        return candidates.Count > 0 && await _handler.ValidateTokenAsync(assertion, new TokenValidationParameters
        {
            ValidAlgorithms = algorithms, IssuerSigningKeys = candidates, ValidIssuer = client.Id, ValidateAudience = false, ValidateLifetime = false,
            TryAllIssuerSigningKeys = string.IsNullOrEmpty(assertion.Kid),
        }) is { IsValid: true };
    }
}

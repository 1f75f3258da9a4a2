using System.Text;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Trust.Crypto.Jose;
using Trust.Crypto.Json;
using Trust.Idp.Clients;

namespace Trust.Idp.Authorize;

/// <summary>What became of a request object.</summary>
public abstract record RequestObjectOutcome
{
    private RequestObjectOutcome()
    {
    }

    /// <summary>The client signed these parameters; no other counts.</summary>
    public sealed record Signed(FormFields Parameters) : RequestObjectOutcome;

    /// <summary>Refused, by an error of RFC 9101 6 or OpenID Connect Core 6.</summary>
    public sealed record Refused(string Error, string Detail) : RequestObjectOutcome;
}

/// <summary>
/// Signed request objects (RFC 9101, FAPI 2.0 Message Signing 5.3): read from the parts themselves, each member once, signed by a registered key of the
/// client, meant for this provider and of this hour. Nothing is fetched that one points to.
/// </summary>
public sealed class RequestObjects(ClientKeys keys, IdpOptions options, TimeProvider clock)
{
    private const int MaxHeader = 2048;
    private const int MaxDepth = 8;
    private static readonly TimeSpan Skew = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(60);
    private static readonly string[] OfTheToken = ["iss", "aud", "exp", "nbf", "iat", "jti"];
    private static readonly string[] Structures = ["claims", "authorization_details"];
    private readonly JsonWebTokenHandler _handler = new() { MapInboundClaims = false, MaximumTokenSizeInBytes = ReceivedToken.MaxLength };

    /// <summary>The algorithms that a client's objects may use.</summary>
    public static IReadOnlyList<string> Algorithms(Client client) =>
        (client ?? throw new ArgumentNullException(nameof(client))).Metadata.RequestObjectSigningAlg is { } only ? [only]
        : client.IsCompat ? [SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.RsaSsaPssSha256, SecurityAlgorithms.RsaSha256]
        : [SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.RsaSsaPssSha256];

    /// <summary>Reads and judges an object.</summary>
    public async Task<RequestObjectOutcome> Read(string value, Client client, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(client);
        var (header, payload) = Parts(value);
        if (header is not { } head || payload is not { } claims)
        {
            return Bad("The request object is no JWS of a JSON object with each member once.");
        }

        var alg = Jws.Text(head, "alg");
        if (alg is "none" && !client.IsFapi2 && !client.Metadata.RequireSignedRequestObject)
        {
            return new RequestObjectOutcome.Refused("request_not_supported", "Request objects are signed.");
        }

        if (alg is null || !Algorithms(client).Contains(alg, StringComparer.Ordinal))
        {
            return Bad("The request object's algorithm is not accepted of this client.");
        }

        return BrokenHeader(head) ?? BrokenClaims(claims, client) ?? (Check.Holds("object.signature", await IsSigned(value, alg, client, ct)) ? Parameters(claims, AuthorizationParameters.Known) : Bad("The request object's signature does not verify with the client's registered keys."));
    }

    /// <summary>Reads and judges a signed authentication request of CIBA 1.0 7.1.1: by the one algorithm that the client registered, of this hour, each claim of the token there.</summary>
    public async Task<RequestObjectOutcome> ReadCiba(string value, Client client, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(client);
        var (header, payload) = Parts(value);
        if (header is not { } head || payload is not { } claims || Jws.Text(head, "alg") is not { } alg || alg != client.Metadata.BackchannelAuthenticationRequestSigningAlg)
        {
            return BadCiba("The request is no JWS of a JSON object by the algorithm that the client registered.");
        }

        var whole = claims.TryGetProperty("iat", out _) && claims.TryGetProperty("nbf", out _) && claims.TryGetProperty("exp", out _) && Jws.Text(claims, "jti") is { Length: > 0 and <= 128 };
        if (!whole || BrokenHeader(head) is not null || BrokenClaims(claims, client) is not null || !await IsSigned(value, alg, client, ct))
        {
            return BadCiba("The request needs iss, aud, exp, iat, nbf and jti of this hour, and the signature of a registered key.");
        }

        return Parameters(claims, Decoupled.BeginCiba.Known) is RequestObjectOutcome.Signed signed ? signed : BadCiba("A member of the request has another form.");
    }

    private static RequestObjectOutcome.Refused BadCiba(string detail) => new("invalid_request", detail);

    private static (JsonElement? Header, JsonElement? Payload) Parts(string value)
    {
        if (value.Length > ReceivedToken.MaxLength || value.Split('.') is not [var first, var second, _] || !Jws.TryReadHeader(first, MaxHeader, MaxDepth, out var header))
        {
            return (null, null);
        }

        // One base64url spelling of one value, as the header's.
        return Jws.TryReadHeader(second, ReceivedToken.MaxLength, MaxDepth, out var payload) ? (header, payload) : (header, null);
    }

    private static RequestObjectOutcome.Refused? BrokenHeader(JsonElement header)
    {
        // RFC 8725 3.11: what is signed for another purpose says so. An absent type is OpenID Connect Core's.
        var typed = !header.TryGetProperty("typ", out var type)
            || (type.ValueKind is JsonValueKind.String && type.GetString()!.ToLowerInvariant() is "oauth-authz-req+jwt" or "application/oauth-authz-req+jwt" or "jwt");
        return typed && !header.TryGetProperty("crit", out _) && !header.TryGetProperty("b64", out _) ? null : Bad("The request object's typ or crit is not understood.");
    }

    private RequestObjectOutcome.Refused? BrokenClaims(JsonElement claims, Client client)
    {
        if (!Check.Holds("object.nested", !claims.TryGetProperty("request", out _) && !claims.TryGetProperty("request_uri", out _)))
        {
            return Bad("request and request_uri have no place in a request object (RFC 9101 4).");
        }

        // RFC 9101 10.8: an assertion that authenticates the client is no request.
        if (Jws.Text(claims, "iss") != client.Id || !Check.Holds("object.audience", IsForUs(claims)) || (claims.TryGetProperty("client_id", out _) && Jws.Text(claims, "client_id") != client.Id) || Jws.Text(claims, "sub") == client.Id)
        {
            return Bad("The request object needs iss = client_id and an aud that contains the issuer, and no sub of the client.");
        }

        return Check.Holds("object.dates", IsTimely(claims, client)) ? null : Bad("The request object's exp, nbf or iat is missing or not of this hour.");
    }

    private bool IsForUs(JsonElement claims) => claims.TryGetProperty("aud", out var audience) && audience.ValueKind switch
    {
        JsonValueKind.String => audience.ValueEquals(options.Issuer),
        // FAPI 2.0 Message Signing: several audiences are accepted of a request, unlike of an assertion, which is a credential.
        JsonValueKind.Array => audience.EnumerateArray().All(a => a.ValueKind is JsonValueKind.String) && audience.EnumerateArray().Any(a => a.ValueEquals(options.Issuer)),
        _ => false,
    };

    private bool IsTimely(JsonElement claims, Client client)
    {
        var now = clock.GetUtcNow();
        if (!TryDate(claims, "exp", out var expires) || !TryDate(claims, "nbf", out var begins) || !TryDate(claims, "iat", out var issued))
        {
            return false;
        }

        // FAPI 2.0 Message Signing 5.3.1: exp and nbf compulsory, nbf at most 60 minutes old, exp at most 60 minutes after it; 10 seconds of skew.
        return (!client.IsFapi2 || (expires is not null && begins is not null))
            && (expires is not { } end || (end > now && end <= (begins ?? now) + Longest + (begins is null ? Skew : TimeSpan.Zero)))
            && (begins is not { } from || (from <= now + Skew && from >= now - Longest))
            && (issued is not { } at || at <= now + Skew);
    }

    private static bool TryDate(JsonElement claims, string name, out DateTimeOffset? date)
    {
        date = null;
        if (!claims.TryGetProperty(name, out var value))
        {
            return true;
        }

        if (value.ValueKind is not JsonValueKind.Number || !value.TryGetDouble(out var seconds) || seconds is not (>= 0 and <= 253402300799))
        {
            return false;
        }

        date = DateTimeOffset.UnixEpoch.AddSeconds(seconds);
        return true;
    }

    private async Task<bool> IsSigned(string value, string alg, Client client, CancellationToken ct)
    {
        if (ReceivedToken.TryRead(_handler, value) is not { } parsed)
        {
            return false;
        }

        var registered = await keys.Of(client, parsed.Kid, ct);
        return registered.Count > 0 && await _handler.ValidateTokenAsync(parsed, new TokenValidationParameters
        {
            ValidAlgorithms = [alg], IssuerSigningKeys = registered, ValidateIssuer = false, ValidateAudience = false, ValidateLifetime = false, TryAllIssuerSigningKeys = string.IsNullOrEmpty(parsed.Kid),
        }) is { IsValid: true };
    }

    private static RequestObjectOutcome Parameters(JsonElement claims, IReadOnlyList<string> known)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var member in claims.EnumerateObject().Where(m => !OfTheToken.Contains(m.Name, StringComparer.Ordinal)))
        {
            switch (member.Value.ValueKind)
            {
                case JsonValueKind.String:
                    values[member.Name] = member.Value.GetString()!;
                    break;
                case JsonValueKind.Number when member.Name is "max_age" or "requested_expiry":
                case JsonValueKind.Object or JsonValueKind.Array when Structures.Contains(member.Name, StringComparer.Ordinal):
                    values[member.Name] = member.Value.GetRawText();
                    break;
                default:
                    // A parameter that is known has its own form; of what is unknown nothing is asked (RFC 9101 6.3).
                    if (known.Contains(member.Name, StringComparer.Ordinal))
                    {
                        return Bad($"The member {member.Name} of the request object has another form.");
                    }

                    break;
            }
        }

        return FormFields.OfValues(values) is { } fields ? new RequestObjectOutcome.Signed(fields) : Bad("A member of the request object is too long.");
    }

    private static RequestObjectOutcome.Refused Bad(string detail) => new("invalid_request_object", detail);
}

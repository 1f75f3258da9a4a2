using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Trust.Idp.Clients;

/// <summary>
/// What a client registered beyond its name, addresses and rights: RFC 7591 section 2 and the documents that add to it. One form for the operator's
/// file, for dynamic registration and for the database; the members are named as the documents name them.
/// </summary>
public sealed record ClientMetadata
{
    /// <summary>How it proves itself: <c>private_key_jwt</c>, <c>tls_client_auth</c>, <c>self_signed_tls_client_auth</c> (RFC 8705), <c>none</c>; <c>client_secret_basic</c> and <c>client_secret_post</c> in the profile oidc-compat only.</summary>
    public string TokenEndpointAuthMethod { get; init; } = "private_key_jwt";

    /// <summary>The one algorithm its assertions may use; null for ES256 or PS256 (and RS256 in oidc-compat).</summary>
    public string? TokenEndpointAuthSigningAlg { get; init; }

    /// <summary>SHA-256 of its secret (UTF-8), lower-case hex; the secret itself is kept nowhere.</summary>
    public string? ClientSecretSha256 { get; init; }

    /// <summary>Where its keys are read from; a declared peer. Not beside <c>jwks</c>.</summary>
    public string? JwksUri { get; init; }

    /// <summary>RFC 8705 2.1.2: subject its certificate must have, RFC 4514.</summary>
    public string? TlsClientAuthSubjectDn { get; init; }

    /// <summary>RFC 8705 2.1.2: DNS name its certificate must have.</summary>
    public string? TlsClientAuthSanDns { get; init; }

    /// <summary>RFC 8705 2.1.2: URI its certificate must have.</summary>
    public string? TlsClientAuthSanUri { get; init; }

    /// <summary>RFC 8705 3.4: its access tokens are bound to its certificate.</summary>
    public bool TlsClientCertificateBoundAccessTokens { get; init; }

    /// <summary>RFC 9449 5.2: its access tokens are bound to a key of its own, shown by DPoP proofs.</summary>
    public bool DpopBoundAccessTokens { get; init; }

    /// <summary>Algorithm of its ID tokens: <c>ES256</c>, <c>PS256</c>; <c>RS256</c> in oidc-compat only.</summary>
    public string IdTokenSignedResponseAlg { get; init; } = "ES256";

    /// <summary>Algorithm of signed <c>/userinfo</c> answers; null for plain JSON.</summary>
    public string? UserinfoSignedResponseAlg { get; init; }

    /// <summary>Algorithm of signed introspection answers (RFC 9701 6).</summary>
    public string IntrospectionSignedResponseAlg { get; init; } = "ES256";

    /// <summary>JARM: algorithm of signed authorization responses.</summary>
    public string AuthorizationSignedResponseAlg { get; init; } = "ES256";

    /// <summary>RFC 9101 10.5: the one algorithm of its request objects; null for ES256 or PS256 (and RS256 in oidc-compat).</summary>
    public string? RequestObjectSigningAlg { get; init; }

    /// <summary>RFC 9101 10.5: it sends signed request objects only.</summary>
    public bool RequireSignedRequestObject { get; init; }

    /// <summary>RFC 9126 6: it pushes its requests. Always so in the profile fapi2.</summary>
    public bool RequirePushedAuthorizationRequests { get; init; }

    /// <summary>OpenID Connect Core 8: <c>public</c> or <c>pairwise</c>.</summary>
    public string SubjectType { get; init; } = "public";

    /// <summary>OpenID Connect Core 8.1: document listing the redirect URIs of one sector; a declared peer.</summary>
    public string? SectorIdentifierUri { get; init; }

    /// <summary>Oldest acceptable login, seconds, when a request says none.</summary>
    public int? DefaultMaxAge { get; init; }

    /// <summary><c>auth_time</c> is wanted in every ID token; it always stands there.</summary>
    public bool RequireAuthTime { get; init; }

    /// <summary>Authentication contexts wanted when a request names none.</summary>
    public IReadOnlyList<string> DefaultAcrValues { get; init; } = [];

    /// <summary>OpenID Connect Core 4: address at which a third party begins a login; https.</summary>
    public string? InitiateLoginUri { get; init; }

    /// <summary>RFC 9396 10: types of authorization details it may ask for.</summary>
    public IReadOnlyList<string> AuthorizationDetailsTypes { get; init; } = [];

    /// <summary>Home page, shown to people.</summary>
    public string? ClientUri { get; init; }

    /// <summary>Logo, shown as a link: nothing from outside is loaded into a page.</summary>
    public string? LogoUri { get; init; }

    /// <summary>Privacy policy, shown as a link.</summary>
    public string? PolicyUri { get; init; }

    /// <summary>Terms, shown as a link.</summary>
    public string? TosUri { get; init; }

    /// <summary>Whom an operator calls.</summary>
    public IReadOnlyList<string> Contacts { get; init; } = [];

    /// <summary>Back-Channel Logout 1.0 2.2: told of each logout; a declared peer.</summary>
    public string? BackchannelLogoutUri { get; init; }

    /// <summary>Back-Channel Logout 1.0 2.2: wants <c>sid</c>; it always stands there.</summary>
    public bool BackchannelLogoutSessionRequired { get; init; }

    /// <summary>Front-Channel Logout 1.0 2: page loaded in a frame at logout.</summary>
    public string? FrontchannelLogoutUri { get; init; }

    /// <summary>Front-Channel Logout 1.0 2: wants <c>iss</c> and <c>sid</c>.</summary>
    public bool FrontchannelLogoutSessionRequired { get; init; }

    /// <summary>CIBA 1.0 4: <c>poll</c> or <c>ping</c>; null for a client without CIBA.</summary>
    public string? BackchannelTokenDeliveryMode { get; init; }

    /// <summary>CIBA 1.0 4: told when a request is decided; a declared peer.</summary>
    public string? BackchannelClientNotificationEndpoint { get; init; }

    /// <summary>CIBA 1.0 4: algorithm of its signed requests; null for plain ones, which fapi2 refuses.</summary>
    public string? BackchannelAuthenticationRequestSigningAlg { get; init; }

    /// <summary>Whether its tokens are bound to a key or certificate.</summary>
    [JsonIgnore]
    public bool IsSenderConstrained => DpopBoundAccessTokens || TlsClientCertificateBoundAccessTokens;

    /// <summary>Reads members over the defaults.</summary>
    /// <exception cref="JsonException">A member is unknown, twice there, or has another form.</exception>
    public static ClientMetadata Read(JsonObject members)
    {
        // The generated reader gives an init-only member that is absent the type's default, not the one written here.
        var all = JsonSerializer.SerializeToNode(new ClientMetadata(), ClientJson.Default.ClientMetadata)!.AsObject();
        foreach (var (name, value) in members ?? throw new ArgumentNullException(nameof(members)))
        {
            all[name] = value?.DeepClone();
        }

        return all.Deserialize(ClientJson.Default.ClientMetadata)!;
    }
}

/// <summary>The members' names as RFC 7591 writes them; an unknown one is a mistake.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, AllowDuplicateProperties = false,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(ClientMetadata))]
internal sealed partial class ClientJson : JsonSerializerContext;

using System.Text.Json;
using Microsoft.IdentityModel.Tokens;

namespace Trust.Idp.Clients;

/// <summary>What a registration must keep, whoever registers: the operator's file and dynamic registration go through this one gate.</summary>
internal static class ClientRules
{
    /// <summary>Grants offered.</summary>
    public static readonly IReadOnlyList<string> Grants =
    [
        "authorization_code", "client_credentials", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:device_code",
        "urn:openid:params:grant-type:ciba",
    ];

    private static readonly string[] KeyMethods = ["private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"];
    private static readonly string[] SecretMethods = ["client_secret_basic", "client_secret_post"];

    /// <summary>The first rule that the client breaks, for its author; null when it keeps all.</summary>
    public static string? Broken(Client client)
    {
        var rules = All(client);
        return rules.FirstOrDefault(r => !r.Holds).Text;
    }

    private static IEnumerable<(bool Holds, string Text)> All(Client client) =>
        [.. Basic(client), .. Authentication(client), .. Algorithms(client), .. Fapi2(client), .. Addresses(client), .. Extensions(client)];

    private static IEnumerable<(bool, string)> Basic(Client client) =>
    [
        (client.Profile is "fapi2" or "standard" or "oidc-compat", "the profile is fapi2, standard or oidc-compat."),
        (client.GrantTypes.All(g => Grants.Contains(g, StringComparer.Ordinal)), "a grant type is not offered."),
        (client.Resources.Count > 0, "it names no resource."),
        (client.Metadata.SubjectType is "public" or "pairwise", "subject_type is public or pairwise."),
        (client.Metadata.DefaultMaxAge is null or >= 0, "default_max_age is a number of seconds."),
    ];

    private static IEnumerable<(bool, string)> Authentication(Client client)
    {
        var (metadata, method) = (client.Metadata, client.Metadata.TokenEndpointAuthMethod);
        var names = new[] { metadata.TlsClientAuthSubjectDn, metadata.TlsClientAuthSanDns, metadata.TlsClientAuthSanUri }.Count(n => n is not null);
        return
        [
            (client.IsPublic == (method is "none"), "a public client has token_endpoint_auth_method none, a confidential one has another."),
            (method is "none" || KeyMethods.Contains(method, StringComparer.Ordinal) || SecretMethods.Contains(method, StringComparer.Ordinal), "token_endpoint_auth_method is not offered."),
            // A shared secret is copied; older libraries know nothing else (docs/DIVERGENCES.md).
            (client.IsCompat || !SecretMethods.Contains(method, StringComparer.Ordinal), "client secrets are for the profile oidc-compat only."),
            (SecretMethods.Contains(method, StringComparer.Ordinal) == (metadata.ClientSecretSha256 is not null), "client_secret_sha256 stands beside client_secret_basic and client_secret_post, and only there."),
            (metadata.ClientSecretSha256 is not { } hash || (hash.Length == 64 && hash.All(char.IsAsciiHexDigitLower)), "client_secret_sha256 is 64 lower-case hex digits."),
            (client.Jwks is null || metadata.JwksUri is null, "jwks and jwks_uri exclude each other (RFC 7591 2)."),
            (method is not ("private_key_jwt" or "self_signed_tls_client_auth") || client.Jwks is not null || metadata.JwksUri is not null,
                "a confidential client registers its public keys (private_key_jwt)."),
            ((method is "tls_client_auth" ? 1 : 0) == names, "tls_client_auth names exactly one of subject, DNS name and URI (RFC 8705 2.1.2), other methods none."),
            (!client.IsPublic || !client.GrantTypes.Contains("client_credentials"), "a public client cannot authenticate itself."),
            (client.Jwks is null || HasPublicKeysOnly(client.Jwks, client.IsCompat), "each key has a kid and no private part."),
        ];
    }

    private static IEnumerable<(bool, string)> Algorithms(Client client)
    {
        var m = client.Metadata;
        bool Offered(string? alg) => alg is null or "ES256" or "PS256" || (alg is "RS256" && client.IsCompat);
        return
        [
            (Offered(m.IdTokenSignedResponseAlg) && Offered(m.UserinfoSignedResponseAlg) && Offered(m.IntrospectionSignedResponseAlg) && Offered(m.AuthorizationSignedResponseAlg)
                && Offered(m.RequestObjectSigningAlg) && Offered(m.TokenEndpointAuthSigningAlg) && Offered(m.BackchannelAuthenticationRequestSigningAlg),
                "an algorithm is none of ES256 and PS256 (RS256 in oidc-compat only)."),
            (!m.RequireSignedRequestObject || client.Jwks is not null || m.JwksUri is not null, "signed request objects need registered keys."),
        ];
    }

    // FAPI 2.0 Security Profile 5.3.2.1.
    private static IEnumerable<(bool, string)> Fapi2(Client client) => !client.IsFapi2 ? [] :
    [
        (KeyMethods.Contains(client.Metadata.TokenEndpointAuthMethod, StringComparer.Ordinal), "fapi2 proves itself by private_key_jwt or by its certificate."),
        (client.Metadata.IsSenderConstrained, "fapi2 binds its tokens: dpop_bound_access_tokens or tls_client_certificate_bound_access_tokens."),
        (!client.GrantTypes.Contains("urn:openid:params:grant-type:ciba") || client.Metadata.BackchannelAuthenticationRequestSigningAlg is not null,
            "fapi2 signs its CIBA requests: backchannel_authentication_request_signing_alg."),
    ];

    private static IEnumerable<(bool, string)> Addresses(Client client)
    {
        var m = client.Metadata;
        // What the provider itself calls is https without exception; what a browser is sent to may be a native application's loopback address.
        string?[] called = [m.JwksUri, m.SectorIdentifierUri, m.BackchannelLogoutUri, m.BackchannelClientNotificationEndpoint];
        string?[] shown = [m.ClientUri, m.LogoUri, m.PolicyUri, m.TosUri, m.InitiateLoginUri, m.FrontchannelLogoutUri];
        return
        [
            // RFC 9700 2.6 and RFC 8252 7.3: plain http only to the loopback interface.
            (client.RedirectUris.Concat(client.PostLogoutRedirectUris).All(IsAllowedRedirect), "a redirect URI is not absolute https (or http on 127.0.0.1), or carries a fragment."),
            (!client.GrantTypes.Contains("authorization_code") || client.RedirectUris.Count > 0, "the authorization code grant needs a redirect URI."),
            // OpenID Connect Core 8.1: one sector is one host, or a document that says so.
            (m.SubjectType is not "pairwise" || m.SectorIdentifierUri is not null || client.RedirectUris.Select(HostOf).Distinct(StringComparer.Ordinal).Count() == 1,
                "pairwise subjects with redirect URIs at several hosts, or none, need a sector_identifier_uri."),
            (called.Concat(shown).All(u => u is null || IsHttps(u)), "an address is not absolute https."),
        ];
    }

    private static IEnumerable<(bool, string)> Extensions(Client client)
    {
        var m = client.Metadata;
        var ciba = client.GrantTypes.Contains("urn:openid:params:grant-type:ciba");
        return
        [
            (ciba == m.BackchannelTokenDeliveryMode is not null && m.BackchannelTokenDeliveryMode is null or "poll" or "ping", "backchannel_token_delivery_mode is poll or ping, for a CIBA client only."),
            ((m.BackchannelTokenDeliveryMode is "ping") == (m.BackchannelClientNotificationEndpoint is not null), "ping names backchannel_client_notification_endpoint, poll none."),
            (!client.IsPublic || !ciba, "a public client cannot use CIBA."),
            (!(m.DpopBoundAccessTokens && m.TlsClientCertificateBoundAccessTokens), "tokens are bound to one thing: a key (DPoP) or a certificate."),
        ];
    }

    private static bool HasPublicKeysOnly(string jwks, bool kidOptional)
    {
        try
        {
            var keys = new JsonWebKeySet(jwks).Keys;
            // RFC 7517 4.5: with one key there is nothing to tell apart.
            return keys.Count > 0 && keys.All(k => k is not null && (k.Kid is { Length: > 0 } || (kidOptional && keys.Count == 1)) && !k.HasPrivateKey);
        }
        catch (Exception e) when (e is ArgumentException or JsonException or FormatException)
        {
            return false;
        }
    }

    private static string HostOf(string address) => Uri.TryCreate(address, UriKind.Absolute, out var uri) ? uri.IdnHost : "";

    /// <summary>True for an absolute https address without fragment and user.</summary>
    internal static bool IsHttps(string value) =>
        Uri.TryCreate(value, UriKind.Absolute, out var uri) && uri.Scheme == Uri.UriSchemeHttps && uri.Fragment.Length == 0 && !value.Contains('#', StringComparison.Ordinal) && uri.UserInfo.Length == 0;

    /// <summary>True for an address that a browser may be sent back to: https, or a native application's loopback address.</summary>
    internal static bool IsAllowedRedirect(string value) =>
        IsHttps(value)
        || (Uri.TryCreate(value, UriKind.Absolute, out var uri) && uri.Fragment.Length == 0 && !value.Contains('#', StringComparison.Ordinal) && uri.UserInfo.Length == 0
            && uri.Scheme == Uri.UriSchemeHttp && uri.Host is "127.0.0.1" or "[::1]" or "localhost");
}

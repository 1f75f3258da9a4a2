using System.Text.Json;
using Trust.Idp.Authorize;
using Trust.Idp.Clients;
using Trust.Idp.Login;
using Trust.Idp.Token;

namespace Trust.Idp.Discovery;

/// <summary>OpenID Connect Discovery and RFC 8414 metadata. Every URL comes from the configured issuer, never from the request.</summary>
public sealed class ShowMetadata(IdpOptions options)
{
    /// <summary>Answers from the configuration.</summary>
    public IResult Handle(HttpContext context)
    {
        context.Response.Headers.CacheControl = "public, max-age=300";
        var issuer = options.Issuer;
        return Results.Bytes(TokenIssuer.Write(json =>
        {
            json.WriteString("issuer", issuer);
            json.WriteString("authorization_endpoint", issuer + "/authorize");
            json.WriteString("token_endpoint", issuer + "/token");
            json.WriteString("userinfo_endpoint", issuer + "/userinfo");
            json.WriteString("jwks_uri", issuer + "/jwks");
            json.WriteString("introspection_endpoint", issuer + "/introspect");
            json.WriteString("revocation_endpoint", issuer + "/revoke");
            json.WriteString("end_session_endpoint", issuer + "/end-session");
            Array(json, "response_types_supported", "code");
            Array(json, "response_modes_supported", [.. AuthorizationAnswer.Modes]);
            Array(json, "grant_types_supported", [.. ClientRules.Grants]);
            Array(json, "scopes_supported", "openid", "profile", "rx.sign", "rx.review", "rx.read", "rx.claim", "rx.dispense", "rx.void", "patient.register", "consent.record", "validate", "seal",
                "audit.read", "audit.hold", "audit.shred", "registry.read");
            Array(json, "subject_types_supported", "public", "pairwise");
            Array(json, "id_token_signing_alg_values_supported", "ES256", "PS256", "RS256");
            Array(json, "userinfo_signing_alg_values_supported", "ES256", "PS256", "RS256");
            Array(json, "introspection_signing_alg_values_supported", "ES256", "PS256", "RS256");
            Array(json, "dpop_signing_alg_values_supported", "ES256", "PS256");
            foreach (var endpoint in (string[])["token", "introspection", "revocation"])
            {
                Array(json, endpoint + "_endpoint_auth_methods_supported", Methods(endpoint));
                Array(json, endpoint + "_endpoint_auth_signing_alg_values_supported", "ES256", "PS256", "RS256");
            }

            if (options.MtlsUrl is { } own)
            {
                Aliases(json, own);
            }

            Array(json, "code_challenge_methods_supported", "S256");
            Array(json, "claims_supported", "txn", "at_hash", "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "name", "role", "acting_institution", "licence");
            Array(json, "acr_values_supported", [.. AuthenticationContext.Offered]);
            Array(json, "ui_locales_supported", "zh-CN", "en");
            json.WriteBoolean("authorization_response_iss_parameter_supported", true);
            json.WriteString("registration_endpoint", issuer + "/register");
            json.WriteString("check_session_iframe", issuer + "/session");
            json.WriteBoolean("backchannel_logout_supported", true);
            json.WriteBoolean("backchannel_logout_session_supported", true);
            json.WriteBoolean("frontchannel_logout_supported", true);
            json.WriteBoolean("frontchannel_logout_session_supported", true);
            json.WriteString("pushed_authorization_request_endpoint", issuer + "/par");
            json.WriteString("device_authorization_endpoint", issuer + "/device_authorization");
            json.WriteString("backchannel_authentication_endpoint", issuer + "/bc-authorize");
            Array(json, "backchannel_token_delivery_modes_supported", "poll", "ping");
            Array(json, "backchannel_authentication_request_signing_alg_values_supported", "ES256", "PS256");
            json.WriteBoolean("backchannel_user_code_parameter_supported", false);
            json.WriteBoolean("require_pushed_authorization_requests", false);
            json.WriteBoolean("claims_parameter_supported", true);
            json.WriteBoolean("request_parameter_supported", true);
            json.WriteBoolean("request_uri_parameter_supported", false);
            json.WriteBoolean("require_request_uri_registration", false);
            Array(json, "request_object_signing_alg_values_supported", "ES256", "PS256", "RS256");
            Array(json, "authorization_signing_alg_values_supported", "ES256", "PS256", "RS256");
            Array(json, "authorization_details_types_supported", [.. AuthorizationDetails.Types]);
            Array(json, "prompt_values_supported", "none", "login", "consent", "select_account");
            Array(json, "display_values_supported", "page", "popup", "touch", "wap");
        }), "application/json");
    }

    // RFC 8705 5: the same endpoints where a certificate is asked for.
    private static void Aliases(Utf8JsonWriter json, string own)
    {
        json.WriteBoolean("tls_client_certificate_bound_access_tokens", true);
        json.WriteStartObject("mtls_endpoint_aliases");
        json.WriteString("token_endpoint", own + "/token");
        json.WriteString("revocation_endpoint", own + "/revoke");
        json.WriteString("introspection_endpoint", own + "/introspect");
        json.WriteString("userinfo_endpoint", own + "/userinfo");
        json.WriteString("pushed_authorization_request_endpoint", own + "/par");
        json.WriteString("device_authorization_endpoint", own + "/device_authorization");
        json.WriteString("backchannel_authentication_endpoint", own + "/bc-authorize");
        json.WriteEndObject();
    }

    private string[] Methods(string endpoint) =>
    [
        "private_key_jwt", "client_secret_basic", "client_secret_post", .. endpoint is "introspection" ? (string[])[] : ["none"],
        .. options.MtlsUrl is null ? (string[])[] : ["self_signed_tls_client_auth"], .. options.MtlsUrl is null || options.ClientIssuers.Count == 0 ? (string[])[] : ["tls_client_auth"],
    ];

    private static void Array(Utf8JsonWriter json, string name, params ReadOnlySpan<string> values)
    {
        json.WriteStartArray(name);
        foreach (var value in values)
        {
            json.WriteStringValue(value);
        }

        json.WriteEndArray();
    }
}

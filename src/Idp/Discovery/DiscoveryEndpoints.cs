using System.Text.Json;
using Trust.Idp.Keys;

namespace Trust.Idp.Discovery;

/// <summary>OpenID Connect Discovery / RFC 8414 metadata and the JWKS. Every URL comes from the configured issuer, never from the request.</summary>
public static class DiscoveryEndpoints
{
    /// <summary>Maps both; open to anyone.</summary>
    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapGet("/.well-known/openid-configuration", Metadata).AllowAnonymous();
        app.MapGet("/.well-known/oauth-authorization-server", Metadata).AllowAnonymous();
        app.MapGet("/jwks", Keys).AllowAnonymous();
    }

    private static IResult Metadata(HttpContext context, IdpOptions options)
    {
        context.Response.Headers.CacheControl = "public, max-age=300";
        var issuer = options.Issuer;
        return Results.Bytes(Write(json =>
        {
            json.WriteString("issuer", issuer);
            json.WriteString("authorization_endpoint", issuer + "/authorize");
            json.WriteString("token_endpoint", issuer + "/token");
            json.WriteString("userinfo_endpoint", issuer + "/userinfo");
            json.WriteString("jwks_uri", issuer + "/jwks");
            json.WriteString("introspection_endpoint", issuer + "/introspect");
            json.WriteString("end_session_endpoint", issuer + "/end-session");
            Array(json, "response_types_supported", "code");
            Array(json, "response_modes_supported", "query");
            Array(json, "grant_types_supported", "authorization_code", "client_credentials");
            Array(json, "scopes_supported", "openid", "profile", "rx.sign", "rx.review", "rx.read", "rx.claim", "rx.dispense", "patient.register", "consent.record", "validate", "timestamp", "audit.read");
            Array(json, "subject_types_supported", "public");
            Array(json, "id_token_signing_alg_values_supported", "ES256");
            Array(json, "token_endpoint_auth_methods_supported", "private_key_jwt", "none");
            Array(json, "token_endpoint_auth_signing_alg_values_supported", "ES256", "PS256");
            Array(json, "introspection_endpoint_auth_methods_supported", "private_key_jwt");
            Array(json, "code_challenge_methods_supported", "S256");
            Array(json, "claims_supported", "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "name", "role", "acting_institution", "licence");
            Array(json, "acr_values_supported", "urn:trust:acr:card");
            Array(json, "ui_locales_supported", "zh-CN", "en");
            json.WriteBoolean("authorization_response_iss_parameter_supported", true);
            json.WriteBoolean("claims_parameter_supported", false);
            json.WriteBoolean("request_parameter_supported", false);
            json.WriteBoolean("request_uri_parameter_supported", false);
        }), "application/json");
    }

    private static IResult Keys(HttpContext context, SigningKeys keys)
    {
        context.Response.Headers.CacheControl = "public, max-age=300";
        return Results.Bytes(Write(json =>
        {
            json.WriteStartArray("keys");
            foreach (var key in keys.Published)
            {
                json.WriteStartObject();
                json.WriteString("kty", "EC");
                json.WriteString("crv", "P-256");
                json.WriteString("use", "sig");
                json.WriteString("alg", "ES256");
                json.WriteString("kid", key.Kid);
                json.WriteString("x", key.X);
                json.WriteString("y", key.Y);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }), "application/json");
    }

    private static byte[] Write(Action<Utf8JsonWriter> members)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        return stream.ToArray();
    }

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

using System.Text.Json.Nodes;
using Trust.Cli.Local;
using Trust.Conformance.Tests.Suite;

namespace Trust.Conformance.Tests.Modules;

/// <summary>The discovery document by itself (OpenID Connect Discovery 1.0 3, RFC 8414 2).</summary>
internal sealed class ConfigModules(ConformanceRun run, string plan, string variant) : PlanModules(run, plan, variant)
{
    [Module("oidcc-discovery-endpoint-verification")]
    public Task Discovery() => Discovery(Provider);

    /// <summary>What every plan demands of the document.</summary>
    internal static async Task Discovery(Provider provider)
    {
        using var http = Connections.Client(provider.RootFile);
        using var response = await http.GetAsync(provider.Issuer + "/.well-known/openid-configuration");
        Assert.Equal((200, "application/json"), ((int)response.StatusCode, response.Content.Headers.ContentType?.MediaType));
        var document = JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsObject();
        Assert.Equal(provider.Issuer, document["issuer"]!.GetValue<string>());
        Assert.All(document, member => Assert.True(Known.ContainsKey(member.Key), "not a registered member: " + member.Key));
        Assert.All(document, member => Fits(member.Key, member.Value, Known[member.Key]));
        foreach (var name in new[] { "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri" })
        {
            Assert.NotNull(document[name]);
        }

        Contains(document, "scopes_supported", "openid");
        Contains(document, "response_types_supported", "code");
        Contains(document, "id_token_signing_alg_values_supported", "RS256");
        Contains(document, "code_challenge_methods_supported", "S256");
        Assert.NotEmpty(document["subject_types_supported"]!.AsArray());
        Assert.NotEmpty(document["claims_supported"]!.AsArray());
        Assert.All(new[] { "ui_locales_supported", "claims_locales_supported" }.SelectMany(n => document[n] as JsonArray ?? []), Canonical);
        var keys = (await provider.Keys()).Keys;
        Assert.NotEmpty(keys);
        Assert.Equal(keys.Count, keys.Select(k => k.Kid).Distinct(StringComparer.Ordinal).Count());
        Assert.All(keys, k => Assert.True(!k.HasPrivateKey && k.Kid is { Length: > 0 } && k.Kty is "EC" or "RSA" && (k.Kty != "RSA" || k.KeySize >= 2048), "a key: " + k.Kid));
    }

    private static void Contains(JsonObject document, string member, string value) =>
        Assert.Contains(value, (document[member] as JsonArray ?? throw new Xunit.Sdk.XunitException(member + " is missing")).Select(v => v!.GetValue<string>()));

    // RFC 5646 2.1.1: zh-CN, not zh-cn.
    private static void Canonical(JsonNode? locale) => Assert.Matches("^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$", locale!.GetValue<string>());

    private static void Fits(string name, JsonNode? value, Kind kind)
    {
        var fits = kind switch
        {
            Kind.Address => value is JsonValue v && v.TryGetValue<string>(out var text) && Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme == Uri.UriSchemeHttps && uri.Fragment.Length == 0,
            Kind.List => value is JsonArray { Count: > 0 } list && list.All(i => i is JsonValue v && v.TryGetValue<string>(out _)) && list.Select(i => i!.GetValue<string>()).Distinct(StringComparer.Ordinal).Count() == list.Count,
            Kind.Flag => value is JsonValue v && v.TryGetValue<bool>(out _),
            _ => value is JsonObject aliases && aliases.All(a => a.Value is JsonValue v && v.TryGetValue<string>(out var text) && text.StartsWith("https://", StringComparison.Ordinal)),
        };
        Assert.True(fits, $"{name} has another form: {value?.ToJsonString()}");
    }

    private enum Kind
    {
        Address,
        List,
        Flag,
        Aliases,
    }

    // IANA registry "OAuth Authorization Server Metadata", and the members of the OpenID documents.
    private static readonly Dictionary<string, Kind> Known = new(StringComparer.Ordinal)
    {
        ["issuer"] = Kind.Address, ["authorization_endpoint"] = Kind.Address, ["token_endpoint"] = Kind.Address, ["userinfo_endpoint"] = Kind.Address, ["jwks_uri"] = Kind.Address,
        ["registration_endpoint"] = Kind.Address, ["scopes_supported"] = Kind.List, ["response_types_supported"] = Kind.List, ["response_modes_supported"] = Kind.List,
        ["grant_types_supported"] = Kind.List, ["acr_values_supported"] = Kind.List, ["subject_types_supported"] = Kind.List, ["id_token_signing_alg_values_supported"] = Kind.List,
        ["userinfo_signing_alg_values_supported"] = Kind.List, ["request_object_signing_alg_values_supported"] = Kind.List, ["token_endpoint_auth_methods_supported"] = Kind.List,
        ["token_endpoint_auth_signing_alg_values_supported"] = Kind.List, ["display_values_supported"] = Kind.List, ["claim_types_supported"] = Kind.List, ["claims_supported"] = Kind.List,
        ["service_documentation"] = Kind.Address, ["claims_locales_supported"] = Kind.List, ["ui_locales_supported"] = Kind.List, ["claims_parameter_supported"] = Kind.Flag,
        ["request_parameter_supported"] = Kind.Flag, ["request_uri_parameter_supported"] = Kind.Flag, ["require_request_uri_registration"] = Kind.Flag, ["op_policy_uri"] = Kind.Address,
        ["op_tos_uri"] = Kind.Address, ["prompt_values_supported"] = Kind.List,
        ["revocation_endpoint"] = Kind.Address, ["revocation_endpoint_auth_methods_supported"] = Kind.List, ["revocation_endpoint_auth_signing_alg_values_supported"] = Kind.List,
        ["introspection_endpoint"] = Kind.Address, ["introspection_endpoint_auth_methods_supported"] = Kind.List, ["introspection_endpoint_auth_signing_alg_values_supported"] = Kind.List,
        ["introspection_signing_alg_values_supported"] = Kind.List, ["code_challenge_methods_supported"] = Kind.List, ["tls_client_certificate_bound_access_tokens"] = Kind.Flag,
        ["mtls_endpoint_aliases"] = Kind.Aliases, ["device_authorization_endpoint"] = Kind.Address, ["require_signed_request_object"] = Kind.Flag,
        ["pushed_authorization_request_endpoint"] = Kind.Address, ["require_pushed_authorization_requests"] = Kind.Flag, ["dpop_signing_alg_values_supported"] = Kind.List,
        ["authorization_details_types_supported"] = Kind.List, ["authorization_response_iss_parameter_supported"] = Kind.Flag, ["authorization_signing_alg_values_supported"] = Kind.List,
        ["end_session_endpoint"] = Kind.Address, ["check_session_iframe"] = Kind.Address, ["backchannel_logout_supported"] = Kind.Flag, ["backchannel_logout_session_supported"] = Kind.Flag,
        ["frontchannel_logout_supported"] = Kind.Flag, ["frontchannel_logout_session_supported"] = Kind.Flag,
        ["backchannel_token_delivery_modes_supported"] = Kind.List, ["backchannel_authentication_endpoint"] = Kind.Address,
        ["backchannel_authentication_request_signing_alg_values_supported"] = Kind.List, ["backchannel_user_code_parameter_supported"] = Kind.Flag, ["protected_resources"] = Kind.List,
    };
}

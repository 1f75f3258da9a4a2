using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using Trust.Idp.Registration;

namespace Trust.Idp.Tests.Registration;

/// <summary>What a request may register under a grant, and what it may not however it is written.</summary>
public sealed class RegistrationRequestTests
{
    private const string Jwks = """{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}""";

    [Fact]
    public void Rights_come_from_the_grant_and_never_from_the_request()
    {
        var request = Request();
        (request["scope"], request["resources"], request["role"], request["institution"], request["region"], request["profile"], request["client_secret_sha256"], request["unknown"]) =
            ("audit.read", new JsonArray("https://else.example"), "resource-server", "urn:mdid:o:x", "110000", "oidc-compat", new string('0', 64), 1);
        var client = Assert.IsType<RegistrationOutcome.Accepted>(Read(request)).Client;
        Assert.Equal(["openid", "rx.read"], client.Scopes);
        Assert.Equal(["https://sign.example"], client.Resources);
        Assert.Equal(("standard", "510000", null, null), (client.Profile, client.Region, client.Role, client.Institution));
        Assert.Null(client.Metadata.ClientSecretSha256);
    }

    [Theory]
    [InlineData("https://rp.example/cb#f")]
    [InlineData("http://rp.example/cb")]
    [InlineData("https://evil.example/cb")]
    [InlineData("https://rp.example@evil.example/cb")]
    [InlineData("https://rp.example.evil.example/cb")]
    [InlineData("https://user@rp.example/cb")]
    [InlineData("javascript:alert(1)")]
    [InlineData("/cb")]
    public void A_redirect_address_with_a_fragment_without_tls_or_at_another_host_is_refused(string address)
    {
        var request = Request();
        request["redirect_uris"] = new JsonArray(address);
        Assert.Equal("invalid_redirect_uri", Assert.IsType<RegistrationOutcome.Refused>(Read(request)).Error);
    }

    [Theory]
    [InlineData("initiate_login_uri", "http://rp.example/login")]
    [InlineData("initiate_login_uri", "https://evil.example/login")]
    [InlineData("backchannel_logout_uri", "https://evil.example/logout")]
    [InlineData("jwks_uri", "http://rp.example/jwks")]
    [InlineData("logo_uri", "https://evil.example/logo.png")]
    [InlineData("id_token_signed_response_alg", "none")]
    [InlineData("id_token_signed_response_alg", "RS256")]
    [InlineData("request_object_signing_alg", "none")]
    [InlineData("token_endpoint_auth_method", "client_secret_basic")]
    [InlineData("subject_type", "secret")]
    [InlineData("client_name", "a\u0007b")]
    public void Metadata_that_the_gate_refuses_in_a_file_is_refused_here(string member, string value)
    {
        var request = Request();
        request[member] = value;
        Assert.Equal("invalid_client_metadata", Assert.IsType<RegistrationOutcome.Refused>(Read(request)).Error);
    }

    [Theory]
    [InlineData("grant_types", "client_credentials")]
    [InlineData("grant_types", "implicit")]
    [InlineData("response_types", "code id_token")]
    [InlineData("response_types", "token")]
    public void A_grant_or_answer_beyond_the_registration_is_refused(string member, string value)
    {
        var request = Request();
        request[member] = new JsonArray(value);
        Assert.IsType<RegistrationOutcome.Refused>(Read(request));
    }

    [Fact]
    public void A_secret_is_made_for_older_libraries_only_given_out_once_and_kept_over_updates()
    {
        var request = Request();
        request.Remove("jwks");
        var made = Assert.IsType<RegistrationOutcome.Accepted>(Read(request, "oidc-compat"));
        Assert.Equal("client_secret_basic", made.Client.Metadata.TokenEndpointAuthMethod);
        Assert.Equal("RS256", made.Client.Metadata.IdTokenSignedResponseAlg);
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(made.Secret!)));
        Assert.Equal(hash, made.Client.Metadata.ClientSecretSha256);
        var kept = Assert.IsType<RegistrationOutcome.Accepted>(Read(request, "oidc-compat", hash));
        Assert.Null(kept.Secret);
        Assert.Equal(hash, kept.Client.Metadata.ClientSecretSha256);
    }

    [Fact]
    public void A_client_of_fapi2_is_bound_to_a_key_of_its_own_unless_it_names_a_certificate()
    {
        Assert.True(Assert.IsType<RegistrationOutcome.Accepted>(Read(Request(), "fapi2")).Client.Metadata.DpopBoundAccessTokens);
        var request = Request();
        request["tls_client_certificate_bound_access_tokens"] = true;
        Assert.False(Assert.IsType<RegistrationOutcome.Accepted>(Read(request, "fapi2")).Client.Metadata.DpopBoundAccessTokens);
    }

    [Fact]
    public void Whatever_a_member_is_the_answer_is_one_of_the_two()
    {
        string[] names = [.. Request().Select(m => m.Key), "jwks_uri", "contacts", "default_max_age", "dpop_bound_access_tokens", "response_types", "client_name#zh-CN", "post_logout_redirect_uris", "default_acr_values"];
        string[] values = ["null", "1", "-1", "1e400", "\"\"", "\"x\"", "[]", "[null]", "[1]", "[[\"x\"]]", "{}", "{\"keys\":[]}", "{\"keys\":[null]}", "true", "\"\\u0000\"", "[\"https://rp.example/cb\",null]", "\"https://\"", "[\"https://[::1\"]"];
        Gen.Select(Gen.Int[0, names.Length - 1], Gen.Int[0, values.Length - 1]).Array[1, 4].Sample(
            changes =>
            {
                var request = Request();
                foreach (var (name, value) in changes)
                {
                    request[names[name]] = JsonNode.Parse(values[value]);
                }

                Assert.NotNull(Read(request));
            },
            iter: 3000, threads: 1);
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{\"a\":1,\"a\":2}")]
    [InlineData("{")]
    [InlineData("")]
    [InlineData("\"x\"")]
    public void A_body_that_is_no_object_or_names_a_member_twice_is_none(string body) => Assert.Null(RegistrationRequest.Parse(Encoding.UTF8.GetBytes(body)));

    private static JsonObject Request() => new()
    {
        ["redirect_uris"] = new JsonArray("https://rp.example/cb"), ["client_name"] = "Ward", ["jwks"] = JsonNode.Parse(Jwks), ["grant_types"] = new JsonArray("authorization_code"),
    };

    private static RegistrationOutcome Read(JsonObject request, string profile = "standard", string? secret = null) => RegistrationRequest.Read(
        request,
        new RegistrationGrant(Guid.Empty, ["rp.example"], profile, ["authorization_code", "refresh_token"], ["openid", "rx.read"], ["https://sign.example"], null, null, "510000"), "dcr-1", secret);
}

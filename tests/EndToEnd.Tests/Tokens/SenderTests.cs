using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;

namespace Trust.EndToEnd.Tests.Tokens;

/// <summary>Tokens held to their senders (RFC 9449, RFC 8705, standards/idp.md §7 rows 9, 14, 15; reviews M17).</summary>
public sealed class SenderTests(RunningTrust trust)
{
    [Fact]
    public async Task A_token_bound_to_a_key_is_worth_nothing_without_it_at_userinfo_and_at_the_signing_service()
    {
        using var client = await TestClient.Register(trust, ("dpop_bound_access_tokens", true));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var code = await client.Code();
        Assert.Equal("invalid_dpop_proof", Text(await client.Redeem(code), "error"));
        var granted = await client.Redeem(code, key);
        Assert.Equal("DPoP", Text(granted, "token_type"));
        var token = Text(granted, "access_token");
        Assert.Equal(key.Thumbprint(), Claims(token)["cnf"]!["jkt"]!.GetValue<string>());

        var userinfo = client.Issuer + "/userinfo";
        Assert.Equal(200, (await client.UserInfo(token, "DPoP", TestClient.Proof(key, "GET", userinfo, token))).Status);
        Assert.Equal(200, (await client.UserInfo(token, "dpop", TestClient.Proof(key, "GET", userinfo, token))).Status);
        Assert.Equal(401, (await client.UserInfo(token)).Status);
        Assert.Equal(401, (await client.UserInfo(token, "Bearer", TestClient.Proof(key, "GET", userinfo, token))).Status);
        Assert.Equal(401, (await client.UserInfo(token, "DPoP")).Status);
        Assert.Equal(401, (await client.UserInfo(token, "DPoP", TestClient.Proof(other, "GET", userinfo, token))).Status);
        Assert.Equal(401, (await client.UserInfo(token, "DPoP", TestClient.Proof(key, "GET", userinfo))).Status);
        Assert.Equal(401, (await client.UserInfo(token, "DPoP", TestClient.Proof(key, "GET", userinfo, token + "x"))).Status);

        var prescriptions = trust.Sign + "/prescriptions/" + Guid.CreateVersion7();
        Assert.NotEqual(401, await Get(prescriptions, "DPoP", token, TestClient.Proof(key, "GET", prescriptions, token)));
        Assert.Equal(401, await Get(prescriptions, "Bearer", token, null));
        Assert.Equal(401, await Get(prescriptions, "DPoP", token, TestClient.Proof(other, "GET", prescriptions, token)));
        Assert.Equal(401, await Get(prescriptions, "DPoP", token, TestClient.Proof(key, "GET", userinfo, token)));
    }

    [Fact]
    public async Task A_proof_counts_once_and_another_instance_would_know()
    {
        using var client = await TestClient.Register(trust, ("dpop_bound_access_tokens", true));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var token = Text(await client.Redeem(await client.Code(), key), "access_token");
        var proof = TestClient.Proof(key, "GET", client.Issuer + "/userinfo", token);
        Assert.Equal(200, (await client.UserInfo(token, "DPoP", proof)).Status);
        Assert.Equal(401, (await client.UserInfo(token, "DPoP", proof)).Status);
    }

    [Fact]
    public async Task A_client_that_registered_nothing_is_bound_by_the_proof_that_it_sends()
    {
        using var client = await TestClient.Register(trust);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var token = Text(await client.Redeem(await client.Code(), key), "access_token");
        Assert.Equal(401, (await client.UserInfo(token)).Status);
        Assert.Equal(200, (await client.UserInfo(token, "DPoP", TestClient.Proof(key, "GET", client.Issuer + "/userinfo", token))).Status);
    }

    [Fact]
    public async Task A_client_proves_itself_by_the_certificate_it_registered_and_its_token_is_held_to_it()
    {
        var (certificate, jwks) = TestClient.SelfSigned();
        var (foreign, _) = TestClient.SelfSigned();
        using (certificate)
        using (foreign)
        {
            using var client = await TestClient.Register(
                trust, ("token_endpoint_auth_method", "self_signed_tls_client_auth"), ("tls_client_certificate_bound_access_tokens", true), ("jwks", jwks),
                ("grant_types", new JsonArray("authorization_code", "client_credentials")));
            var code = await client.Code();
            (string, string)[] fields = [("grant_type", "authorization_code"), ("code", code.Code), ("redirect_uri", RunningTrust.Redirect), ("code_verifier", code.Verifier)];
            Assert.Equal(401, (await client.PostWith(foreign, "/token", fields)).Status);
            Assert.Equal(401, (await client.Post("/token", null, named: true, fields)).Status);
            Assert.Equal(401, (await client.Post("/token", null, named: false, fields)).Status);
            var granted = await client.PostWith(certificate, "/token", fields);
            Assert.True(granted.Status == 200, granted.Text);
            var token = Text(granted, "access_token");
            Assert.Equal(Base64Url.EncodeToString(SHA256.HashData(certificate.RawData)), Claims(token)["cnf"]!["x5t#S256"]!.GetValue<string>());
            Assert.Equal(200, (await client.UserInfo(token, certificate: certificate)).Status);
            Assert.Equal(401, (await client.UserInfo(token, certificate: foreign)).Status);
            Assert.Equal(401, (await client.UserInfo(token)).Status);
        }
    }

    [Fact]
    public async Task A_certificate_in_a_header_proves_nothing_and_pages_do_not_live_where_certificates_are_asked_for()
    {
        var (certificate, jwks) = TestClient.SelfSigned();
        using (certificate)
        {
            using var client = await TestClient.Register(trust, ("token_endpoint_auth_method", "self_signed_tls_client_auth"), ("jwks", jwks), ("grant_types", new JsonArray("client_credentials")));
            using var http = Connections.Client(trust.Installation.RootFile);
            using var request = new HttpRequestMessage(HttpMethod.Post, client.Mtls + "/token")
            {
                Content = new FormUrlEncodedContent([new("grant_type", "client_credentials"), new("scope", "rx.read"), new("client_id", client.Id)]),
            };
            var pem = Uri.EscapeDataString(certificate.ExportCertificatePem());
            request.Headers.Add("X-Client-Certificate", pem);
            request.Headers.Add("X-SSL-Client-Cert", pem);
            request.Headers.Add("X-Forwarded-Client-Cert", pem);
            using var answer = await http.SendAsync(request);
            Assert.Equal(401, (int)answer.StatusCode);
            using var page = await http.GetAsync(client.Mtls + "/login");
            Assert.Equal(404, (int)page.StatusCode);
        }
    }

    [Fact]
    public async Task A_secret_opens_a_compat_client_by_the_one_way_it_registered()
    {
        var secret = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
        using var client = await TestClient.Register(
            trust, ("profile", "oidc-compat"), ("token_endpoint_auth_method", "client_secret_post"), ("client_secret_sha256", Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(secret)))),
            ("id_token_signed_response_alg", "RS256"), ("jwks", null));
        var code = await client.Code();
        (string, string)[] fields = [("grant_type", "authorization_code"), ("code", code.Code), ("redirect_uri", RunningTrust.Redirect), ("code_verifier", code.Verifier), ("client_secret", secret)];
        Assert.Equal(401, (await client.Post("/token", null, named: true, [.. fields[..4], ("client_secret", secret[..^1] + "!")])).Status);
        var granted = await client.Post("/token", null, named: true, fields);
        Assert.True(granted.Status == 200, granted.Text);
        Assert.Equal("RS256", Header(Text(granted, "id_token"))["alg"]!.GetValue<string>());
    }

    [Fact]
    public async Task An_id_token_by_PS256_verifies_with_the_published_key()
    {
        using var client = await TestClient.Register(trust, ("id_token_signed_response_alg", "PS256"));
        var token = Text(await client.Redeem(await client.Code()), "id_token");
        using var http = Connections.Client(trust.Installation.RootFile);
        var keys = JsonNode.Parse(await http.GetStringAsync(client.Issuer + "/jwks"))!["keys"]!.AsArray();
        var jwk = keys.Single(k => k!["kid"]!.GetValue<string>() == Header(token)["kid"]!.GetValue<string>())!;
        Assert.Equal("PS256", jwk["alg"]!.GetValue<string>());
        using var rsa = RSA.Create(new RSAParameters { Modulus = Base64Url.DecodeFromChars(jwk["n"]!.GetValue<string>()), Exponent = Base64Url.DecodeFromChars(jwk["e"]!.GetValue<string>()) });
        var signature = token.Split('.')[2];
        Assert.True(rsa.VerifyData(System.Text.Encoding.ASCII.GetBytes(token[..^(signature.Length + 1)]), Base64Url.DecodeFromChars(signature), HashAlgorithmName.SHA256, RSASignaturePadding.Pss));
    }

    [Fact]
    public async Task A_tokens_txn_names_the_event_of_its_issue_in_the_ledger()
    {
        using var client = await TestClient.Register(trust);
        var granted = await client.Redeem(await client.Code());
        var txn = Claims(Text(granted, "access_token"))["txn"]!.GetValue<string>();
        Assert.Equal(txn, Claims(Text(granted, "id_token"))["txn"]!.GetValue<string>());
        await TestKit.Eventually.Holds(async () =>
            (await trust.Installation.Cluster!.Sql("trust", $"SELECT idx IS NOT NULL FROM idp.audit_outbox WHERE id = '{txn}' AND action = 'AUTH.login'", CancellationToken.None)).Trim() == "t",
            "the ledger has the event");
    }

    private async Task<int> Get(string url, string scheme, string token, string? proof)
    {
        using var http = Connections.Client(trust.Installation.RootFile);
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        request.Headers.Authorization = new(scheme, token);
        if (proof is not null)
        {
            request.Headers.Add("DPoP", proof);
        }

        using var answer = await http.SendAsync(request);
        return (int)answer.StatusCode;
    }

    private static JsonObject Header(string token) => JsonNode.Parse(Base64Url.DecodeFromChars(token.Split('.')[0]))!.AsObject();

    private static JsonObject Claims(string token) => JsonNode.Parse(Base64Url.DecodeFromChars(token.Split('.')[1]))!.AsObject();

    private static string Text(Answer answer, string name) => answer.Json?[name]?.GetValue<string>() ?? throw new InvalidDataException($"{answer.Status} {answer.Text} has no {name}.");
}

internal static class EcKeyThumbprint
{
    extension(ECDsa key)
    {
        public string Thumbprint() => Trust.Crypto.Jose.Jwk.Of(key.ExportSubjectPublicKeyInfo()).Thumbprint;
    }
}

using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Trust.Cli.Local;

namespace Trust.EndToEnd.Tests.Login;

/// <summary><c>private_key_jwt</c> (RFC 7523) and what is tried against it.</summary>
public sealed class ClientAuthenticationTests(RunningTrust trust)
{
    private string Issuer => trust.Installation.Addresses.Idp;

    [Fact]
    public async Task An_assertion_counts_once()
    {
        var assertion = trust.World.Client("regulator-sichuan").Assertion(Issuer);
        Assert.Equal(200, (await Token(assertion)).Status);
        Assert.Equal("invalid_client", (await Token(assertion)).Error);
    }

    [Fact]
    public async Task An_assertion_for_the_token_endpoint_or_for_several_audiences_is_refused()
    {
        Assert.Equal("invalid_client", (await Token(trust.World.Client("regulator-sichuan").Assertion(Issuer + "/token"))).Error);
        Assert.Equal("invalid_client", (await Token(Unsigned("ES256", new JsonArray(Issuer), p => p))).Error);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("HS256")]
    [InlineData("RS256")]
    [InlineData("ES384")]
    public async Task An_assertion_with_another_algorithm_is_refused(string algorithm) =>
        Assert.Equal("invalid_client", (await Token(Unsigned(algorithm, Issuer, p => p))).Error);

    [Fact]
    public async Task A_shared_secret_and_a_missing_assertion_are_refused()
    {
        using var http = Connections.Client(trust.Installation.RootFile);
        foreach (var fields in new KeyValuePair<string, string>[][]
        {
            [new("grant_type", "client_credentials"), new("client_id", "regulator-sichuan"), new("client_secret", "x"), new("scope", "audit.read")],
            [new("grant_type", "client_credentials"), new("client_id", "regulator-sichuan"), new("scope", "audit.read")],
        })
        {
            using var content = new FormUrlEncodedContent(fields);
            using var response = await http.PostAsync(Issuer + "/token", content);
            Assert.Equal(401, (int)response.StatusCode);
        }
    }

    [Fact]
    public async Task A_system_alone_never_gets_a_persons_scope()
    {
        using var http = Connections.Client(trust.Installation.RootFile);
        var answer = await trust.World.Client("his-shuan").Token(http, [new("grant_type", "client_credentials"), new("scope", "rx.sign"), new("resource", trust.Sign)], CancellationToken.None);
        Assert.Equal("invalid_scope", answer.Json!["error"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_token_is_told_about_only_to_its_client_or_its_resource()
    {
        var token = await trust.World.Client("regulator-sichuan").OwnToken("audit.read", trust.Installation.Addresses.Ledger, CancellationToken.None);
        Assert.True(await trust.World.Client("regulator-sichuan").IsActive(token, CancellationToken.None));
        Assert.False(await trust.World.Client("pharmacy-jincheng").IsActive(token, CancellationToken.None));
    }

    // Signed with the public key's bytes as an HMAC secret: the algorithm confusion of CVE-2026-11800.
    private string Unsigned(string algorithm, JsonNode audience, Func<string, string> change)
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var header = Base64Url.EncodeToString(Encoding.UTF8.GetBytes($$"""{"alg":"{{algorithm}}","kid":"k1"}"""));
        var payload = Base64Url.EncodeToString(Encoding.UTF8.GetBytes(change(new JsonObject
        {
            ["iss"] = "regulator-sichuan", ["sub"] = "regulator-sichuan", ["aud"] = audience, ["iat"] = now, ["exp"] = now + 60, ["jti"] = Guid.NewGuid().ToString(),
        }.ToJsonString())));
        var signature = algorithm == "none" ? [] : HMACSHA256.HashData(File.ReadAllBytes(trust.Installation.RootFile), Encoding.ASCII.GetBytes(header + "." + payload));
        return header + "." + payload + "." + Base64Url.EncodeToString(signature);
    }

    private async Task<(int Status, string? Error)> Token(string assertion)
    {
        using var http = Connections.Client(trust.Installation.RootFile);
        using var content = new FormUrlEncodedContent([
            new("grant_type", "client_credentials"), new("scope", "audit.read"), new("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), new("client_assertion", assertion),
        ]);
        using var response = await http.PostAsync(Issuer + "/token", content);
        return ((int)response.StatusCode, JsonNode.Parse(await response.Content.ReadAsStringAsync())!["error"]?.GetValue<string>());
    }
}

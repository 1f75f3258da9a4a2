using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Trust.EndToEnd.Tests.Doors;

/// <summary>What strangers send to the provider: nothing of it is a fault of ours, and each protocol answers in its own body.</summary>
public sealed class ProviderDoorTests(RunningTrust trust) : IDisposable
{
    private readonly HttpClient _client = Trust.Cli.Local.Connections.Client(trust.Installation.RootFile);

    // Shapes that a regular expression takes for a JWS, and whose header or payload is none.
    public static TheoryData<string> Malformed => new()
    {
        "a.b.c", "bm90IGpzb24.e30.AA", "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eHg.AA", "eyJhbGciOiJFUzI1NiJ9.WzFd.AA", "a.b.c.d.e", "W10.e30.AA",
        // exp 1e30.
        "eyJhbGciOiJFUzI1NiJ9." + Base64Url("""{"iss":"his-shuan","sub":"his-shuan","exp":1e30,"jti":"x","aud":"x"}""") + ".AA",
    };

    [Theory]
    [MemberData(nameof(Malformed))]
    public async Task A_malformed_client_assertion_is_an_OAuth_error_and_no_fault(string assertion)
    {
        foreach (var path in new[] { "/token", "/introspect" })
        {
            using var answer = await Post(path, new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["grant_type"] = "client_credentials", ["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", ["client_assertion"] = assertion,
            });
            Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
            Assert.Equal("invalid_client", await OAuthErrorOf(answer));
        }
    }

    [Theory]
    [MemberData(nameof(Malformed))]
    public async Task A_malformed_token_at_userinfo_and_end_session_is_refused_and_no_fault(string token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, trust.Installation.Addresses.Idp + "/userinfo") { Headers = { Authorization = new AuthenticationHeaderValue("Bearer", token) } };
        using var answer = await _client.SendAsync(request);
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Contains("invalid_token", answer.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
        using var ended = await _client.GetAsync(new Uri(trust.Installation.Addresses.Idp + "/end-session?id_token_hint=" + token));
        Assert.Equal(HttpStatusCode.SeeOther, ended.StatusCode);
    }

    [Fact]
    public async Task Too_many_form_fields_a_foreign_media_type_and_a_quoted_charset_are_answered_in_the_protocols_body()
    {
        using var many = await Post("/token", Enumerable.Range(0, 1100).ToDictionary(i => "f" + i, _ => "x", StringComparer.Ordinal));
        Assert.Equal(HttpStatusCode.BadRequest, many.StatusCode);
        Assert.Equal("invalid_request", await OAuthErrorOf(many));
        using var content = new StringContent("{}", Encoding.UTF8, "application/json");
        using var json = await _client.PostAsync(new Uri(trust.Installation.Addresses.Idp + "/token"), content);
        Assert.Equal("invalid_request", await OAuthErrorOf(json));
        using var quoted = new ByteArrayContent(Encoding.ASCII.GetBytes("grant_type=client_credentials"));
        quoted.Headers.TryAddWithoutValidation("Content-Type", "application/x-www-form-urlencoded; charset=\"UTF-8\"");
        using var read = await _client.PostAsync(new Uri(trust.Installation.Addresses.Idp + "/token"), quoted);
        Assert.Equal("invalid_client", await OAuthErrorOf(read));
    }

    [Theory]
    [InlineData("/.well-known/openid-configuration")]
    [InlineData("/jwks")]
    [InlineData("/health/live")]
    public async Task HEAD_answers_as_GET_without_a_body(string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Head, trust.Installation.Addresses.Idp + path);
        using var answer = await _client.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Empty(await answer.Content.ReadAsByteArrayAsync());
    }

    // The route table as the running provider shows it: a method that no route knows is told which ones the path knows.
    [Theory]
    [InlineData("/.well-known/openid-configuration", "GET, HEAD")]
    [InlineData("/.well-known/oauth-authorization-server", "GET, HEAD")]
    [InlineData("/jwks", "GET, HEAD")]
    [InlineData("/authorize", "GET, HEAD, POST")]
    [InlineData("/par", "POST")]
    [InlineData("/card", "GET, HEAD")]
    [InlineData("/login/card", "GET, HEAD")]
    [InlineData("/token", "POST")]
    [InlineData("/introspect", "POST")]
    [InlineData("/revoke", "POST")]
    [InlineData("/userinfo", "GET, HEAD, POST")]
    [InlineData("/end-session", "GET, HEAD, POST")]
    [InlineData("/device_authorization", "POST")]
    [InlineData("/bc-authorize", "POST")]
    [InlineData("/ciba", "GET, HEAD")]
    [InlineData("/ciba/0199a6f2-0000-7000-8000-000000000001/decision", "POST")]
    [InlineData("/session", "GET, HEAD")]
    [InlineData("/assets/session.js", "GET, HEAD")]
    [InlineData("/admin/clients", "GET, HEAD")]
    [InlineData("/admin/clients/x", "GET, HEAD")]
    [InlineData("/admin/clients/x/disable", "POST")]
    [InlineData("/admin/client-changes", "GET, HEAD, POST")]
    [InlineData("/admin/client-changes/0199a6f2-0000-7000-8000-000000000001", "GET, HEAD")]
    [InlineData("/admin/client-changes/0199a6f2-0000-7000-8000-000000000001/approvals", "POST")]
    [InlineData("/admin/sessions", "GET, HEAD")]
    [InlineData("/admin/sessions/x/end", "POST")]
    [InlineData("/admin/keys", "GET, HEAD")]
    [InlineData("/admin/keys/ES256/rotation", "POST")]
    [InlineData("/patients", "POST")]
    [InlineData("/consents", "GET, HEAD, POST")]
    [InlineData("/consents/1/withdrawal", "POST")]
    [InlineData("/shreddings/0199a6f2-0000-7000-8000-000000000001", "PUT")]
    [InlineData("/assets/trust.css", "GET, HEAD")]
    [InlineData("/assets/mark.svg", "GET, HEAD")]
    [InlineData("/assets/submit.js", "GET, HEAD")]
    [InlineData("/health/live", "GET, HEAD")]
    [InlineData("/health/ready", "GET, HEAD")]
    [InlineData("/openapi/v1.json", "GET, HEAD")]
    [InlineData("/docs", "GET, HEAD")]
    [InlineData("/audit/sent/1", "GET, HEAD")]
    public async Task Every_path_of_the_table_is_there_with_its_methods_and_no_other(string path, string allowed)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, trust.Installation.Addresses.Idp + path);
        using var answer = await _client.SendAsync(request);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, answer.StatusCode);
        Assert.Equal(allowed, string.Join(", ", answer.Content.Headers.Allow.Order(StringComparer.Ordinal)));
    }

    [Fact]
    public async Task The_document_of_the_provider_describes_the_table_and_nothing_else()
    {
        using var document = JsonDocument.Parse(await _client.GetStringAsync(new Uri(trust.Installation.Addresses.Idp + "/openapi/v1.json")));
        Assert.Equal(
            [
                "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/admin/client-changes", "/admin/client-changes/{id}",
                "/admin/client-changes/{id}/approvals", "/admin/clients", "/admin/clients/{id}", "/admin/clients/{id}/disable", "/admin/keys",
                "/admin/keys/{algorithm}/rotation", "/admin/sessions", "/admin/sessions/{person}/end", "/assets/mark.svg", "/assets/session.js", "/assets/submit.js",
                "/assets/trust.css", "/audit/sent/{index}", "/authorize", "/bc-authorize", "/card", "/ciba", "/ciba/{id}/decision", "/consents",
                "/consents/{id}/withdrawal", "/device_authorization", "/docs", "/docs/init.js", "/docs/scalar.js", "/end-session", "/health/live", "/health/ready",
                "/introspect", "/jwks", "/login/card", "/openapi/v1.json", "/par", "/patients", "/register", "/register/{clientId}", "/revoke", "/session",
                "/shreddings/{id}", "/token", "/userinfo",
            ],
            document.RootElement.GetProperty("paths").EnumerateObject().Select(p => p.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_wrong_method_is_405_and_names_those_that_are_known_and_an_unknown_path_is_404()
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, trust.Installation.Addresses.Idp + "/token");
        using var answer = await _client.SendAsync(request);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, answer.StatusCode);
        Assert.Equal(["POST"], answer.Content.Headers.Allow);
        Assert.Equal("urn:trust:problem:idp:method-not-allowed", await TypeOf(answer));
        using var nothing = await _client.GetAsync(new Uri(trust.Installation.Addresses.Idp + "/nothing-here"));
        Assert.Equal(HttpStatusCode.NotFound, nothing.StatusCode);
        Assert.Equal("urn:trust:problem:idp:no-such-path", await TypeOf(nothing));
    }

    [Fact]
    public async Task A_refusal_speaks_the_callers_language()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, trust.Installation.Addresses.Idp + "/nothing-here");
        request.Headers.AcceptLanguage.ParseAdd("zh-CN, en;q=0.5");
        using var answer = await _client.SendAsync(request);
        Assert.Equal(["zh-CN"], answer.Content.Headers.ContentLanguage);
        // Readable as it stands, without escapes.
        Assert.Contains("没有这个地址", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    public void Dispose() => _client.Dispose();

    private static string Base64Url(string text) => System.Buffers.Text.Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));

    private static async Task<string?> OAuthErrorOf(HttpResponseMessage answer)
    {
        using var body = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        return body.RootElement.GetProperty("error").GetString();
    }

    private static async Task<string?> TypeOf(HttpResponseMessage answer)
    {
        using var body = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        return body.RootElement.GetProperty("type").GetString();
    }

    private async Task<HttpResponseMessage> Post(string path, Dictionary<string, string> fields)
    {
        using var content = new FormUrlEncodedContent(fields);
        return await _client.PostAsync(new Uri(trust.Installation.Addresses.Idp + path), content);
    }
}

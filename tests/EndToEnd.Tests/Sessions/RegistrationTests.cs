using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.EndToEnd.Tests.Browser;
using Trust.TestKit;

namespace Trust.EndToEnd.Tests.Sessions;

/// <summary>Dynamic registration from outside (RFC 7591, RFC 7592), and a client so registered that knows people by names of its own.</summary>
public sealed class RegistrationTests(RunningTrust trust) : IDisposable
{
    private const string Redirect = "https://127.0.0.3:9443/callback";
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly HttpClient _http = Connections.Client(trust.Installation.RootFile);
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    private string Issuer => trust.Installation.Addresses.Idp;

    [Fact]
    public async Task A_client_registers_itself_logs_people_in_under_pairwise_names_and_ends_its_registration()
    {
        var (status, made) = await Send(HttpMethod.Post, "/register", await Grant("standard"), Request("pairwise"));
        Assert.Equal(HttpStatusCode.Created, status);
        var id = made!["client_id"]!.GetValue<string>();
        Assert.Equal("openid profile rx.read", made["scope"]!.GetValue<string>());
        Assert.Null(made["client_secret"]);
        var own = made["registration_access_token"]!.GetValue<string>();
        Assert.Equal($"{Issuer}/register/{id}", made["registration_client_uri"]!.GetValue<string>());

        var client = new OAuthClient(id, _key, Issuer, trust.Installation.RootFile);
        var (urn, card) = await trust.NewPhysician(None);
        var granted = Assert.IsType<LoginResult.Granted>(await client.Login(await card.ForTls(Card.AuthenticationKey, None), Redirect, "openid rx.read", trust.World.Institutions[0], Issuer, None));
        var subject = Claim(granted.IdToken, "sub");
        Assert.Equal(43, subject.Length);
        Assert.DoesNotContain(urn, Encoding.UTF8.GetString(System.Buffers.Text.Base64Url.DecodeFromChars(granted.IdToken.Split('.')[1])), StringComparison.Ordinal);
        using (var request = new HttpRequestMessage(HttpMethod.Get, Issuer + "/userinfo") { Headers = { Authorization = new AuthenticationHeaderValue("Bearer", granted.AccessToken) } })
        using (var info = await _http.SendAsync(request))
        {
            Assert.Equal(subject, JsonNode.Parse(await info.Content.ReadAsStringAsync())!["sub"]!.GetValue<string>());
        }

        Assert.Equal(HttpStatusCode.OK, (await Send(HttpMethod.Get, "/register/" + id, own, null)).Status);
        Assert.True(await client.IsActive(granted.AccessToken, None));
        Assert.Equal(HttpStatusCode.NoContent, (await Send(HttpMethod.Delete, "/register/" + id, own, null)).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await Send(HttpMethod.Get, "/register/" + id, own, null)).Status);
        await Eventually.Holds(async () => await UserInfo(granted.AccessToken) == HttpStatusCode.Unauthorized, "the client's token is dead");
    }

    // Attack row 8 (CVE-2026-16102): an update is judged as a registration is.
    [Fact]
    public async Task An_update_reaches_nothing_that_a_registration_could_not()
    {
        var (_, made) = await Send(HttpMethod.Post, "/register", await Grant("standard"), Request("public"));
        var (id, own) = (made!["client_id"]!.GetValue<string>(), made["registration_access_token"]!.GetValue<string>());
        var change = Request("public");
        change["client_id"] = id;
        change["client_name"] = "Another name";
        var (status, updated) = await Send(HttpMethod.Put, "/register/" + id, own, change);
        Assert.Equal((HttpStatusCode.OK, "Another name"), (status, updated!["client_name"]!.GetValue<string>()));
        foreach (var (member, value) in new (string, JsonNode)[]
        {
            ("redirect_uris", new JsonArray("https://evil.example/cb")), ("redirect_uris", new JsonArray(Redirect + "#f")), ("initiate_login_uri", "http://127.0.0.3/login"),
            ("grant_types", new JsonArray("client_credentials")), ("id_token_signed_response_alg", "none"), ("token_endpoint_auth_method", "client_secret_basic"),
            ("client_id", "his-shuan"), ("registration_access_token", "x"), ("client_secret", "chosen"),
        })
        {
            var widened = change.DeepClone().AsObject();
            widened[member] = value;
            Assert.Equal((member, HttpStatusCode.BadRequest), (member, (await Send(HttpMethod.Put, "/register/" + id, own, widened)).Status));
        }

        var rights = change.DeepClone().AsObject();
        (rights["scope"], rights["role"], rights["profile"]) = ("openid audit.read", "resource-server", "oidc-compat");
        Assert.Equal("openid profile rx.read", (await Send(HttpMethod.Put, "/register/" + id, own, rights)).Body!["scope"]!.GetValue<string>());
        Assert.Equal(HttpStatusCode.Unauthorized, (await Send(HttpMethod.Put, "/register/his-shuan", own, change)).Status);
    }

    [Fact]
    public async Task Without_a_token_or_with_anothers_nothing_is_registered_shown_or_changed()
    {
        Assert.Equal(HttpStatusCode.Unauthorized, (await Send(HttpMethod.Post, "/register", null, Request("public"))).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await Send(HttpMethod.Post, "/register", new string('x', 43), Request("public"))).Status);
        var grant = await Grant("standard");
        var (_, made) = await Send(HttpMethod.Post, "/register", grant, Request("public"));
        var id = made!["client_id"]!.GetValue<string>();
        // The token that lets a client be registered lets none be shown, and a registration's own token registers none.
        Assert.Equal(HttpStatusCode.Unauthorized, (await Send(HttpMethod.Get, "/register/" + id, grant, null)).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await Send(HttpMethod.Post, "/register", made["registration_access_token"]!.GetValue<string>(), Request("public"))).Status);
    }

    [Theory]
    [InlineData("redirect_uris", "https://127.0.0.3:9443/callback#fragment", "invalid_redirect_uri")]
    [InlineData("redirect_uris", "https://elsewhere.example/callback", "invalid_redirect_uri")]
    [InlineData("initiate_login_uri", "http://127.0.0.3/start", "invalid_client_metadata")]
    [InlineData("sector_identifier_uri", "https://127.0.0.3:1/list.json", "invalid_client_metadata")]
    [InlineData("jwks_uri", "https://127.0.0.3:1/jwks", "invalid_client_metadata")]
    public async Task A_refused_registration_says_which_member(string member, string value, string error)
    {
        var request = Request("public");
        request[member] = member is "redirect_uris" ? new JsonArray(value) : value;
        if (member is "jwks_uri")
        {
            request.Remove("jwks");
        }

        var (status, body) = await Send(HttpMethod.Post, "/register", await Grant("standard"), request);
        Assert.Equal((HttpStatusCode.BadRequest, error), (status, body!["error"]!.GetValue<string>()));
    }

    [Fact]
    public async Task A_secret_is_shown_once_and_the_links_of_a_client_stand_on_the_login_page_without_being_loaded()
    {
        var request = Request("public");
        request.Remove("jwks");
        (request["policy_uri"], request["tos_uri"], request["logo_uri"]) = ("https://127.0.0.3/policy", "https://127.0.0.3/terms", "https://127.0.0.3/logo.png");
        var (_, made) = await Send(HttpMethod.Post, "/register", await Grant("oidc-compat"), request);
        Assert.Equal(43, made!["client_secret"]!.GetValue<string>().Length);
        Assert.Null((await Send(HttpMethod.Get, "/register/" + made["client_id"], made["registration_access_token"]!.GetValue<string>(), null)).Body!["client_secret"]);
        using var browser = new HandBrowser(trust);
        var login = await browser.Location(browser.Authorize(("client_id", made["client_id"]!.GetValue<string>()), ("redirect_uri", Redirect), ("resource", Issuer)));
        var page = await browser.Http.GetStringAsync(login);
        foreach (var link in new[] { "https://127.0.0.3/policy", "https://127.0.0.3/terms", "https://127.0.0.3/logo.png" })
        {
            Assert.Contains($"href=\"{link}\"", page, StringComparison.Ordinal);
            Assert.DoesNotContain($"src=\"{link}\"", page, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("hospital.example", "24h")]
    [InlineData("127.0.0.3", "91d")]
    [InlineData("127.0.0.3", "soon")]
    public async Task A_grant_for_an_undeclared_host_or_without_an_end_is_not_issued(string host, string expires) =>
        await Assert.ThrowsAsync<CommandFailedException>(() => trust.Installation.Services["idp"].Verb(
            "issue-registration-token", ["--hosts", host, "--profile", "standard", "--scopes", "openid", "--resources", Issuer, "--expires", expires], None));

    public void Dispose()
    {
        _http.Dispose();
        _key.Dispose();
    }

    private JsonObject Request(string subject) => new()
    {
        ["redirect_uris"] = new JsonArray(Redirect), ["client_name"] = "Self-registered", ["client_name#zh-CN"] = "自注册应用", ["subject_type"] = subject, ["jwks"] = OAuthClient.Jwks(_key),
        ["grant_types"] = new JsonArray("authorization_code"), ["response_types"] = new JsonArray("code"), ["unknown_member"] = 1,
    };

    private async Task<string> Grant(string profile) => (await trust.Installation.Services["idp"].Verb(
        "issue-registration-token", ["--hosts", "127.0.0.3", "--profile", profile, "--scopes", "openid profile rx.read", "--resources", Issuer, "--expires", "24h"], None))
        .Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)[^1];

    private async Task<(HttpStatusCode Status, JsonNode? Body)> Send(HttpMethod method, string path, string? token, JsonObject? body)
    {
        using var request = new HttpRequestMessage(method, Issuer + path);
        request.Headers.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        request.Content = body is null ? null : new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        using var answer = await _http.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        return (answer.StatusCode, text.StartsWith('{') ? JsonNode.Parse(text) : null);
    }

    private async Task<HttpStatusCode> UserInfo(string token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Issuer + "/userinfo") { Headers = { Authorization = new AuthenticationHeaderValue("Bearer", token) } };
        using var answer = await _http.SendAsync(request);
        return answer.StatusCode;
    }

    private static string Claim(string jwt, string name) =>
        JsonNode.Parse(System.Buffers.Text.Base64Url.DecodeFromChars(jwt.Split('.')[1]))![name]!.GetValue<string>();
}

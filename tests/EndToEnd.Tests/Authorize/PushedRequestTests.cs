using System.Globalization;
using System.Net;
using Trust.EndToEnd.Tests.Browser;

namespace Trust.EndToEnd.Tests.Authorize;

/// <summary>Pushed authorization requests (RFC 9126, FAPI 2.0 Security Profile 5.3.2.2; idp.md 7 rows 1, 13, 19).</summary>
public sealed class PushedRequestTests(RunningTrust trust)
{
    [Fact]
    public async Task A_pushed_request_may_be_shown_twice_and_is_answered_once()
    {
        using var client = await RelyingParty.Register(trust, "fapi2");
        using var browser = new HandBrowser(trust);
        var begin = await client.Pushed();
        var (first, second) = (await browser.Location(begin), await browser.Location(begin));
        Assert.Equal(("/login", "/login"), (first.AbsolutePath, second.AbsolutePath));
        var answer = await browser.Accept(await browser.LogIn(trust.World.Physician, second));
        Assert.Equal(("s-1", client.Issuer), (RelyingParty.Of(answer, "state"), RelyingParty.Of(answer, "iss")));
        Assert.Equal(43, RelyingParty.Of(answer, "code")?.Length);
        // Neither the address again nor the page that was loaded first.
        Assert.Equal("?rule=request-expired", (await browser.Location(begin)).Query);
        Assert.Equal("?rule=request-answered", (await browser.Accept(new Uri(first.ToString().Replace("/login?", "/consent?", StringComparison.Ordinal)))).Query);
    }

    [Fact]
    public async Task Another_clients_request_an_invented_one_and_a_value_of_another_kind_are_refused()
    {
        using var client = await RelyingParty.Register(trust, "fapi2");
        using var other = await RelyingParty.Register(trust, "standard");
        using var browser = new HandBrowser(trust);
        var begin = await client.Pushed();
        Assert.Equal("?rule=request-expired", (await browser.Location(begin.Replace(client.Id, other.Id, StringComparison.Ordinal))).Query);
        Assert.Equal("?rule=request-expired", (await browser.Location(other.Begin(("client_id", other.Id), ("request_uri", "urn:ietf:params:oauth:request_uri:" + new string('A', 43))))).Query);
        // CVE-2026-4282: a request_uri is no code, and a code no request_uri.
        var value = begin[(begin.LastIndexOf("%3A", StringComparison.Ordinal) + 3)..];
        var redeemed = await other.Post("/token", [new("grant_type", "authorization_code"), new("code", value), new("redirect_uri", RunningTrust.Redirect), new("code_verifier", RelyingParty.Verifier)]);
        Assert.Equal((400, "invalid_grant"), (redeemed.Status, redeemed.Json!["error"]!.GetValue<string>()));
        var code = RelyingParty.Of(await RelyingParty.Answer(browser, trust.World.Physician, await client.Pushed()), "code")!;
        Assert.Equal("?rule=request-expired", (await browser.Location(client.Begin(("client_id", client.Id), ("request_uri", "urn:ietf:params:oauth:request_uri:" + code)))).Query);
    }

    [Fact]
    public async Task The_pushed_values_win_and_a_state_outside_is_never_echoed()
    {
        using var client = await RelyingParty.Register(trust, "fapi2");
        using var browser = new HandBrowser(trust);
        var begin = await client.Pushed(("state", ""), ("nonce", ""));
        var answer = await RelyingParty.Answer(browser, trust.World.Physician, begin + "&state=outside&redirect_uri=https%3A%2F%2Fevil.example&prompt=none&scope=all");
        Assert.StartsWith(RunningTrust.Redirect + "?code=", answer.ToString(), StringComparison.Ordinal);
        Assert.Null(RelyingParty.Of(answer, "state"));
    }

    [Theory]
    [InlineData("fapi2", "")]
    [InlineData("standard", "require_pushed_authorization_requests")]
    public async Task A_client_that_pushes_its_requests_is_answered_by_a_page_when_one_comes_by_the_address(string profile, string required)
    {
        using var client = required.Length == 0 ? await RelyingParty.Register(trust, profile) : await RelyingParty.Register(trust, profile, (required, true));
        using var browser = new HandBrowser(trust);
        Assert.Equal("?rule=request-not-pushed", (await browser.Location(client.BeginPlainly())).Query);
        Assert.Equal("?rule=request-not-pushed", (await browser.Location(client.Begin(("client_id", client.Id), ("request", client.RequestObject())))).Query);
        Assert.Equal("/login", (await browser.Location(await client.Pushed())).AbsolutePath);
    }

    [Theory]
    [InlineData("redirect_uri", "", "invalid_request")]
    [InlineData("redirect_uri", "https://127.0.0.10:9443/other", "invalid_request")]
    [InlineData("code_challenge", "", "invalid_request")]
    [InlineData("code_challenge_method", "plain", "invalid_request")]
    [InlineData("response_type", "token", "unsupported_response_type")]
    [InlineData("response_type", "code id_token", "unsupported_response_type")]
    [InlineData("response_type", "", "unsupported_response_type")]
    [InlineData("response_mode", "fragment", "invalid_request")]
    [InlineData("request_uri", "urn:ietf:params:oauth:request_uri:x", "invalid_request")]
    [InlineData("request", "eyJhbGciOiJub25lIn0.e30.", "invalid_request_object")]
    [InlineData("scope", "openid audit.read", "invalid_scope")]
    [InlineData("claims", "[]", "invalid_request")]
    [InlineData("claims", "{\"id_token\":{\"acr\":{\"essential\":true,\"value\":\"urn:other\"}}}", "unmet_authentication_requirements")]
    [InlineData("authorization_details", "[{\"type\":\"payment\"}]", "invalid_authorization_details")]
    [InlineData("dpop_jkt", "short", "invalid_request")]
    public async Task A_pushed_request_that_breaks_a_rule_is_refused_at_once(string name, string value, string error)
    {
        var client = await RelyingParty.Shared("fapi2", () => RelyingParty.Register(trust, "fapi2"));
        var (status, json) = await client.Post("/par", client.Request((name, value)));
        Assert.Equal((400, error), (status, json!["error"]!.GetValue<string>()));
    }

    [Fact]
    public async Task Without_its_credentials_twice_one_parameter_by_another_verb_or_beyond_the_bound_nothing_is_pushed()
    {
        using var client = await RelyingParty.Register(trust, "fapi2");
        var (status, json) = await client.Post("/par", client.Request(), authenticate: false);
        Assert.Equal((401, "invalid_client"), (status, json!["error"]!.GetValue<string>()));
        var twice = await client.Post("/par", [.. client.Request(), new("state", "s-2")]);
        Assert.Equal((400, "invalid_request"), (twice.Status, twice.Json!["error"]!.GetValue<string>()));
        Assert.Equal(413, await TooLarge(client));
        using var http = Cli.Local.Connections.Client(trust.Installation.RootFile);
        foreach (var verb in new[] { HttpMethod.Get, HttpMethod.Put, HttpMethod.Delete })
        {
            using var request = new HttpRequestMessage(verb, client.Issuer + "/par");
            using var answer = await http.SendAsync(request);
            Assert.Equal(HttpStatusCode.MethodNotAllowed, answer.StatusCode);
        }
    }

    // FAPI 2.0 5.3.2.1 item 12: ensure-mismatched-dpop-jkt-fails, ensure-dpopproof-at-par-endpoint-binding-success.
    [Fact]
    public async Task The_key_shown_where_the_request_is_pushed_is_the_codes()
    {
        using var client = await RelyingParty.Register(trust, "fapi2");
        using var browser = new HandBrowser(trust);
        foreach (var (path, jkt) in new[] { ("/token", ""), ("/par", new string('A', 43)) })
        {
            var refused = await client.Post("/par", client.Request(("dpop_jkt", jkt)), proof: client.Proof(path));
            Assert.Equal((400, "invalid_dpop_proof"), (refused.Status, refused.Json!["error"]!.GetValue<string>()));
        }

        var pushed = await client.Post("/par", client.Request(), proof: client.Proof("/par"));
        var answer = await RelyingParty.Answer(browser, trust.World.Physician, client.Begin(("client_id", client.Id), ("request_uri", pushed.Json!["request_uri"]!.GetValue<string>())));
        KeyValuePair<string, string>[] code =
            [new("grant_type", "authorization_code"), new("code", RelyingParty.Of(answer, "code")!), new("redirect_uri", RunningTrust.Redirect), new("code_verifier", RelyingParty.Verifier)];
        using var other = await RelyingParty.Register(trust, "fapi2");
        Assert.Equal("invalid_grant", (await client.Post("/token", code, proof: other.Proof("/token"))).Json!["error"]!.GetValue<string>());
        var (status, tokens) = await client.Post("/token", code, proof: client.Proof("/token"));
        Assert.Equal((200, "DPoP"), (status, tokens!["token_type"]?.GetValue<string>()));
    }

    [Fact]
    public async Task An_address_of_someones_own_is_fetched_by_nobody()
    {
        using var client = await RelyingParty.Register(trust, "standard");
        using var browser = new HandBrowser(trust);
        var answer = await browser.Location(client.BeginPlainly(("request_uri", "https://127.0.0.10:9443/request.jwt")));
        Assert.Equal(("request_uri_not_supported", "s-1"), (RelyingParty.Of(answer, "error"), RelyingParty.Of(answer, "state")));
    }

    [Fact]
    public async Task A_refusal_of_the_person_is_told_to_the_client_and_uses_the_request_up()
    {
        using var client = await RelyingParty.Register(trust, "fapi2");
        using var browser = new HandBrowser(trust);
        var begin = await client.Pushed();
        var consent = await browser.LogIn(trust.World.Physician, await browser.Location(begin));
        var page = await browser.Http.GetStringAsync(consent);
        using var form = new FormUrlEncodedContent([new("request", RelyingParty.Hidden(page, "request")), new("decision", "deny"), new("form", FormToken(page))]);
        using var decided = await browser.Http.PostAsync(client.Issuer + "/consent", form);
        Assert.Equal(("access_denied", "s-1"), (RelyingParty.Of(decided.Headers.Location!, "error"), RelyingParty.Of(decided.Headers.Location!, "state")));
        Assert.Equal("?rule=request-expired", (await browser.Location(begin)).Query);
    }

    [Fact]
    public async Task Older_libraries_may_leave_PKCE_out_and_nobody_the_redirect_address()
    {
        using var client = await RelyingParty.Register(trust, "oidc-compat");
        using var browser = new HandBrowser(trust);
        Assert.Equal("/login", (await browser.Location(client.BeginPlainly(("code_challenge", ""), ("code_challenge_method", "")))).AbsolutePath);
        Assert.Equal("/error", (await browser.Location(client.BeginPlainly(("redirect_uri", "")))).AbsolutePath);
        Assert.Equal("invalid_request", RelyingParty.Of(await browser.Location(client.BeginPlainly(("code_challenge_method", "plain"))), "error"));
        // Unknown parameters and wishes that cannot be met are no errors.
        Assert.Equal("/login", (await browser.Location(client.BeginPlainly(
            ("extra", "foobar"), ("display", "popup"), ("login_hint", "x@example"), ("claims_locales", "se"), ("acr_values", "1 2"), ("claims", "{\"userinfo\":{\"name\":{\"essential\":true}}}")))).AbsolutePath);
        using var post = new FormUrlEncodedContent(client.Request());
        using var posted = await browser.Http.PostAsync(client.Issuer + "/authorize", post);
        Assert.StartsWith("/login?request=", posted.Headers.Location!.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, await Count($"SELECT count(*) FROM idp.codes WHERE client_id = '{client.Id}'"));
    }

    // The provider may close the connection before all of it is sent.
    private static async Task<int> TooLarge(RelyingParty client)
    {
        try
        {
            return (await client.Post("/par", [.. client.Request(), .. Enumerable.Range(0, 20).Select(i => KeyValuePair.Create("x" + i, new string('x', 4000)))])).Status;
        }
        catch (HttpRequestException)
        {
            return 413;
        }
    }

    private static string FormToken(string page) => System.Text.RegularExpressions.Regex.Match(page, "name=\"form\"[^>]* value=\"(?<value>[^\"]+)\"", System.Text.RegularExpressions.RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1)).Groups["value"].Value;

    private async Task<long> Count(string sql) => long.Parse((await trust.Installation.Cluster!.Sql("trust", sql, CancellationToken.None)).Trim(), CultureInfo.InvariantCulture);
}

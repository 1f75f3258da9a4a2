using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.EndToEnd.Tests.Browser;

namespace Trust.EndToEnd.Tests.Sessions;

/// <summary>RP-initiated, front-channel and everywhere: who is logged out, who is told, and where a browser never goes.</summary>
public sealed partial class LogoutTests(RunningTrust trust)
{
    private const string After = "https://127.0.0.10:9443/";
    private static readonly CancellationToken None = CancellationToken.None;

    private string Issuer => trust.Installation.Addresses.Idp;

    [Fact]
    public async Task A_logout_by_a_good_hint_goes_on_with_the_state_and_afterwards_nobody_is_logged_in()
    {
        var (browser, token) = await LogIn();
        using (browser)
        {
            Assert.Contains("code=", (await browser.Location(browser.Authorize(("prompt", "none")))).Query, StringComparison.Ordinal);
            var next = await browser.Location($"{Issuer}/end-session?id_token_hint={token}&post_logout_redirect_uri={Uri.EscapeDataString(After)}&state=s-9");
            Assert.Equal(After + "?state=s-9", next.ToString());
            Assert.Contains("error=login_required", (await browser.Location(browser.Authorize(("prompt", "none")))).Query, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Without_a_state_none_is_invented()
    {
        var (browser, token) = await LogIn();
        using (browser)
        {
            Assert.Equal(After, (await browser.Location($"{Issuer}/end-session?id_token_hint={token}&post_logout_redirect_uri={Uri.EscapeDataString(After)}")).ToString());
        }
    }

    // Attack row 3 and conformance section D: nothing of these redirects, and the session lives.
    [Theory]
    [InlineData("good", "https://127.0.0.10:9443/other")]
    [InlineData("good", "https://127.0.0.10:9443/?added=1")]
    [InlineData("good", "https://127.0.0.10:9443@evil.example/")]
    [InlineData("good", "https://127.0.0.10:9443/#f")]
    [InlineData("good", "HTTPS://127.0.0.10:9443/")]
    [InlineData("good", "https://127.0.0.10.evil.example:9443/")]
    [InlineData("good", "http://127.0.0.10:9443/")]
    [InlineData("none", After)]
    [InlineData("unsigned", After)]
    [InlineData("foreign", After)]
    [InlineData("changed", After)]
    [InlineData("garbage", After)]
    public async Task A_bad_address_or_hint_never_redirects_and_ends_nothing(string hint, string target)
    {
        var (browser, token) = await LogIn();
        using (browser)
        {
            var parts = token.Split('.');
            var sent = hint switch
            {
                "good" => token,
                "unsigned" => "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + parts[1] + ".",
                "foreign" => parts[0] + "." + parts[1] + "." + new string('A', 86),
                "changed" => parts[0] + "." + parts[1][..^4] + "AAAA." + parts[2],
                "garbage" => "a.b.c",
                _ => null,
            };
            var at = await browser.Location($"{Issuer}/end-session?post_logout_redirect_uri={Uri.EscapeDataString(target)}" + (sent is null ? "" : "&id_token_hint=" + sent));
            Assert.StartsWith(Issuer + "/", at.ToString(), StringComparison.Ordinal);
            Assert.Contains(at.AbsolutePath, (string[])["/error", "/sign-out"]);
            Assert.Contains("code=", (await browser.Location(browser.Authorize(("prompt", "none")))).Query, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("?state=only")]
    public async Task Without_a_hint_the_person_is_asked_first_and_then_told_that_it_is_over(string query)
    {
        var (browser, _) = await LogIn();
        using (browser)
        {
            Assert.Equal("/sign-out", (await browser.Location(Issuer + "/end-session" + query)).AbsolutePath);
            var done = await SignOut(browser, "here");
            Assert.Equal("/signed-out", done.AbsolutePath);
            using var page = await browser.Http.GetAsync(done);
            Assert.Equal(HttpStatusCode.OK, page.StatusCode);
            Assert.Equal("/signed-out", (await browser.Location(Issuer + "/end-session")).AbsolutePath);
        }
    }

    [Fact]
    public async Task Signing_out_everywhere_ends_the_sessions_of_every_browser_and_their_tokens()
    {
        var (_, card) = await trust.NewPhysician(None);
        var granted = Assert.IsType<LoginResult.Granted>(await trust.Login(card, "openid rx.read", None));
        using var here = new HandBrowser(trust);
        using var there = new HandBrowser(trust);
        await here.LogIn(card);
        await there.LogIn(card);
        await SignOut(here, "everywhere");
        Assert.Contains("error=login_required", (await there.Location(there.Authorize(("prompt", "none")))).Query, StringComparison.Ordinal);
        Assert.False(await trust.World.Client("his-shuan").IsActive(granted.AccessToken, None));
        Assert.Equal(3, await Count($"SELECT count(*) FROM idp.sessions WHERE certificate = '{card.Authentication.Sha256Hex}' AND end_reason = 'logout-everywhere'"));
    }

    [Fact]
    public async Task A_system_that_asked_for_it_is_told_by_a_frame_of_its_origin_alone_before_the_browser_goes_on()
    {
        await Import("front-channel", new JsonObject { ["frontchannel_logout_uri"] = "https://127.0.0.11:9443/front?x=1", ["frontchannel_logout_session_required"] = true });
        var (browser, token) = await LogIn("front-channel");
        using (browser)
        {
            var at = await browser.Location($"{Issuer}/end-session?id_token_hint={token}&post_logout_redirect_uri={Uri.EscapeDataString(After)}&state=s-9");
            Assert.Equal("/signed-out", at.AbsolutePath);
            using var answer = await browser.Http.GetAsync(at);
            var page = WebUtility.HtmlDecode(await answer.Content.ReadAsStringAsync());
            var frame = Frame().Match(page).Groups["value"].Value;
            Assert.StartsWith("https://127.0.0.11:9443/front?x=1&iss=" + Uri.EscapeDataString(Issuer) + "&sid=", frame, StringComparison.Ordinal);
            Assert.Contains("frame-src https://127.0.0.11:9443;", answer.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
            Assert.Contains($"content=\"3;url={After}?state=s-9\"", page, StringComparison.Ordinal);
            Assert.DoesNotContain("<script", page, StringComparison.Ordinal);
        }
    }

    // Attack row 21: where the signed-out page goes on to is what we wrote, not what a link says.
    [Fact]
    public async Task A_ticket_that_is_none_of_ours_leads_nowhere()
    {
        using var browser = new HandBrowser(trust);
        var page = await browser.Http.GetStringAsync(Issuer + "/signed-out?logout=" + Uri.EscapeDataString("{\"Target\":\"https://evil.example/\"}"));
        Assert.DoesNotContain("evil.example", page, StringComparison.Ordinal);
        Assert.DoesNotContain("http-equiv=\"refresh\"", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_system_at_an_undeclared_host_cannot_have_itself_told()
    {
        var refused = await Assert.ThrowsAsync<CommandFailedException>(() => Import("undeclared", new JsonObject { ["backchannel_logout_uri"] = "https://hospital.example/logout" }));
        Assert.Contains("backchannel_logout_uri is not at a declared peer", refused.Message, StringComparison.Ordinal);
    }

    private async Task<(HandBrowser Browser, string IdToken)> LogIn(string client = "his-shuan")
    {
        var (_, card) = await trust.NewPhysician(None);
        var browser = new HandBrowser(trust);
        var consent = await browser.LogIn(card, await browser.Location(browser.Authorize(("client_id", client))));
        var callback = await browser.Accept(consent);
        var granted = Assert.IsType<LoginResult.Granted>(await Client(client).Redeem(new AuthorizeResult.Answered(callback, new string('v', 43), "s-1"), RunningTrust.Redirect, None));
        return (browser, granted.IdToken);
    }

    private readonly Dictionary<string, OAuthClient> _clients = new(StringComparer.Ordinal);

    private OAuthClient Client(string id) => _clients.TryGetValue(id, out var own) ? own : trust.World.Client(id);

    private async Task Import(string id, JsonObject more)
    {
        var (client, own) = TestRegistration.New(trust, id);
        foreach (var (name, value) in more)
        {
            client[name] = value?.DeepClone();
        }

        await TestRegistration.Import(trust, client, None);
        _clients[id] = own;
    }

    private static async Task<Uri> SignOut(HandBrowser browser, string where)
    {
        var page = await browser.Http.GetStringAsync(browser.Issuer + "/sign-out");
        using var form = new FormUrlEncodedContent([new("where", where), new("form", FormToken().Match(page).Groups["value"].Value)]);
        using var answer = await browser.Http.PostAsync(browser.Issuer + "/sign-out", form);
        return new Uri(new Uri(browser.Issuer), answer.Headers.Location!);
    }

    private async Task<long> Count(string sql) => long.Parse((await trust.Installation.Cluster!.Sql("trust", sql, None)).Trim(), CultureInfo.InvariantCulture);

    [GeneratedRegex("<iframe[^>]* src=\"(?<value>[^\"]+)\"", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Frame();

    [GeneratedRegex("name=\"form\"[^>]* value=\"(?<value>[^\"]+)\"", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex FormToken();
}

using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.EndToEnd.Tests.Browser;

namespace Trust.EndToEnd.Tests.Sessions;

/// <summary>The session in a browser: how it is kept, who replaces it, what it remembers, and whom a refused card makes wait.</summary>
public sealed class SessionTests(RunningTrust trust)
{
    private static readonly CancellationToken None = CancellationToken.None;

    private string Issuer => trust.Installation.Addresses.Idp;

    [Fact]
    public async Task The_cookie_ends_with_the_browser_and_the_one_that_a_script_reads_opens_nothing()
    {
        using var browser = new HandBrowser(trust);
        var (_, card) = await trust.NewPhysician(None);
        await browser.LogIn(card);
        Assert.Equal(DateTime.MinValue, browser.Session!.Expires);
        Assert.True(browser.Session.HttpOnly);
        var state = browser.Named("trust-op-state")!;
        Assert.False(state.HttpOnly);
        Assert.True(state.Secure);
        Assert.NotEqual(browser.Session.Value, state.Value);
    }

    [Fact]
    public async Task The_answer_carries_a_session_state_that_the_frame_would_call_unchanged()
    {
        using var browser = new HandBrowser(trust);
        var (_, card) = await trust.NewPhysician(None);
        var callback = await browser.LogIn(card);
        var state = Field(callback, "session_state")!;
        var text = $"his-shuan https://127.0.0.10:9443 {browser.Named("trust-op-state")!.Value} {state.Split('.')[1]}";
        Assert.Equal(Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(text))), state.Split('.')[0]);
        using var frame = await browser.Http.GetAsync(Issuer + "/session");
        var policy = frame.Headers.GetValues("Content-Security-Policy").Single();
        Assert.Contains("script-src 'self'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("frame-ancestors 'none'", policy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_person_at_the_same_browser_ends_the_session_and_tokens_of_the_first()
    {
        var (first, firstCard) = await trust.NewPhysician(None);
        var (_, secondCard) = await trust.NewPhysician(None);
        using var browser = new HandBrowser(trust);
        var callback = await browser.LogIn(firstCard);
        var granted = Assert.IsType<LoginResult.Granted>(await trust.World.Client("his-shuan").Redeem(new AuthorizeResult.Answered(callback, new string('v', 43), "s-1"), RunningTrust.Redirect, None));
        Assert.True(await trust.World.Client("his-shuan").IsActive(granted.AccessToken, None));
        await browser.Accept(await browser.LogIn(secondCard, await browser.Location(browser.Authorize(("prompt", "login")))));
        Assert.False(await trust.World.Client("his-shuan").IsActive(granted.AccessToken, None));
        Assert.Equal(1, await Count($"SELECT count(*) FROM idp.sessions WHERE person = '{first}' AND end_reason = 'replaced'"));
    }

    [Fact]
    public async Task The_same_card_again_renews_the_login_and_logs_no_application_out()
    {
        var (urn, card) = await trust.NewPhysician(None);
        using var browser = new HandBrowser(trust);
        var callback = await browser.LogIn(card);
        var before = browser.Session!.Value;
        var granted = Assert.IsType<LoginResult.Granted>(await trust.World.Client("his-shuan").Redeem(new AuthorizeResult.Answered(callback, new string('v', 43), "s-1"), RunningTrust.Redirect, None));
        await browser.Accept(await browser.LogIn(card, await browser.Location(browser.Authorize(("prompt", "login")))));
        Assert.NotEqual(before, browser.Session!.Value);
        Assert.True(await trust.World.Client("his-shuan").IsActive(granted.AccessToken, None));
        Assert.Equal(1, await Count($"SELECT count(*) FROM idp.sessions WHERE person = '{urn}'"));
    }

    // Journey H: who practises at two institutions chooses once in a session, deliberately.
    [Fact]
    public async Task A_doctor_at_two_institutions_chooses_once_with_nothing_chosen_for_her_and_renews_silently_afterwards()
    {
        var (client, _) = TestRegistration.New(trust, "regional-platform");
        await TestRegistration.Import(trust, client, None);
        using var browser = new HandBrowser(trust);
        var consent = await browser.LogIn(trust.World.Physician, await browser.Location(browser.Authorize(("client_id", "regional-platform"), ("scope", "openid rx.sign rx.review"))));
        var page = WebUtility.HtmlDecode(await browser.Http.GetStringAsync(consent));
        Assert.Equal(2, page.Split("type=\"radio\"").Length - 1);
        Assert.DoesNotContain("checked", page, StringComparison.Ordinal);
        Assert.DoesNotContain("autofocus", page, StringComparison.Ordinal);
        // A physician reviews no prescriptions: said before, and not found missing afterwards.
        Assert.Contains("此刻不会授予", page, StringComparison.Ordinal);
        Assert.Contains("error=interaction_required", (await browser.Location(browser.Authorize(("client_id", "regional-platform"), ("scope", "openid rx.sign rx.review"), ("prompt", "none")))).Query, StringComparison.Ordinal);
        Assert.Contains("code=", (await browser.Accept(consent)).Query, StringComparison.Ordinal);
        Assert.Contains("code=", (await browser.Location(browser.Authorize(("client_id", "regional-platform"), ("scope", "openid rx.sign rx.review"), ("prompt", "none")))).Query, StringComparison.Ordinal);
        // Another scope is another consent, and not another choice: the notice that was acknowledged is folded, the institution stands.
        Assert.Contains("error=access_denied", (await browser.Location(
            browser.Authorize(("client_id", "regional-platform"), ("prompt", "none"), ("acting_institution", trust.World.Institutions[2])))).Query, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_of_the_hospital_is_confined_to_it_and_may_not_ask_for_another()
    {
        using var browser = new HandBrowser(trust);
        var consent = await browser.LogIn(trust.World.Physician, await browser.Location(browser.Authorize(("prompt", "consent"))));
        var page = await browser.Http.GetStringAsync(consent);
        Assert.DoesNotContain("type=\"radio\"", page, StringComparison.Ordinal);
        Assert.Contains(trust.World.Institutions[0], page, StringComparison.Ordinal);
        Assert.Contains("error=access_denied", (await browser.Location(browser.Authorize(("prompt", "none"), ("acting_institution", trust.World.Institutions[1])))).Query, StringComparison.Ordinal);
        Assert.Contains("error=invalid_request", (await browser.Location(browser.Authorize(("acting_institution", "x")))).Query, StringComparison.Ordinal);
    }

    // Attack row 16.
    [Fact]
    public async Task A_card_that_is_refused_again_and_again_waits_and_a_colleagues_does_not()
    {
        var (_, card) = await trust.NewPhysician(None);
        var (_, colleague) = await trust.NewPhysician(None);
        await trust.World.Officers[1].Api.Post($"/certificates/{card.Authentication.Sha256Hex}/revoke", new JsonObject { ["reason"] = "superseded" }, None);
        using var browser = new HandBrowser(trust);
        var login = await browser.Location(browser.Authorize());
        Uri at = login;
        for (var i = 0; i < 12 && !at.Query.Contains("too-many-attempts", StringComparison.Ordinal); i++)
        {
            at = await browser.LogIn(card, login, follow: false);
        }

        Assert.Contains("refused=too-many-attempts", at.Query, StringComparison.Ordinal);
        using var page = await browser.Http.GetAsync(at);
        Assert.Equal(HttpStatusCode.TooManyRequests, page.StatusCode);
        Assert.InRange(page.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 30);
        Assert.Contains("请在以下时间之后重试", WebUtility.HtmlDecode(await page.Content.ReadAsStringAsync()), StringComparison.Ordinal);
        Assert.IsType<LoginResult.Granted>(await trust.Login(colleague, "openid", None));
    }

    internal static string? Field(Uri address, string name) =>
        address.Query.TrimStart('?').Split('&').Select(p => p.Split('=', 2)).Where(p => p[0] == name).Select(p => Uri.UnescapeDataString(p[1])).FirstOrDefault();

    private async Task<long> Count(string sql) => long.Parse((await trust.Installation.Cluster!.Sql("trust", sql, None)).Trim(), CultureInfo.InvariantCulture);
}

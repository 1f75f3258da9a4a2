using System.Text.Json.Nodes;
using Trust.EndToEnd.Tests.Browser;

namespace Trust.EndToEnd.Tests.Authorize;

/// <summary>The device flow (RFC 8628): typed after the card, decided with open eyes, polled in patience.</summary>
public sealed class DeviceFlowTests(RunningTrust trust)
{
    private const string Grant = "urn:ietf:params:oauth:grant-type:device_code";
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task A_person_types_the_code_after_the_card_sees_who_asks_and_the_device_gets_its_tokens_once()
    {
        using var device = await Device();
        using var other = await Device();
        using var browser = new HandBrowser(trust);
        var (code, user) = await Begin(device);
        Assert.Equal("authorization_pending", await Poll(device, code));
        Assert.Equal("slow_down", await Poll(device, code));
        Assert.Equal("invalid_grant", await Poll(other, code));

        var page = await LoggedIn(browser, trust.World.Physician);
        var asked = await RelyingParty.Submit(browser, page, "/device", ("code", user.ToLowerInvariant()));
        Assert.Equal(200, asked.Status);
        Assert.Contains("测试应用", asked.Page, StringComparison.Ordinal);
        Assert.Contains("127.0.0.1", asked.Page, StringComparison.Ordinal);
        Assert.Contains("确认您的身份标识", asked.Page, StringComparison.Ordinal);
        Assert.DoesNotContain("checked", asked.Page, StringComparison.Ordinal);
        var done = await RelyingParty.Submit(browser, asked.Page, "/device", ("code", user), ("institution", trust.World.Institutions[0]), ("decision", "accept"));
        Assert.Contains("已同意", done.Page, StringComparison.Ordinal);

        var (status, tokens) = await device.Post("/token", [new("grant_type", Grant), new("device_code", code)]);
        Assert.True(status == 200, tokens?.ToJsonString());
        Assert.True(await device.OAuth.IsActive(tokens!["access_token"]!.GetValue<string>(), None));
        Assert.NotNull(tokens["id_token"]);
        Assert.Equal("invalid_grant", await Poll(device, code));
        // The typed code names nothing any more.
        Assert.Equal(400, (await RelyingParty.Submit(browser, page, "/device", ("code", user))).Status);
    }

    [Fact]
    public async Task What_the_person_refuses_what_expires_and_whose_session_has_ended_brings_no_token()
    {
        using var device = await Device();
        using var browser = new HandBrowser(trust);
        var (urn, card) = await trust.NewPhysician(None);
        var page = await LoggedIn(browser, card);
        var (denied, user) = await Begin(device);
        Assert.Contains("已拒绝", (await RelyingParty.Submit(browser, page, "/device", ("code", user), ("decision", "deny"))).Page, StringComparison.Ordinal);
        Assert.Equal("access_denied", await Poll(device, denied));

        var (expired, late) = await Begin(device);
        await trust.Installation.Cluster!.Sql("trust", $"UPDATE idp.decoupled_requests SET expires_at = now() WHERE client_id = '{device.Id}' AND state = 'pending'", None);
        Assert.Equal("expired_token", await Poll(device, expired));
        Assert.Equal(400, (await RelyingParty.Submit(browser, page, "/device", ("code", late))).Status);

        var (ended, last) = await Begin(device);
        await RelyingParty.Submit(browser, page, "/device", ("code", last), ("institution", trust.World.Institutions[0]), ("decision", "accept"));
        await trust.Installation.Cluster!.Sql("trust", $"UPDATE idp.sessions SET ended_at = now(), end_reason = 'logout' WHERE person = '{urn}'", None);
        Assert.Equal("access_denied", await Poll(device, ended));
    }

    [Fact]
    public async Task Codes_are_tried_five_times_and_no_institution_of_others_is_taken()
    {
        using var device = await Device();
        using var browser = new HandBrowser(trust);
        var (_, card) = await trust.NewPhysician(None);
        var page = await LoggedIn(browser, card);
        var (_, user) = await Begin(device);
        // The pharmacy is not among the physician's: the page asks again.
        Assert.Contains("name=\"institution\"", (await RelyingParty.Submit(browser, page, "/device", ("code", user), ("institution", trust.World.Institutions[2]), ("decision", "accept"))).Page, StringComparison.Ordinal);
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(400, (await RelyingParty.Submit(browser, page, "/device", ("code", "BBBB-BBBB"))).Status);
        }

        Assert.Equal(429, (await RelyingParty.Submit(browser, page, "/device", ("code", user))).Status);
    }

    [Fact]
    public async Task A_client_without_the_grant_or_beyond_its_scopes_begins_nothing()
    {
        using var device = await Device();
        using var other = await RelyingParty.Register(trust, "standard");
        Assert.Equal("unauthorized_client", (await other.Post("/device_authorization", [new("scope", "openid")])).Json!["error"]!.GetValue<string>());
        Assert.Equal("invalid_scope", (await device.Post("/device_authorization", [new("scope", "openid audit.read")])).Json!["error"]!.GetValue<string>());
        Assert.Equal(401, (await device.Post("/device_authorization", [new("client_id", device.Id), new("scope", "openid")], authenticate: false)).Status);
        // The client of the provider's own pages asks for nothing.
        Assert.Equal("unauthorized_client", (await device.Post("/device_authorization", [new("client_id", "trust-pages"), new("scope", "openid")], authenticate: false)).Json!["error"]!.GetValue<string>());
    }

    private Task<RelyingParty> Device() => RelyingParty.Register(trust, "standard", ("grant_types", new JsonArray(Grant)), ("redirect_uris", new JsonArray()));

    private static async Task<(string Device, string User)> Begin(RelyingParty device)
    {
        var (status, json) = await device.Post("/device_authorization", [new("scope", "openid rx.read")]);
        Assert.True(status == 200, json?.ToJsonString());
        Assert.Equal(device.Issuer + "/device", json!["verification_uri"]!.GetValue<string>());
        return (json["device_code"]!.GetValue<string>(), json["user_code"]!.GetValue<string>());
    }

    private static async Task<string?> Poll(RelyingParty device, string code) =>
        (await device.Post("/token", [new("grant_type", Grant), new("device_code", code)])).Json!["error"]?.GetValue<string>();

    private static async Task<string> LoggedIn(HandBrowser browser, Cli.Local.Card card)
    {
        var login = await browser.Location(browser.Issuer + "/device");
        Assert.Equal("/login", login.AbsolutePath);
        var back = await browser.Location((await browser.LogIn(card, login)).ToString());
        Assert.Equal("/device", back.AbsolutePath);
        return await browser.Http.GetStringAsync(back);
    }
}

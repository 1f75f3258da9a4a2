using System.Text.Json.Nodes;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Trust.Conformance.Tests.Suite;

namespace Trust.Conformance.Tests.Modules;

/// <summary>The four documents of logout: by the relying party, in the back, in front, and by session management.</summary>
internal sealed class LogoutModules(ConformanceRun run, string plan, string variant) : PlanModules(run, plan, variant)
{
    private Task<RelyingParty>? _client;

    // A client a document, so that one's notices do not disturb another's.
    private Task<RelyingParty> Client => _client ??= First();

    private string EndOfSession { get; set; } = "";

    [Module("oidcc-rp-initiated-logout-discovery-endpoint-verification")]
    public async Task Discovery_of_rp_initiated_logout()
    {
        await ConfigModules.Discovery(Provider);
        Assert.NotNull((await Provider.Metadata())["end_session_endpoint"]);
    }

    [Module("oidcc-rp-initiated-logout")]
    public async Task Logout()
    {
        var (browser, granted) = await LoggedIn();
        var answered = await LogOut(browser, ("id_token_hint", granted.IdToken!), ("post_logout_redirect_uri", await After()), ("state", "s 1&2"));
        await IsBack(answered, "s 1&2");
        await IsLoggedOut(browser);
    }

    [Module("oidcc-rp-initiated-logout-bad-post-logout-redirect-uri")]
    public async Task Bad_address()
    {
        var (browser, granted) = await LoggedIn();
        await StaysHere(browser, ("id_token_hint", granted.IdToken!), ("post_logout_redirect_uri", await After() + "/other"), ("state", "s"));
    }

    [Module("oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri")]
    public async Task Query_added_to_the_address()
    {
        var (browser, granted) = await LoggedIn();
        await StaysHere(browser, ("id_token_hint", granted.IdToken!), ("post_logout_redirect_uri", await After() + "?a=b"), ("state", "s"));
    }

    [Module("oidcc-rp-initiated-logout-modified-id-token-hint")]
    public async Task Hint_without_signature()
    {
        var (browser, granted) = await LoggedIn();
        await StaysHere(browser, ("id_token_hint", Jwt.Unsigned(granted.IdToken!)), ("post_logout_redirect_uri", await After()), ("state", "s"));
    }

    [Module("oidcc-rp-initiated-logout-bad-id-token-hint")]
    public async Task Hint_by_a_foreign_key()
    {
        var (browser, granted) = await LoggedIn();
        var header = Jwt.Header(granted.IdToken!);
        var foreign = Jwt.Sign(header, granted.Claims, SigningKey.Rsa(header["kid"]!.GetValue<string>(), "RS256"));
        await StaysHere(browser, ("id_token_hint", foreign), ("post_logout_redirect_uri", await After()), ("state", "s"));
    }

    [Module("oidcc-rp-initiated-logout-no-id-token-hint")]
    public async Task No_hint()
    {
        var (browser, _) = await LoggedIn();
        await StaysHere(browser, ("post_logout_redirect_uri", await After()), ("state", "s"));
    }

    [Module("oidcc-rp-initiated-logout-no-params")]
    public async Task No_parameters()
    {
        var (browser, _) = await LoggedIn();
        Assert.False(Assert.IsType<Outcome.Page>(await LogOut(browser)).IsError);
        await IsLoggedOut(browser);
    }

    [Module("oidcc-rp-initiated-logout-no-post-logout-redirect-uri")]
    public async Task No_address()
    {
        var (browser, granted) = await LoggedIn();
        Assert.False(Assert.IsType<Outcome.Page>(await LogOut(browser, ("id_token_hint", granted.IdToken!), ("state", "s"))).IsError);
        await IsLoggedOut(browser);
    }

    [Module("oidcc-rp-initiated-logout-only-state")]
    public async Task Only_state()
    {
        var (browser, _) = await LoggedIn();
        Assert.False(Assert.IsType<Outcome.Page>(await LogOut(browser, ("state", "s"))).IsError);
        await IsLoggedOut(browser);
    }

    [Module("oidcc-rp-initiated-logout-no-state")]
    public async Task No_state()
    {
        var (browser, granted) = await LoggedIn();
        await IsBack(await LogOut(browser, ("id_token_hint", granted.IdToken!), ("post_logout_redirect_uri", await After())), null);
        await IsLoggedOut(browser);
    }

    [Module("oidcc-backchannel-logout-discovery-endpoint-verification")]
    public async Task Discovery_of_back_channel_logout()
    {
        await ConfigModules.Discovery(Provider);
        Assert.True(await Provider.Says("backchannel_logout_supported"));
        Assert.True(await Provider.Says("backchannel_logout_session_supported"));
    }

    [Module("oidcc-backchannel-rp-initiated-logout")]
    public async Task Back_channel_logout()
    {
        var client = await Client;
        var path = new Uri(client.Text("backchannel_logout_uri", "")).AbsolutePath;
        Run.Receiver.Serve(path, context =>
        {
            context.Response.Headers.CacheControl = "no-store";
            return Task.CompletedTask;
        });
        var (browser, granted) = await LoggedIn();
        var answered = await LogOut(browser, ("id_token_hint", granted.IdToken!), ("post_logout_redirect_uri", await After()), ("state", "s"));
        var received = await Run.Receiver.Await(path);
        Assert.Equal(("POST", "application/x-www-form-urlencoded"), (received.Method, received.Headers["Content-Type"].Split(';')[0]));
        var token = received.Body.Split('&').Single(p => p.StartsWith("logout_token=", StringComparison.Ordinal))["logout_token=".Length..];
        await JudgeLogoutToken(Uri.UnescapeDataString(token), client, granted);
        await IsBack(answered, "s");
        await IsLoggedOut(browser);
    }

    [Module("oidcc-frontchannel-logout-discovery-endpoint-verification")]
    public async Task Discovery_of_front_channel_logout()
    {
        await ConfigModules.Discovery(Provider);
        Assert.True(await Provider.Says("frontchannel_logout_supported"));
        Assert.True(await Provider.Says("frontchannel_logout_session_supported"));
    }

    [Module("oidcc-frontchannel-rp-initiated-logout")]
    public async Task Front_channel_logout()
    {
        var client = await Client;
        var (browser, granted) = await LoggedIn();
        var answered = await LogOut(browser, ("id_token_hint", granted.IdToken!), ("post_logout_redirect_uri", await After()), ("state", "s"));
        var frame = browser.Seen.SelectMany(p => Words.Frames(p.Body)).FirstOrDefault(f => f.StartsWith(client.Text("frontchannel_logout_uri", "?"), StringComparison.Ordinal));
        Assert.True(frame is not null, "no frame of the relying party: " + browser.Seen[^1]);
        var query = Microsoft.AspNetCore.WebUtilities.QueryHelpers.ParseQuery(new Uri(frame).Query);
        Assert.Equal((Provider.Issuer, granted.Claims["sid"]!.GetValue<string>()), (query["iss"].ToString(), query["sid"].ToString()));
        await IsBack(answered, "s");
        await IsLoggedOut(browser);
    }

    [Module("oidcc-session-management-discovery-endpoint-verification")]
    public async Task Discovery_of_session_management()
    {
        await ConfigModules.Discovery(Provider);
        Assert.NotNull((await Provider.Metadata())["check_session_iframe"]);
    }

    [Module("oidcc-session-management-rp-initiated-logout")]
    public async Task Session_management()
    {
        var authorization = new Authorization(await Client, new Manner(), "openid");
        var browser = NewBrowser();
        var answered = (await authorization.Ask(browser)).Granted();
        var state = answered["session_state"];
        Assert.False(string.IsNullOrEmpty(state), "no session_state: " + answered);
        Assert.DoesNotContain(' ', state);
        var granted = await authorization.Tokens(await authorization.Redeem(answered.Code));
        Assert.Equal("unchanged", await SessionFrame.Ask(Run, browser, authorization.Client, state));
        await LogOut(browser, ("id_token_hint", granted.IdToken!), ("post_logout_redirect_uri", await After()));
        Assert.Equal("changed", await SessionFrame.Ask(Run, browser, authorization.Client, state));
        await IsLoggedOut(browser);
    }

    private async Task<RelyingParty> First() => (await Run.Clients.Compat(PlanName switch
    {
        Table.BackChannel => "backchannel",
        Table.FrontChannel => "frontchannel",
        Table.SessionManagement => "sessions",
        _ => "logout",
    })).First;

    private async Task<string> After() => (await Client).Registration["post_logout_redirect_uris"]![0]!.GetValue<string>();

    private async Task<(Browser Browser, Granted Granted)> LoggedIn()
    {
        var browser = NewBrowser();
        return (browser, await new Authorization(await Client, new Manner(), "openid").Complete(browser));
    }

    // A person who is asked whether to log out says yes; a page that goes on by a link is followed.
    private async Task<Outcome> LogOut(Browser browser, params (string Name, string Value)[] fields)
    {
        EndOfSession = await Provider.Endpoint("end_session_endpoint");
        var outcome = await browser.Open(EndOfSession + "?" + Authorization.Query(fields.Select(f => KeyValuePair.Create(f.Name, f.Value))));
        if (outcome is Outcome.Page { IsError: false } asked && Words.Form(asked.Body) is { Method: var method } && method.Equals("post", StringComparison.OrdinalIgnoreCase))
        {
            outcome = await browser.Press(asked);
        }

        var after = await After();
        return outcome is Outcome.Page { IsError: false } page && Words.Links(page.Body).FirstOrDefault(l => l.StartsWith(after, StringComparison.Ordinal)) is { } link ? await browser.Open(link) : outcome;
    }

    private async Task StaysHere(Browser browser, params (string Name, string Value)[] fields) => Assert.IsType<Outcome.Page>(await LogOut(browser, fields));

    private async Task IsBack(Outcome outcome, string? state)
    {
        var answered = outcome.Reached();
        Assert.StartsWith(await After(), answered.At.ToString(), StringComparison.Ordinal);
        Assert.Equal(state, answered["state"]);
    }

    private async Task IsLoggedOut(Browser browser)
    {
        var silent = new Authorization(await Client, new Manner(), "openid");
        silent.Fields["prompt"] = "none";
        Assert.Equal("login_required", (await silent.Ask(browser)).Reached()["error"]);
    }

    // Back-Channel Logout 1.0 2.4 and 2.6.
    private async Task JudgeLogoutToken(string token, RelyingParty client, Granted granted)
    {
        var keys = await Provider.Keys();
        var result = await new JsonWebTokenHandler { MapInboundClaims = false }.ValidateTokenAsync(token, new TokenValidationParameters
        {
            ValidTypes = ["logout+jwt"], ValidIssuer = Provider.Issuer, ValidAudience = client.Id, IssuerSigningKeys = keys.GetSigningKeys(),
            ValidAlgorithms = [client.Text("id_token_signed_response_alg", "ES256")], ClockSkew = TimeSpan.FromSeconds(5),
        });
        Assert.True(result.IsValid, "logout token: " + result.Exception?.Message);
        var claims = Jwt.Payload(token);
        Assert.IsType<JsonObject>(claims["events"]!["http://schemas.openid.net/event/backchannel-logout"]);
        Assert.Null(claims["nonce"]);
        Assert.False(string.IsNullOrEmpty(claims["jti"]?.GetValue<string>()));
        Assert.InRange(claims["exp"]!.GetValue<long>() - claims["iat"]!.GetValue<long>(), 1, 120);
        Assert.Equal(granted.Claims["sid"]?.GetValue<string>(), claims["sid"]?.GetValue<string>());
        Assert.True(claims["sub"] is null || claims["sub"]!.GetValue<string>() == granted.Subject);
    }
}

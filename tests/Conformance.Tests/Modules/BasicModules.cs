using System.Text.Json.Nodes;
using Trust.Conformance.Tests.Suite;

namespace Trust.Conformance.Tests.Modules;

/// <summary>OpenID Connect, basic OP: response_type=code, client_secret_basic, no PKCE, RS256; also with response_mode=form_post.</summary>
internal sealed class BasicModules(ConformanceRun run, string plan, string variant) : PlanModules(run, plan, variant)
{
    private Manner Manner => new() { ResponseMode = Has("form_post") ? "form_post" : null };

    private Task<Pair> Clients => Run.Clients.Compat(Has("form_post") ? "formpost" : "basic");

    private async Task<Authorization> New(string scope = "openid") => new((await Clients).First, Manner, scope);

    [Module("oidcc-server")]
    public async Task Server()
    {
        var authorization = await New();
        var granted = await authorization.Complete(NewBrowser());
        var info = (await authorization.Client.UserInfo(granted.AccessToken)).Succeeded();
        Assert.Equal(granted.Subject, info.Text("sub"));
    }

    [Module("oidcc-response-type-missing")]
    public async Task Response_type_missing()
    {
        var authorization = await New();
        authorization.Fields.Remove("response_type");
        (await authorization.Ask(NewBrowser())).Refused("unsupported_response_type", "invalid_request");
    }

    [Module("oidcc-idtoken-signature")]
    public async Task Id_token_signature() =>
        Assert.Equal("RS256", Jwt.Header((await (await New()).Complete(NewBrowser())).IdToken!)["alg"]!.GetValue<string>());

    [Module("oidcc-userinfo-get")]
    public async Task User_info_by_get() => await UserInfo(HttpMethod.Get);

    [Module("oidcc-userinfo-post-header")]
    public async Task User_info_by_post() => await UserInfo(HttpMethod.Post);

    // The suite warns where this is not offered; RFC 9700 4.3 keeps tokens to the header.
    [Module("oidcc-userinfo-post-body")]
    public async Task User_info_with_the_token_in_the_form()
    {
        var authorization = await New();
        var granted = await authorization.Complete(NewBrowser());
        var info = await authorization.Client.UserInfo(granted.AccessToken, method: HttpMethod.Post, inBody: true);
        if (info.Status != 200)
        {
            info.Refused();
        }
    }

    [Module("oidcc-ensure-request-without-nonce-succeeds-for-code-flow")]
    public async Task Without_nonce()
    {
        var authorization = await New();
        authorization.Fields.Remove("nonce");
        Assert.Null((await authorization.Complete(NewBrowser())).Claims["nonce"]);
    }

    [Module("oidcc-scope-profile")]
    public Task Scope_profile() => Scope("name", "profile");

    [Module("oidcc-scope-email")]
    public Task Scope_email() => Scope("email", "email");

    [Module("oidcc-scope-address")]
    public Task Scope_address() => Scope("address", "address");

    [Module("oidcc-scope-phone")]
    public Task Scope_phone() => Scope("phone_number", "phone");

    [Module("oidcc-scope-all")]
    public Task Scope_all() => Scope("name", "profile", "email", "address", "phone");

    [Module("oidcc-alternate-happy-flow")]
    public async Task Scopes_and_parameters_the_other_way_round()
    {
        var authorization = await New("profile openid");
        var reversed = authorization.Fields.Reverse().ToList();
        authorization.Fields.Clear();
        foreach (var (name, value) in reversed)
        {
            authorization.Fields[name] = value;
        }

        await authorization.Complete(NewBrowser());
    }

    [Module("oidcc-display-page")]
    public Task Display_page() => With("display", "page");

    [Module("oidcc-display-popup")]
    public Task Display_popup() => With("display", "popup");

    [Module("oidcc-prompt-login")]
    public async Task Prompt_login()
    {
        var browser = NewBrowser();
        var before = await (await New()).Complete(browser);
        await Pass(TimeSpan.FromSeconds(1.1));
        var again = await New();
        again.Fields["prompt"] = "login";
        var after = await again.Complete(browser);
        Assert.Equal(2, browser.Logins);
        Assert.True(after.AuthTime > before.AuthTime, $"auth_time {before.AuthTime} then {after.AuthTime}");
        Assert.Equal(before.Subject, after.Subject);
    }

    [Module("oidcc-prompt-none-not-logged-in")]
    public async Task Prompt_none_without_a_session()
    {
        var browser = NewBrowser();
        var authorization = await New();
        authorization.Fields["prompt"] = "none";
        var answered = (await authorization.Ask(browser)).Reached();
        Assert.Contains(answered["error"], new[] { "login_required", "interaction_required", "consent_required", "account_selection_required" });
        Assert.Empty(browser.Seen);
    }

    [Module("oidcc-prompt-none-logged-in")]
    public async Task Prompt_none_with_a_session()
    {
        var browser = NewBrowser();
        var before = await (await New()).Complete(browser);
        var seen = browser.Seen.Count;
        var again = await New();
        again.Fields["prompt"] = "none";
        var after = await again.Complete(browser);
        Assert.Equal((before.Subject, before.AuthTime), (after.Subject, after.AuthTime));
        Assert.Equal(seen, browser.Seen.Count);
    }

    [Module("oidcc-max-age-1")]
    public async Task Max_age_of_a_second()
    {
        var browser = NewBrowser();
        var before = await (await New()).Complete(browser);
        await Pass(TimeSpan.FromSeconds(2.1));
        var again = await New();
        again.Fields["max_age"] = "1";
        var after = await again.Complete(browser);
        Assert.Equal(2, browser.Logins);
        Assert.True(after.AuthTime > before.AuthTime, $"auth_time {before.AuthTime} then {after.AuthTime}");
    }

    [Module("oidcc-max-age-10000")]
    public async Task Max_age_of_hours()
    {
        var browser = NewBrowser();
        var first = await New();
        first.Fields["max_age"] = "15000";
        var before = await first.Complete(browser);
        var again = await New();
        again.Fields["max_age"] = "10000";
        var after = await again.Complete(browser);
        Assert.Equal(1, browser.Logins);
        Assert.NotNull(after.AuthTime);
        Assert.Equal((before.Subject, before.AuthTime), (after.Subject, after.AuthTime));
    }

    [Module("oidcc-ensure-request-with-unknown-parameter-succeeds")]
    public Task Unknown_parameter() => With("extra", "foobar");

    [Module("oidcc-id-token-hint")]
    public async Task Id_token_hint()
    {
        var browser = NewBrowser();
        var before = await (await New()).Complete(browser);
        var again = await New();
        (again.Fields["prompt"], again.Fields["id_token_hint"]) = ("none", before.IdToken!);
        var after = await again.Complete(browser);
        Assert.Equal((before.Subject, before.AuthTime), (after.Subject, after.AuthTime));
    }

    [Module("oidcc-login-hint")]
    public Task Login_hint() => With("login_hint", "wang@example.com");

    [Module("oidcc-ui-locales")]
    public async Task Ui_locales()
    {
        var browser = NewBrowser();
        var authorization = await New();
        authorization.Fields["ui_locales"] = "se en";
        await authorization.Complete(browser);
        Assert.All(browser.Seen, page => Assert.Equal("en", Words.Language(page.Body)));
        Assert.NotEmpty(browser.Seen);
    }

    [Module("oidcc-claims-locales")]
    public Task Claims_locales() => With("claims_locales", "se");

    [Module("oidcc-ensure-request-with-acr-values-succeeds")]
    public async Task Acr_values()
    {
        var offered = await Provider.List("acr_values_supported");
        var authorization = await New();
        authorization.Fields["acr_values"] = offered.Count > 0 ? string.Join(' ', offered) : "1 2";
        var granted = await authorization.Complete(NewBrowser());
        Assert.True(granted.Claims["acr"] is null || offered.Contains(granted.Claims["acr"]!.GetValue<string>(), StringComparer.Ordinal), "acr " + granted.Claims["acr"]);
    }

    [Module("oidcc-codereuse")]
    public Task Code_used_twice() => CodeUsedTwice(TimeSpan.Zero);

    [Module("oidcc-codereuse-30seconds")]
    public Task Code_used_twice_after_thirty_seconds() => CodeUsedTwice(TimeSpan.FromSeconds(30));

    [Module("oidcc-ensure-registered-redirect-uri")]
    public async Task Unregistered_redirect_uri()
    {
        var authorization = await New();
        authorization.Fields["redirect_uri"] += "/unregistered";
        (await authorization.Ask(NewBrowser())).RefusedHere();
    }

    [Module("oidcc-ensure-post-request-succeeds")]
    public async Task Request_by_post()
    {
        var authorization = await New();
        var outcome = await NewBrowser().Post(await Provider.Endpoint("authorization_endpoint"), authorization.Fields);
        var answered = (await authorization.Judge(outcome)).Granted();
        await authorization.Tokens(await authorization.Redeem(answered.Code));
    }

    [Module("oidcc-server-client-secret-post")]
    public async Task Server_with_the_secret_in_the_form()
    {
        var authorization = new Authorization((await Clients).Third!, Manner, "openid");
        var granted = await authorization.Complete(NewBrowser());
        Assert.Equal(granted.Subject, (await authorization.Client.UserInfo(granted.AccessToken)).Succeeded().Text("sub"));
    }

    [Module("oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported")]
    public async Task Request_uri_of_an_unsigned_object()
    {
        var authorization = await New();
        var path = $"/request-{Run.Clients.Next()}.jwt";
        var (inside, outside) = (Jwt.Unsigned(authorization.SignedRequest()), new Dictionary<string, string>(authorization.Fields, StringComparer.Ordinal) { ["request_uri"] = Run.Receiver.Address + path });
        Run.Receiver.Serve(path, context => context.Response.WriteAsync(inside));
        outside.Remove("nonce");
        var outcome = await authorization.Judge(await NewBrowser().Open(await Provider.Endpoint("authorization_endpoint") + "?" + Authorization.Query(outside)));
        if (outcome is Outcome.Answered { Parameters: var answer } && answer.TryGetValue("code", out var code))
        {
            await authorization.Tokens(await authorization.Redeem(code));
            return;
        }

        outcome.Refused("request_uri_not_supported");
        Assert.Empty(Run.Receiver.At(path));
    }

    [Module("oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported")]
    public async Task Unsigned_request_object()
    {
        var authorization = await New();
        var outside = new Dictionary<string, string>(authorization.Fields, StringComparer.Ordinal) { ["request"] = Jwt.Unsigned(authorization.SignedRequest()) };
        // Ignoring the object would show: the nonce stands inside only.
        outside.Remove("nonce");
        var outcome = await authorization.Judge(await NewBrowser().Open(await Provider.Endpoint("authorization_endpoint") + "?" + Authorization.Query(outside)));
        if (outcome is Outcome.Answered { Parameters: var answer } && answer.TryGetValue("code", out var code))
        {
            await authorization.Tokens(await authorization.Redeem(code));
            return;
        }

        outcome.Refused("request_not_supported");
    }

    [Module("oidcc-claims-essential")]
    public async Task Claims_essential()
    {
        var authorization = await New();
        authorization.Fields["claims"] = """{"userinfo":{"name":{"essential":true}}}""";
        var granted = await authorization.Complete(NewBrowser());
        Assert.NotNull((await authorization.Client.UserInfo(granted.AccessToken)).Succeeded().Text("name"));
    }

    [Module("oidcc-ensure-request-object-with-redirect-uri")]
    public async Task Request_object_with_redirect_uri() => await RequestObjectRedirect(await New(), NewBrowser());

    [Module("oidcc-refresh-token")]
    public async Task Refresh_token()
    {
        var clients = await Clients;
        await RefreshToken(new Authorization(clients.First, Manner, "openid"), clients.Second, NewBrowser());
    }

    [Module("oidcc-ensure-request-with-valid-pkce-succeeds")]
    public async Task With_pkce()
    {
        var clients = await Clients;
        await new Authorization(clients.First, Manner with { Proves = true }, "openid").Complete(NewBrowser());
    }

    /// <summary>The object's redirect URI wins over an unregistered one beside it, or there is an error page; nothing goes to the unregistered one.</summary>
    internal static async Task RequestObjectRedirect(Authorization authorization, Browser browser)
    {
        var outside = new Dictionary<string, string>(authorization.Fields, StringComparer.Ordinal) { ["request"] = authorization.SignedRequest() };
        outside["redirect_uri"] += "/elsewhere";
        var outcome = await browser.Open(await authorization.Provider.Endpoint("authorization_endpoint") + "?" + Authorization.Query(outside));
        if (outcome is Outcome.Page page)
        {
            Assert.True(page.IsError, page.ToString());
            return;
        }

        var answered = (await authorization.Judge(outcome)).Granted();
        Assert.DoesNotContain("/elsewhere", answered.At.ToString(), StringComparison.Ordinal);
        await authorization.Tokens(await authorization.Redeem(answered.Code));
    }

    /// <summary>OpenID Connect Core 12 and RFC 6749 6: it works, speaks for the same person, and is nobody else's.</summary>
    internal static async Task RefreshToken(Authorization authorization, RelyingParty other, Browser browser)
    {
        if ((await authorization.Provider.List("scopes_supported")).Contains("offline_access"))
        {
            authorization.Fields["scope"] += " offline_access";
            authorization.Fields["prompt"] = "consent";
        }

        var granted = await authorization.Complete(browser);
        Assert.NotNull(granted.RefreshToken);
        (await other.Refresh(granted.RefreshToken)).Refused("invalid_grant");
        var answer = (await authorization.Client.Refresh(granted.RefreshToken)).Succeeded();
        Assert.NotEqual(granted.AccessToken, answer.Text("access_token"));
        Assert.Equal(200, (await authorization.Client.UserInfo(answer.Text("access_token")!)).Status);
        if (answer.Text("id_token") is { } idToken)
        {
            var (before, after) = (granted.Claims, Jwt.Payload(idToken));
            Assert.All(new[] { "iss", "sub", "aud", "auth_time" }, name => Assert.Equal(before[name]?.ToJsonString(), after[name]?.ToJsonString()));
            Assert.True(after["nonce"] is null || after["nonce"]!.GetValue<string>() == before["nonce"]?.GetValue<string>());
        }
    }

    private async Task With(string name, string value)
    {
        var authorization = await New();
        authorization.Fields[name] = value;
        await authorization.Complete(NewBrowser());
    }

    private async Task UserInfo(HttpMethod method)
    {
        var authorization = await New();
        var granted = await authorization.Complete(NewBrowser());
        Assert.Equal(granted.Subject, (await authorization.Client.UserInfo(granted.AccessToken, method: method)).Succeeded().Text("sub"));
    }

    private async Task Scope(string claim, params string[] scopes)
    {
        await Needs(scopes);
        var authorization = await New("openid " + string.Join(' ', scopes));
        var granted = await authorization.Complete(NewBrowser());
        var info = (await authorization.Client.UserInfo(granted.AccessToken)).Succeeded();
        Assert.True(info.Json[claim] is not null, $"no {claim}: {info.Body}");
    }

    private async Task CodeUsedTwice(TimeSpan between)
    {
        var authorization = await New();
        var answered = (await authorization.Ask(NewBrowser())).Granted();
        var granted = await authorization.Tokens(await authorization.Redeem(answered.Code));
        await Pass(between);
        (await authorization.Redeem(answered.Code)).Refused("invalid_grant");
        Assert.Equal(401, (await authorization.Client.UserInfo(granted.AccessToken)).Status);
    }
}

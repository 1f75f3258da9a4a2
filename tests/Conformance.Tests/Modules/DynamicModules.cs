using System.Text.Json.Nodes;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Trust.Conformance.Tests.Suite;
using Trust.TestKit;

namespace Trust.Conformance.Tests.Modules;

/// <summary>Clients that register themselves (RFC 7591) and prove themselves by private_key_jwt; and login begun by a third party.</summary>
internal sealed class DynamicModules(ConformanceRun run, string plan, string variant) : PlanModules(run, plan, variant)
{
    private static readonly Manner Plain = new();

    [Module("oidcc-idtoken-rs256")]
    public async Task Id_token_by_RS256()
    {
        var granted = await (await New(m => m["id_token_signed_response_alg"] = "RS256")).Complete(NewBrowser());
        Assert.Equal("RS256", Jwt.Header(granted.IdToken!)["alg"]!.GetValue<string>());
    }

    [Module("oidcc-userinfo-rs256")]
    public async Task User_info_by_RS256()
    {
        var authorization = await New(m => m["userinfo_signed_response_alg"] = "RS256");
        var granted = await authorization.Complete(NewBrowser());
        var info = (await authorization.Client.UserInfo(granted.AccessToken)).Succeeded();
        Assert.Equal("application/jwt", info.MediaType);
        var keys = await Provider.Keys();
        var result = await new JsonWebTokenHandler { MapInboundClaims = false }.ValidateTokenAsync(info.Body, new TokenValidationParameters
        {
            ValidIssuer = Provider.Issuer, ValidAudience = authorization.Client.Id, IssuerSigningKeys = keys.GetSigningKeys(), ValidAlgorithms = ["RS256"], ValidateLifetime = false, RequireExpirationTime = false,
        });
        Assert.True(result.IsValid, result.Exception?.Message);
        Assert.Equal(granted.Subject, Jwt.Payload(info.Body)["sub"]!.GetValue<string>());
    }

    [Module("oidcc-ensure-redirect-uri-in-authorization-request")]
    public async Task Two_redirect_uris_and_none_sent()
    {
        var authorization = await New(m => m["redirect_uris"] = new JsonArray(m["redirect_uris"]![0]!.DeepClone(), m["redirect_uris"]![0]!.GetValue<string>() + "-2"));
        authorization.Fields.Remove("redirect_uri");
        (await authorization.Ask(NewBrowser())).RefusedHere();
    }

    [Module("oidcc-redirect-uri-query-OK")]
    public async Task Redirect_uri_with_its_query()
    {
        var authorization = await New(m => m["redirect_uris"]![0] += "?foo=bar");
        var answered = (await authorization.Ask(NewBrowser())).Granted();
        Assert.Equal("bar", answered["foo"]);
        await authorization.Tokens(await authorization.Redeem(answered.Code));
    }

    [Module("oidcc-redirect-uri-query-mismatch")]
    public async Task Redirect_uri_with_another_query()
    {
        var authorization = await New(m => m["redirect_uris"]![0] += "?foo=bar");
        authorization.Fields["redirect_uri"] = authorization.Fields["redirect_uri"].Replace("foo=bar", "foo=baz", StringComparison.Ordinal);
        (await authorization.Ask(NewBrowser())).RefusedHere();
    }

    [Module("oidcc-redirect-uri-query-added")]
    public async Task Redirect_uri_with_a_query_added()
    {
        var authorization = await New();
        authorization.Fields["redirect_uri"] += "?foo=bar";
        (await authorization.Ask(NewBrowser())).RefusedHere();
    }

    [Module("oidcc-redirect-uri-regfrag")]
    public Task Redirect_uri_with_a_fragment() => RegistrationIsRefused(m => m["redirect_uris"]![0] += "#fragment", "invalid_redirect_uri");

    [Module("oidcc-discovery-endpoint-verification")]
    public async Task Discovery()
    {
        await ConfigModules.Discovery(Provider);
        Assert.NotNull((await Provider.Metadata())["registration_endpoint"]);
    }

    [Module("oidcc-server")]
    public async Task Server()
    {
        var authorization = await New();
        var granted = await authorization.Complete(NewBrowser());
        Assert.Equal(granted.Subject, (await authorization.Client.UserInfo(granted.AccessToken)).Succeeded().Text("sub"));
    }

    [Module("oidcc-registration-logo-uri")]
    public Task Logo() => IsShown("logo_uri");

    [Module("oidcc-registration-policy-uri")]
    public Task Policy() => IsShown("policy_uri");

    [Module("oidcc-registration-tos-uri")]
    public Task Terms() => IsShown("tos_uri");

    [Module("oidcc-registration-jwks-uri")]
    public async Task Keys_by_address()
    {
        var keys = new List<SigningKey>();
        var authorization = await New(m => KeysByAddress(m, keys), keys);
        await authorization.Complete(NewBrowser());
    }

    [Module("oidcc-registration-sector-uri")]
    public async Task Sector()
    {
        var authorization = await New(m => Sector(m, m["redirect_uris"]!.ToJsonString()));
        var granted = await authorization.Complete(NewBrowser());
        Assert.Equal(granted.Subject, (await authorization.Client.UserInfo(granted.AccessToken)).Succeeded().Text("sub"));
        Assert.NotEqual(Run.World.Practitioners[1], granted.Subject);
    }

    [Module("oidcc-registration-sector-bad")]
    public Task Sector_without_the_redirect_uri() => RegistrationIsRefused(m => Sector(m, """["https://other.example/callback"]"""), "invalid_client_metadata");

    [Module("oidcc-server-rotate-keys")]
    public async Task Keys_change_and_the_old_one_is_still_published()
    {
        var authorization = await New(m => m["id_token_signed_response_alg"] = "ES256");
        var before = (await Provider.Keys()).Keys.Select(k => k.Kid).ToHashSet(StringComparer.Ordinal);
        var granted = await authorization.Complete(NewBrowser());
        await Run.AgeTokenKeys();
        await Eventually.Holds(async () => (await Provider.Keys()).Keys.Any(k => !before.Contains(k.Kid)), "a key is added", TimeSpan.FromMinutes(3));
        Assert.Contains(Jwt.Header(granted.IdToken!)["kid"]!.GetValue<string>(), (await Provider.Keys()).Keys.Select(k => k.Kid));
        await (await New()).Complete(NewBrowser());
    }

    [Module("oidcc-refresh-token-rp-key-rotation")]
    public async Task A_clients_new_key_is_found()
    {
        var keys = new List<SigningKey>();
        var authorization = await New(m => KeysByAddress(m, keys), keys);
        Offline(authorization, await Provider.List("scopes_supported"));
        var granted = await authorization.Complete(NewBrowser());
        Assert.NotNull(granted.RefreshToken);
        var renewed = SigningKey.Rsa("renewed-" + Jwt.Random(4), "RS256");
        keys[0] = renewed;
        // The suite waits a minute before it tries.
        await Eventually.Holds(async () => (await authorization.Client.Refresh(granted.RefreshToken, new Call { AssertionKey = renewed })).Status == 200, "the new key is read", TimeSpan.FromSeconds(70));
    }

    [Module("oidcc-request-uri-unsigned")]
    [Module("oidcc-request-uri-signed-rs256")]
    public async Task Request_uri()
    {
        Assert.SkipUnless((await Provider.Metadata())["request_uri_parameter_supported"]?.GetValue<bool>() ?? true, "the suite's own reason to skip: request_uri_parameter_supported is false; nothing is fetched for a stranger");
        var authorization = await New();
        var path = $"/request-{Run.Clients.Next()}.jwt";
        Run.Receiver.Serve(path, context => context.Response.WriteAsync(authorization.SignedRequest()));
        var outcome = await NewBrowser().Open(await authorization.Address(Run.Receiver.Address + path));
        (await authorization.Judge(outcome)).Granted();
    }

    [Module("oidcc-ensure-request-object-with-redirect-uri")]
    public async Task Request_object_with_redirect_uri() => await BasicModules.RequestObjectRedirect(await New(), NewBrowser());

    [Module("oidcc-refresh-token")]
    public async Task Refresh_token()
    {
        var authorization = await New();
        await BasicModules.RefreshToken(authorization, (await New()).Client, NewBrowser());
    }

    [Module("oidcc-ensure-client-assertion-with-iss-aud-succeeds")]
    public async Task Assertion_for_the_issuer() => await (await New()).Complete(NewBrowser());

    [Module("oidcc-3rd_party-init-login")]
    public async Task Login_begun_by_a_third_party()
    {
        // A third party knows the address that the provider registered, and names the provider there (OpenID Connect Core 4).
        var path = $"/initiate-{Run.Clients.Next()}";
        var authorization = await New(m => m["initiate_login_uri"] = Run.Receiver.Address + path);
        string? named = null;
        Run.Receiver.Serve(path, async context =>
        {
            named = context.Request.Query["iss"];
            context.Response.Redirect(await authorization.Address());
        });
        var browser = NewBrowser();
        var begun = await Receiver.Open(authorization.Client.Text("initiate_login_uri", "") + "?iss=" + Uri.EscapeDataString(Provider.Issuer));
        Assert.Equal(Provider.Issuer, named);
        var answered = (await authorization.Judge(await browser.Open(begun))).Granted();
        await authorization.Tokens(await authorization.Redeem(answered.Code));
    }

    [Module("oidcc-3rd_party-init-login-nohttps")]
    public Task Login_begun_without_https() => RegistrationIsRefused(m => m["initiate_login_uri"] = "http://127.0.0.9/initiate", "invalid_client_metadata", "invalid_redirect_uri");

    private static void Offline(Authorization authorization, IReadOnlyList<string> scopes)
    {
        if (scopes.Contains("offline_access", StringComparer.Ordinal))
        {
            authorization.Fields["scope"] += " offline_access";
            authorization.Fields["prompt"] = "consent";
        }
    }

    private async Task<Authorization> New(Action<JsonObject>? change = null, List<SigningKey>? keys = null)
    {
        var (key, metadata) = Run.Clients.Dynamic($"dynamic-{Run.Clients.Next()}");
        keys?.Add(key);
        change?.Invoke(metadata);
        return new Authorization(await Run.Clients.Registered(key, metadata), Plain, "openid");
    }

    private void KeysByAddress(JsonObject metadata, List<SigningKey> keys)
    {
        metadata.Remove("jwks");
        metadata["jwks_uri"] = Run.Receiver.ServeJson($"/jwks-{Run.Clients.Next()}", () => SigningKey.Jwks(keys).ToJsonString());
    }

    private void Sector(JsonObject metadata, string redirects)
    {
        metadata["subject_type"] = "pairwise";
        metadata["sector_identifier_uri"] = Run.Receiver.ServeJson($"/sector-{Run.Clients.Next()}", () => redirects);
    }

    private async Task IsShown(string member)
    {
        var address = $"{Run.Receiver.Address}/{member}-{Run.Clients.Next()}";
        var authorization = await New(m => m[member] = address);
        var page = Assert.IsType<Outcome.Page>(await authorization.Ask(NewBrowser(), Person.Waiting));
        Assert.Contains(address, Words.Links(page.Body));
    }

    private async Task RegistrationIsRefused(Action<JsonObject> change, params string[] errors)
    {
        var (_, metadata) = Run.Clients.Dynamic($"dynamic-{Run.Clients.Next()}");
        change(metadata);
        var answer = await Run.Clients.Register(metadata);
        Assert.Equal(400, answer.Status);
        answer.Refused(errors);
        Assert.Null(answer.Json["client_id"]);
    }
}

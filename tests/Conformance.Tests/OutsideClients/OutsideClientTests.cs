using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Trust.Cli.Local;
using Trust.Conformance.Tests.Suite;

namespace Trust.Conformance.Tests.OutsideClients;

/// <summary>Libraries of others log a person in, unmodified: what they find wrong with us they say themselves.</summary>
public sealed class OutsideClientTests(ConformanceRun run) : IDisposable
{
    private readonly Browser _browser = new(run);

    [Theory, InlineData("fapi2"), InlineData("oauth4webapi")]
    public async Task A_FAPI_2_client_of_npm_logs_a_person_in_with_PAR_DPoP_and_private_key_jwt(string kind)
    {
        var client = (await run.Clients.Fapi2("private_key_jwt", "dpop", signing: false)).First;
        var got = await LogIn(await OutsideClient.Node(run, kind, Settings(client, "openid profile")));
        Assert.Equal("DPoP", got.GetProperty("type").GetString(), ignoreCase: true);
        if (kind == "fapi2")
        {
            Assert.True(got.GetProperty("renewed").GetBoolean());
        }
    }

    [Fact]
    public async Task Openid_client_of_npm_logs_a_person_in_with_a_secret() =>
        await LogIn(await OutsideClient.Node(run, "code", Settings((await run.Clients.Compat("outside")).First, "openid profile")));

    [Fact]
    public async Task Authlib_of_the_distribution_logs_a_person_in() =>
        await LogIn(await OutsideClient.Authlib(run, Settings((await run.Clients.Compat("outside")).First, "openid profile")));

    [Fact]
    public async Task Mod_auth_openidc_of_the_distribution_guards_a_folder()
    {
        var port = ApacheModule.NewPort();
        var client = await run.Clients.Apache(ApacheModule.Redirect(port));
        await using var apache = await ApacheModule.Start(run, client, port);
        using var http = Connections.Client(null, cookies: new CookieContainer());
        // It sends only what can show a page to a login.
        http.DefaultRequestHeaders.Accept.ParseAdd("text/html");
        using var asked = await http.GetAsync(apache.Address);
        Assert.True(asked.Headers.Location is not null, $"{(int)asked.StatusCode}: {await asked.Content.ReadAsStringAsync()}");
        var answered = (await _browser.Open(asked.Headers.Location.ToString())).Granted();
        using var back = await http.GetAsync(answered.At);
        Assert.Equal(apache.Address, back.Headers.Location?.ToString());
        using var guarded = await http.GetAsync(apache.Address);
        Assert.Equal(HttpStatusCode.OK, guarded.StatusCode);
        Assert.Equal(run.World.Practitioners[1], guarded.Headers.GetValues("X-Sub").Single());
    }

    [Fact]
    public async Task Openid_client_of_npm_gets_tokens_by_CIBA()
    {
        var client = await run.Clients.PlainCiba();
        var settings = Settings(client, "openid profile");
        settings["person"] = run.World.Practitioners[1];
        await using var party = await OutsideClient.Node(run, "ciba", settings);
        Assert.NotEmpty(await party.Hear());
        await run.Decide(client, approves: true);
        await party.Say("decided");
        Assert.Equal(run.World.Practitioners[1], (await party.HearJson()).GetProperty("claims").GetProperty("sub").GetString());
    }

    public void Dispose() => _browser.Dispose();

    private async Task<JsonElement> LogIn(OutsideClient party)
    {
        await using var started = party;
        var answered = (await _browser.Open(await started.Hear())).Granted();
        await started.Say(answered.At.ToString());
        var got = await started.HearJson();
        Assert.Equal(run.World.Practitioners[1], got.GetProperty("claims").GetProperty("sub").GetString());
        Assert.Equal(run.World.Practitioners[1], got.GetProperty("user").GetProperty("sub").GetString());
        return got;
    }

    private static JsonObject Settings(RelyingParty client, string scope) => new()
    {
        ["clientId"] = client.Id, ["redirect"] = client.Registration["redirect_uris"]?[0]?.GetValue<string>(), ["scope"] = scope, ["secret"] = client.Secret, ["kid"] = client.Key.Kid,
        ["key"] = client.Key.Alg == "ES256" ? client.Key.PrivateJwk() : null,
    };
}

using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Trust.EndToEnd.Tests.Browser;
using Trust.TestKit;

namespace Trust.EndToEnd.Tests.Authorize;

/// <summary>Back-channel authentication (CIBA 1.0, FAPI-CIBA; idp.md 7 row 7).</summary>
public sealed class CibaTests(RunningTrust trust)
{
    private const string Grant = "urn:openid:params:grant-type:ciba";
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task A_person_decides_in_their_own_session_and_the_client_gets_its_tokens_once()
    {
        using var client = await Client();
        using var browser = new HandBrowser(trust);
        using var stranger = new HandBrowser(trust);
        var (urn, card) = await trust.NewPhysician(None);
        await browser.LogIn(card);
        await stranger.LogIn(trust.World.Physician);
        var id = await Begin(client, urn, ("binding_message", "1234"), ("requested_expiry", "120"));
        Assert.Equal("authorization_pending", await Poll(client, id));
        Assert.Equal("slow_down", await Poll(client, id));

        var asked = Assert.Single((await List(browser))!.AsArray())!;
        Assert.Equal(("1234", "测试应用"), (asked["binding_message"]!.GetValue<string>(), asked["client_name_zh"]!.GetValue<string>()));
        var request = asked["id"]!.GetValue<string>();
        Assert.Equal(HttpStatusCode.NotFound, await Decide(stranger, request, "approve"));
        Assert.Equal(HttpStatusCode.Unauthorized, await Decide(new HandBrowser(trust), request, "approve"));
        Assert.Equal(HttpStatusCode.Forbidden, await Decide(browser, request, "approve", origin: "https://evil.example"));
        Assert.Equal(HttpStatusCode.Forbidden, await Decide(browser, request, "approve", institution: trust.World.Institutions[2]));
        Assert.Equal(HttpStatusCode.BadRequest, await Decide(browser, request, "perhaps"));
        Assert.Equal(HttpStatusCode.NoContent, await Decide(browser, request, "approve"));
        Assert.Equal(HttpStatusCode.NotFound, await Decide(browser, request, "approve"));

        using var other = await Client();
        Assert.Equal("invalid_grant", await Poll(other, id));
        var (status, tokens) = await client.Post("/token", [new("grant_type", Grant), new("auth_req_id", id)]);
        Assert.True(status == 200, tokens?.ToJsonString());
        Assert.True(await client.OAuth.IsActive(tokens!["access_token"]!.GetValue<string>(), None));
        Assert.Equal("invalid_grant", await Poll(client, id));
        // The ID token names the person as well as the login hint did.
        Assert.Equal(200, (await client.Post("/bc-authorize", Signed(client, ("id_token_hint", tokens["id_token"]!.GetValue<string>())))).Status);
    }

    // CVE-2026-9798, CVE-2026-16103.
    [Fact]
    public async Task Whoever_is_suspended_after_approving_brings_no_token()
    {
        using var client = await Client();
        using var browser = new HandBrowser(trust);
        var (urn, card) = await trust.NewPhysician(None);
        await browser.LogIn(card);
        var id = await Begin(client, urn);
        Assert.Equal(HttpStatusCode.NoContent, await Decide(browser, (await List(browser))![0]!["id"]!.GetValue<string>(), "approve"));
        await trust.World.Officers[1].Api.Post($"/practitioners/{urn}/state", new JsonObject { ["state"] = "suspended", ["reason"] = "order" }, None);
        Assert.Equal("access_denied", await Poll(client, id));
        // Nor is anybody asked again.
        await Eventually.Holds(
            async () => (await client.Post("/bc-authorize", Signed(client, ("login_hint", urn)))).Json!["error"]?.GetValue<string>() == "unknown_user_id", "the suspended person is asked for nothing");
    }

    [Fact]
    public async Task A_later_request_stands_in_place_of_an_earlier_one_a_refusal_is_told_and_three_of_them_make_the_client_wait()
    {
        using var client = await Client();
        using var browser = new HandBrowser(trust);
        var (urn, card) = await trust.NewPhysician(None);
        await browser.LogIn(card);
        var (first, second) = (await Begin(client, urn), await Begin(client, urn));
        Assert.Equal("expired_token", await Poll(client, first));
        var request = Assert.Single((await List(browser))!.AsArray())!["id"]!.GetValue<string>();
        Assert.Equal(HttpStatusCode.NoContent, await Decide(browser, request, "deny"));
        Assert.Equal("access_denied", await Poll(client, second));
        for (var i = 0; i < 2; i++)
        {
            await Begin(client, urn);
            await Decide(browser, (await List(browser))![0]!["id"]!.GetValue<string>(), "deny");
        }

        Assert.Equal((403, "access_denied"), await Refused(client, ("login_hint", urn)));
        var (_, other) = (0, (await trust.NewPhysician(None)).Urn);
        var expired = await Begin(client, other, ("requested_expiry", 10));
        await trust.Installation.Cluster!.Sql("trust", $"UPDATE idp.decoupled_requests SET expires_at = now() WHERE person = '{other}'", None);
        Assert.Equal("expired_token", await Poll(client, expired));
    }

    public static TheoryData<string, string?, string> Faults => new()
    {
        { "aud", null, "invalid_request" }, { "aud", "\"https://other.example\"", "invalid_request" }, { "iss", null, "invalid_request" }, { "iss", "\"other\"", "invalid_request" },
        { "exp", null, "invalid_request" }, { "exp", "1", "invalid_request" }, { "exp", "+4200", "invalid_request" }, { "iat", null, "invalid_request" }, { "nbf", null, "invalid_request" },
        { "nbf", "+600", "invalid_request" }, { "nbf", "-4200", "invalid_request" }, { "jti", null, "invalid_request" }, { "client_id", "\"other\"", "invalid_request" },
        { "login_hint", null, "invalid_request" }, { "id_token_hint", "\"x\"", "invalid_request" }, { "login_hint", "\"nobody\"", "unknown_user_id" },
        { "login_hint", "\"urn:mdid:p:01J9ZZZZZZZZZZZZZZZZZZZZQ9\"", "unknown_user_id" }, { "login_hint_token", "\"x\"", "invalid_request" }, { "scope", "\"rx.read\"", "invalid_scope" },
        { "binding_message", "\"<b>1</b>\"", "invalid_binding_message" }, { "binding_message", "\"" + new string('1', 65) + "\"", "invalid_binding_message" },
        { "requested_expiry", "9", "invalid_request" }, { "requested_expiry", "\"601\"", "invalid_request" }, { "requested_expiry", "true", "invalid_request" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_request_that_breaks_a_rule_is_refused(string member, string? value, string error)
    {
        using var client = await Client();
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        JsonNode? node = value is null ? null : value[0] is '+' or '-' ? now + int.Parse(value, System.Globalization.CultureInfo.InvariantCulture) : JsonNode.Parse(value);
        Assert.Equal((400, error), await Refused(client, ("login_hint", trust.World.Practitioners[0]), (member, node)));
    }

    [Fact]
    public async Task An_unsigned_request_another_algorithm_another_clients_key_and_no_credentials_are_refused()
    {
        using var client = await Client();
        using var other = await Client();
        var hint = trust.World.Practitioners[0];
        Assert.Equal((400, "invalid_request"), Error(await client.Post("/bc-authorize", [new("scope", "openid"), new("login_hint", hint)])));
        Assert.Equal((400, "invalid_request"), Error(await client.Post("/bc-authorize", [new("request", other.Sign(Claims(client, ("login_hint", hint))))])));
        Assert.Equal((400, "invalid_request"), Error(await client.Post("/bc-authorize", [new("request", client.Sign(Claims(client, ("login_hint", hint)), """{"alg":"none"}"""))])));
        Assert.Equal((401, "invalid_client"), Error(await client.Post("/bc-authorize", Signed(client, ("login_hint", hint)), authenticate: false)));
        using var plain = await RelyingParty.Register(trust, "standard");
        Assert.Equal((400, "unauthorized_client"), Error(await plain.Post("/bc-authorize", [new("scope", "openid"), new("login_hint", hint)])));
    }

    // The notice goes to a declared peer alone, by the client's token; an answer that is no 2xx is not asked for twice.
    [Fact]
    public async Task A_decision_is_told_to_the_registered_endpoint_and_the_tokens_are_fetched_whatever_it_answers()
    {
        using var client = await Client(("backchannel_token_delivery_mode", "ping"), ("backchannel_client_notification_endpoint", trust.Installation.Addresses.CA + "/ciba-notices"));
        using var browser = new HandBrowser(trust);
        var (urn, card) = await trust.NewPhysician(None);
        await browser.LogIn(card);
        Assert.Equal((400, "invalid_request"), await Refused(client, ("login_hint", urn)));
        var id = await Begin(client, urn, ("client_notification_token", "8d67dc78-7faa-4d41-aabd-67707b374255"));
        Assert.Equal(HttpStatusCode.NoContent, await Decide(browser, (await List(browser))![0]!["id"]!.GetValue<string>(), "approve"));
        await Eventually.Holds(
            async () => (await trust.Installation.Cluster!.Sql("trust", $"SELECT notify_tries, notify_after IS NULL, notification_token IS NULL FROM idp.decoupled_requests WHERE client_id = '{client.Id}'", None)).Trim() == "1|t|t",
            "the client is told once");
        Assert.Equal(200, (await client.Post("/token", [new("grant_type", Grant), new("auth_req_id", id)])).Status);
    }

    private async Task<RelyingParty> Client(params (string Name, JsonNode Value)[] more) => await RelyingParty.Register(
        trust, "standard",
        [
            ("grant_types", new JsonArray(Grant)), ("redirect_uris", new JsonArray()), ("backchannel_authentication_request_signing_alg", "ES256"),
            .. more.Any(m => m.Name == "backchannel_token_delivery_mode") ? more : [.. more, ("backchannel_token_delivery_mode", "poll")],
        ]);

    private static JsonObject Claims(RelyingParty client, params IEnumerable<(string Name, JsonNode? Value)> more)
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var claims = new JsonObject { ["iss"] = client.Id, ["aud"] = client.Issuer, ["iat"] = now, ["nbf"] = now, ["exp"] = now + 300, ["jti"] = Guid.NewGuid().ToString(), ["scope"] = "openid rx.read" };
        foreach (var (name, value) in more)
        {
            claims[name] = value;
            if (value is null)
            {
                claims.Remove(name);
            }
        }

        return claims;
    }

    private static KeyValuePair<string, string>[] Signed(RelyingParty client, params IEnumerable<(string Name, JsonNode? Value)> more) => [new("request", client.Sign(Claims(client, more)))];

    private static async Task<string> Begin(RelyingParty client, string person, params IEnumerable<(string Name, JsonNode? Value)> more)
    {
        var (status, json) = await client.Post("/bc-authorize", Signed(client, more.Prepend(("login_hint", person))));
        Assert.True(status == 200, json?.ToJsonString());
        return json!["auth_req_id"]!.GetValue<string>();
    }

    private static (int Status, string? Error) Error((int Status, JsonNode? Json) answer) => (answer.Status, answer.Json?["error"]?.GetValue<string>());

    private static async Task<(int Status, string? Error)> Refused(RelyingParty client, params IEnumerable<(string Name, JsonNode? Value)> more) => Error(await client.Post("/bc-authorize", Signed(client, more)));

    private static async Task<string?> Poll(RelyingParty client, string id) => (await client.Post("/token", [new("grant_type", Grant), new("auth_req_id", id)])).Json!["error"]?.GetValue<string>();

    private static async Task<JsonNode?> List(HandBrowser browser) => JsonNode.Parse(await browser.Http.GetStringAsync(browser.Issuer + "/ciba"));

    private async Task<HttpStatusCode> Decide(HandBrowser browser, string id, string decision, string? institution = null, string? origin = null)
    {
        using var content = new StringContent(new JsonObject { ["decision"] = decision, ["institution"] = institution ?? trust.World.Institutions[0] }.ToJsonString(), Encoding.UTF8, "application/json");
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{browser.Issuer}/ciba/{id}/decision") { Content = content };
        if (origin is not null)
        {
            request.Headers.Add("Origin", origin);
        }

        using var answer = await browser.Http.SendAsync(request);
        return answer.StatusCode;
    }
}

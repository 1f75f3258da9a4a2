using System.Text.Json.Nodes;
using Trust.Cli.Local;
using Trust.Conformance.Tests.Suite;

namespace Trust.Conformance.Tests.Modules;

// Pushed requests, PKCE, and request objects.
internal sealed partial class Fapi2Modules
{
    [Module(Prefix + "ensure-different-nonce-inside-and-outside-request-object")]
    public async Task Another_nonce_outside()
    {
        var authorization = await New();
        if (await Tolerated(authorization, KeyValuePair.Create("nonce", Jwt.Random())) is { } answered)
        {
            await authorization.Tokens(await authorization.Redeem(answered.Code));
        }
    }

    [Module(Prefix + "ensure-different-state-inside-and-outside-request-object")]
    public async Task Another_state_outside()
    {
        var authorization = await New();
        _ = await Tolerated(authorization, KeyValuePair.Create("state", Jwt.Random()));
    }

    [Module(Prefix + "state-only-outside-request-object-not-used")]
    public async Task State_only_outside()
    {
        var authorization = await New();
        authorization.Fields.Remove("state");
        var outcome = await NewBrowser().Open(await authorization.Address(await authorization.Pushed(), KeyValuePair.Create("state", Jwt.Random())));
        Assert.Null((await authorization.Judge(outcome)).Reached()["state"]);
    }

    [Module(Prefix + "ensure-request-object-without-redirect-uri-fails")]
    [Module(Prefix + "ensure-redirect-uri-in-authorization-request")]
    public async Task Push_without_redirect_uri()
    {
        var authorization = await New();
        authorization.Fields.Remove("redirect_uri");
        (await authorization.Push()).Refused("invalid_request", "invalid_request_object", "invalid_redirect_uri");
    }

    [Module(Prefix + "ensure-registered-redirect-uri")]
    public async Task Unregistered_redirect_uri()
    {
        var authorization = await New();
        authorization.Fields["redirect_uri"] += "/" + Jwt.Random();
        await IsRefused(authorization, "invalid_request", "invalid_redirect_uri", "invalid_request_object");
    }

    // A provider may take it through an authenticated push (FAPI 2.0 5.3.2.2 note); ours does not need to.
    [Module(Prefix + "plain-fapi-tolerate-unregistered-redirect-uri")]
    public async Task Unregistered_redirect_uri_taken_or_refused()
    {
        var authorization = await New();
        authorization.Fields["redirect_uri"] += "/" + Jwt.Random();
        _ = await Tolerated(authorization);
    }

    [Module(Prefix + "ensure-unsigned-authorization-request-without-using-par-fails")]
    public async Task Request_that_was_not_pushed()
    {
        var authorization = await New();
        var outcome = await NewBrowser().Open(await Provider.Endpoint("authorization_endpoint") + "?" + Authorization.Query(authorization.Fields));
        outcome.Refused("invalid_request", "invalid_request_object");
    }

    [Module(Prefix + "ensure-response-type-code-idtoken-fails")]
    public Task Response_type_code_id_token() => WithResponseType("code id_token");

    [Module(Prefix + "ensure-response-type-token-fails")]
    public Task Response_type_token() => WithResponseType("token");

    [Module(Prefix + "par-ensure-reused-request-uri-prior-to-auth-completion-succeeds")]
    public async Task Page_loaded_twice_before_the_login()
    {
        var authorization = await New();
        var address = await authorization.Address(await authorization.Pushed());
        Assert.IsType<Outcome.Page>(await NewBrowser().Open(address, Person.Waiting));
        var browser = NewBrowser();
        Assert.IsType<Outcome.Page>(await browser.Open(address, Person.Waiting));
        var answered = (await authorization.Judge(await browser.Open(address))).Granted();
        await authorization.Tokens(await authorization.Redeem(answered.Code));
    }

    [Module(Prefix + "par-attempt-reuse-request_uri")]
    public async Task Pushed_request_twice()
    {
        var authorization = await New();
        var address = await authorization.Address(await authorization.Pushed());
        (await authorization.Judge(await NewBrowser().Open(address))).Granted();
        (await authorization.Judge(await NewBrowser().Open(address))).Refused("invalid_request_uri", "invalid_request", "access_denied");
    }

    [Module(Prefix + "par-attempt-to-use-expired-request_uri")]
    public async Task Pushed_request_that_ran_out()
    {
        var authorization = await New();
        var pushed = (await authorization.Push()).Succeeded(201);
        await Pass(TimeSpan.FromSeconds(pushed.Json["expires_in"]!.GetValue<int>() + 2));
        (await authorization.Judge(await NewBrowser().Open(await authorization.Address(pushed.Text("request_uri"))))).Refused("invalid_request_uri", "invalid_request");
    }

    [Module(Prefix + "par-attempt-to-use-request_uri-for-different-client")]
    public async Task Another_clients_pushed_request()
    {
        var authorization = await New();
        var pushed = await authorization.Pushed();
        var outcome = await NewBrowser().Open(await Provider.Endpoint("authorization_endpoint") + "?" + Authorization.Query(
            KeyValuePair.Create("client_id", (await Clients).Second.Id), KeyValuePair.Create("request_uri", pushed)));
        outcome.Refused("invalid_request_uri", "invalid_request", "invalid_client", "unauthorized_client");
    }

    [Module(Prefix + "par-authorization-request-containing-request_uri-form-param")]
    public async Task Push_with_request_uri()
    {
        var authorization = await New();
        (await authorization.Push(null, KeyValuePair.Create("request_uri", await (await New()).Pushed()))).Refused("invalid_request", "invalid_request_object");
    }

    [Module(Prefix + "par-authorization-request-containing-request_uri", Only = "signing")]
    public async Task Request_object_with_request_uri()
    {
        var authorization = await New();
        var inside = await (await New()).Pushed();
        authorization.RequestObject = claims => claims["request_uri"] = inside;
        (await authorization.Push()).Refused("invalid_request", "invalid_request_object");
    }

    [Module(Prefix + "par-attempt-invalid-http-method")]
    public async Task Push_by_another_verb()
    {
        var authorization = await New();
        using var http = authorization.Client.Http();
        foreach (var method in new[] { HttpMethod.Get, HttpMethod.Put })
        {
            using var request = new HttpRequestMessage(method, await Provider.Endpoint("pushed_authorization_request_endpoint", authorization.Client.UsesCertificate) + "?" + Authorization.Query(authorization.Fields));
            using var response = await http.SendAsync(request);
            Assert.InRange((int)response.StatusCode, 400, 499);
        }
    }

    [Module(Prefix + "par-ensure-pkce-required")]
    public async Task Push_without_pkce()
    {
        var authorization = await New();
        authorization.Fields.Remove("code_challenge");
        authorization.Fields.Remove("code_challenge_method");
        await IsRefused(authorization, "invalid_request");
    }

    [Module(Prefix + "par-plain-pkce-rejected")]
    public async Task Push_with_plain_pkce()
    {
        var authorization = await New();
        (authorization.Fields["code_challenge"], authorization.Fields["code_challenge_method"]) = (authorization.Verifier, "plain");
        await IsRefused(authorization, "invalid_request");
    }

    [Module(Prefix + "ensure-pkce-code-verifier-required")]
    public async Task Redemption_without_verifier()
    {
        var authorization = await New();
        var answered = (await authorization.Ask(NewBrowser())).Granted();
        authorization.HidesVerifier = true;
        (await authorization.Redeem(answered.Code)).Refused("invalid_grant", "invalid_request");
    }

    [Module(Prefix + "incorrect-pkce-code-verifier-rejected")]
    public async Task Redemption_with_another_verifier()
    {
        var authorization = await New();
        var answered = (await authorization.Ask(NewBrowser())).Granted();
        (await authorization.Redeem(answered.Code, null, KeyValuePair.Create("code_verifier", Jwt.Random(32)))).Refused("invalid_grant");
    }

    [Module(Prefix + "par-without-duplicate-parameters")]
    public async Task Nothing_but_client_and_request_uri_at_the_authorization_endpoint()
    {
        var authorization = await New();
        var address = await authorization.Address(await authorization.Pushed());
        Assert.Equal(2, new Uri(address).Query.Split('&').Length);
        var answered = (await authorization.Judge(await NewBrowser().Open(address))).Granted();
        await authorization.Tokens(await authorization.Redeem(answered.Code));
    }

    [Module(Prefix + "ensure-request-object-with-multiple-aud-succeeds", Only = "signing")]
    public async Task Object_for_several()
    {
        var authorization = await New();
        authorization.RequestObject = c => c["aud"] = new JsonArray("https://other.example", Provider.Issuer);
        await authorization.Complete(NewBrowser());
    }

    [Module(Prefix + "ensure-request-object-with-nbf-8-seconds-in-the-future-is-accepted", Only = "signing")]
    public async Task Object_valid_from_in_eight_seconds()
    {
        var authorization = await New();
        authorization.RequestObject = c => c["nbf"] = Jwt.Now + 8;
        await authorization.Complete(NewBrowser());
    }

    [Module(Prefix + "ensure-request-object-without-exp-fails", Only = "signing")]
    public Task Object_without_exp() => ObjectIsRefused(c => c.Remove("exp"));

    [Module(Prefix + "ensure-request-object-without-nbf-fails", Only = "signing")]
    public Task Object_without_nbf() => ObjectIsRefused(c => c.Remove("nbf"));

    [Module(Prefix + "ensure-expired-request-object-fails", Only = "signing")]
    public Task Object_that_ran_out() => ObjectIsRefused(c => (c["nbf"], c["exp"]) = (Jwt.Now - 600, Jwt.Now - 300));

    [Module(Prefix + "ensure-request-object-with-bad-aud-fails", Only = "signing")]
    public Task Object_for_another() => ObjectIsRefused(c => c["aud"] = "https://other.example");

    [Module(Prefix + "ensure-request-object-with-exp-over-60-fails", Only = "signing")]
    public Task Object_that_lives_over_an_hour() => ObjectIsRefused(c => c["exp"] = Jwt.Now + (70 * 60));

    [Module(Prefix + "ensure-request-object-with-nbf-over-60-fails", Only = "signing")]
    public Task Object_of_over_an_hour_ago() => ObjectIsRefused(c => c["nbf"] = Jwt.Now - (70 * 60));

    [Module(Prefix + "ensure-signed-request-object-with-RS256-fails", Only = "signing")]
    public async Task Object_by_RS256()
    {
        var authorization = await New();
        authorization.RequestKey = authorization.Client.OtherKey!.As("RS256");
        (await authorization.Push()).Refused("invalid_request_object", "invalid_request", "invalid_client");
    }

    [Module(Prefix + "ensure-request-object-signature-algorithm-is-not-none", Only = "signing")]
    public Task Object_by_none() => SignedIsRefused(Jwt.Unsigned);

    [Module(Prefix + "ensure-request-object-with-invalid-signature-fails", Only = "signing")]
    public Task Object_with_a_bad_signature() => SignedIsRefused(Jwt.Broken);

    [Module(Prefix + "ensure-matching-key-in-authorization-request", Only = "signing")]
    public async Task Object_by_another_clients_key()
    {
        var authorization = await New();
        authorization.RequestKey = (await Clients).Second.Key;
        (await authorization.Push()).Refused("invalid_request_object", "invalid_request", "invalid_client");
    }

    [Module(Prefix + "ensure-unsigned-request-at-par-endpoint-fails", Only = "signing")]
    public async Task Push_without_an_object()
    {
        var authorization = await New();
        authorization.LeavesUnsigned = true;
        (await authorization.Push()).Refused("invalid_request_object", "invalid_request");
    }

    private async Task WithResponseType(string type)
    {
        var authorization = await New();
        authorization.Fields["response_type"] = type;
        await IsRefused(authorization, "unsupported_response_type", "unauthorized_client", "invalid_request");
    }

    private async Task ObjectIsRefused(Action<JsonObject> change)
    {
        var authorization = await New();
        authorization.RequestObject = change;
        (await authorization.Push()).Refused("invalid_request_object", "invalid_request");
    }

    private async Task SignedIsRefused(Func<string, string> change)
    {
        var authorization = await New();
        authorization.Signed = change;
        (await authorization.Push()).Refused("invalid_request_object", "invalid_request");
    }
}

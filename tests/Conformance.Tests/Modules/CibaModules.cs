using System.Text.Json.Nodes;
using Trust.Conformance.Tests.Suite;

namespace Trust.Conformance.Tests.Modules;

/// <summary>FAPI-CIBA: signed requests, tokens bound to the client's certificate, by poll and by ping.</summary>
internal sealed class CibaModules(ConformanceRun run, string plan, string variant) : PlanModules(run, plan, variant)
{
    private const string Prefix = "fapi-ciba-id1";
    private static readonly string[] RequestErrors = ["invalid_request", "invalid_request_object"];

    private Task<Pair> Clients => Run.Clients.Ciba(Variant.Split('+')[0], Variant.Split('+')[1]);

    private async Task<BackchannelRequest> New()
    {
        // A request may live for seconds only: whoever decides is logged in before.
        await Run.PersonIsLoggedIn();
        return new BackchannelRequest(Run, (await Clients).First);
    }

    [Module(Prefix + "-discovery-end-point-verification")]
    public async Task Discovery()
    {
        await ConfigModules.Discovery(Provider);
        Assert.Contains(Variant.Split('+')[0], await Provider.List("backchannel_token_delivery_modes_supported"));
        Assert.NotNull((await Provider.Metadata())["backchannel_authentication_endpoint"]);
        Assert.Contains(await Provider.List("backchannel_authentication_request_signing_alg_values_supported"), a => a is "ES256" or "PS256");
        Assert.DoesNotContain("none", await Provider.List("backchannel_authentication_request_signing_alg_values_supported"));
        Assert.Contains("urn:openid:params:grant-type:ciba", await Provider.List("grant_types_supported"));
    }

    [Module(Prefix)]
    public async Task Two_clients()
    {
        var clients = await Clients;
        foreach (var (client, other) in new[] { (clients.First, clients.Second), (clients.Second, clients.First) })
        {
            var granted = await Tokens(await (await new BackchannelRequest(Run, client).Begin()).Decided(), client);
            Assert.Equal(granted.Subject, (await client.UserInfo(granted.AccessToken)).Succeeded().Text("sub"));
            Assert.NotEqual(200, (await client.UserInfo(granted.AccessToken, new Call { WithoutCertificate = true })).Status);
            Assert.NotEqual(200, (await other.UserInfo(granted.AccessToken)).Status);
        }
    }

    [Module(Prefix + "-user-rejects-authentication")]
    public async Task The_person_declines() => (await (await (await New()).Begin()).Decided(approves: false)).Refused("access_denied");

    [Module(Prefix + "-multiple-call-to-token-endpoint")]
    public async Task Asked_again_and_again()
    {
        var started = await (await New()).Begin();
        for (var i = 0; i < 4; i++)
        {
            var answer = await started.Ask();
            Assert.True(answer.Status == 503 || answer.Error is "authorization_pending" or "slow_down", answer.Body);
        }

        await started.Decided();
    }

    [Module(Prefix + "-auth-req-id-expired")]
    public async Task A_request_that_ran_out()
    {
        var request = await New();
        request.Claims["requested_expiry"] = 10;
        var started = await request.Begin();
        Assert.InRange(started.ExpiresIn, 1, 10);
        await Pass(TimeSpan.FromSeconds(started.ExpiresIn + 1));
        (await started.Ask()).Refused("expired_token");
    }

    [Module(Prefix + "-ensure-authorization-request-with-binding-message-succeeds")]
    public async Task Binding_message()
    {
        var request = await New();
        request.Claims["binding_message"] = "1234";
        await Tokens(await (await request.Begin()).Decided());
    }

    [Module(Prefix + "-ensure-authorization-request-with-potentially-bad-binding-message")]
    public async Task Binding_message_that_may_be_bad()
    {
        var request = await New();
        request.Claims["binding_message"] = "1234 \U0001f44d\U0001f3ff 品川 " + new string('x', 200);
        var answer = await request.Send();
        if (answer.Status != 200)
        {
            answer.Refused("invalid_binding_message");
        }
    }

    [Module(Prefix + "-ensure-other-scope-order-succeeds")]
    public async Task Scopes_the_other_way_round()
    {
        var request = await New();
        request.Claims["scope"] = "profile openid";
        await Tokens(await (await request.Begin()).Decided());
    }

    [Module(Prefix + "-ensure-requested-expiry-as-string-succeeds")]
    public async Task Requested_expiry_as_text()
    {
        var request = await New();
        request.Claims["requested_expiry"] = "30";
        var started = await request.Begin();
        Assert.InRange(started.ExpiresIn, 1, 30);
        await Tokens(await started.Decided());
    }

    [Module(Prefix + "-ensure-request-object-missing-aud-fails")]
    public Task Object_without_aud() => Refused(c => c.Remove("aud"));

    [Module(Prefix + "-ensure-request-object-bad-aud-fails")]
    public Task Object_for_another() => Refused(c => c["aud"] = "https://other.example");

    [Module(Prefix + "-ensure-request-object-missing-iss-fails")]
    public Task Object_without_iss() => Refused(c => c.Remove("iss"));

    [Module(Prefix + "-ensure-request-object-bad-iss-fails")]
    public Task Object_of_another() => Refused(c => c["iss"] = "somebody");

    [Module(Prefix + "-ensure-request-object-missing-exp-fails")]
    public Task Object_without_exp() => Refused(c => c.Remove("exp"));

    [Module(Prefix + "-ensure-request-object-expired-exp-fails")]
    public Task Object_that_ran_out() => Refused(c => (c["nbf"], c["exp"]) = (Jwt.Now - 600, Jwt.Now - 300));

    [Module(Prefix + "-ensure-request-object-exp-is-70-minutes-in-future-fails")]
    public Task Object_that_lives_over_an_hour() => Refused(c => c["exp"] = Jwt.Now + (70 * 60));

    [Module(Prefix + "-ensure-request-object-missing-iat-fails")]
    public Task Object_without_iat() => Refused(c => c.Remove("iat"));

    [Module(Prefix + "-ensure-request-object-missing-nbf-fails")]
    public Task Object_without_nbf() => Refused(c => c.Remove("nbf"));

    [Module(Prefix + "-ensure-request-object-nbf-is-10-minutes-in-future-fails")]
    public Task Object_of_the_future() => Refused(c => (c["nbf"], c["exp"]) = (Jwt.Now + 600, Jwt.Now + 900));

    [Module(Prefix + "-ensure-request-object-nbf-is-70-minutes-in-past-fails")]
    public Task Object_of_over_an_hour_ago() => Refused(c => c["nbf"] = Jwt.Now - (70 * 60));

    [Module(Prefix + "-ensure-request-object-missing-jti-fails")]
    public Task Object_without_jti() => Refused(c => c.Remove("jti"));

    [Module(Prefix + "-ensure-request-object-signature-algorithm-is-none-fails")]
    public Task Object_by_none() => Refused(_ => { }, r => r.Signed = Jwt.Unsigned);

    [Module(Prefix + "-ensure-request-object-signature-algorithm-is-bad-fails")]
    public Task Object_with_a_bad_signature() => Refused(_ => { }, r => r.Signed = Jwt.Broken);

    [Module(Prefix + "-ensure-request-object-signature-algorithm-is-RS256-fails")]
    public Task Object_by_RS256() => Refused(_ => { }, r => r.Key = r.Client.OtherKey!.As("RS256"));

    [Module(Prefix + "-ensure-request-object-signed-by-other-client-fails")]
    public async Task Object_by_another_clients_key()
    {
        var other = (await Clients).Second.Key;
        await Refused(_ => { }, r => r.Key = other);
    }

    [Module(Prefix + "-ensure-authorization-request-with-multiple-hints-fails")]
    public Task Two_hints() => Refused(c => c["id_token_hint"] = "a.b.c");

    [Module(Prefix + "-ensure-wrong-auth-req-id-in-token-endpoint-request")]
    public async Task Another_number()
    {
        var started = await (await New()).Begin();
        (await started.Ask(id: Jwt.Random(32))).Refused("invalid_grant", "invalid_request");
    }

    [Module(Prefix + "-ensure-different-client-id-and-issuer-in-backchannel-authorization-request")]
    public async Task Another_client_signs()
    {
        var other = (await Clients).Second;
        await Refused(c => c["iss"] = other.Id, r => r.Key = other.Key);
    }

    [Module(Prefix + "-ensure-wrong-client-id-in-token-endpoint-request")]
    public async Task Another_clients_number()
    {
        var started = await (await New()).Begin();
        (await started.Ask(by: (await Clients).Second)).Refused("invalid_grant", "invalid_client");
    }

    [Module(Prefix + "-ensure-wrong-client-id-in-backchannel-authorization-request")]
    public async Task Another_clients_id()
    {
        var request = await New();
        (await request.Send(null, KeyValuePair.Create("client_id", (await Clients).Second.Id))).Refused("invalid_client", "invalid_request", "invalid_request_object", "unauthorized_client");
    }

    [Module(Prefix + "-ensure-without-client-assertion-in-token-endpoint-request", Only = "private_key_jwt")]
    public async Task No_assertion_at_the_token_endpoint()
    {
        var started = await (await New()).Begin();
        (await started.Ask(new Call { Unauthenticated = true })).Refused("invalid_client", "invalid_request");
    }

    [Module(Prefix + "-ensure-without-client-assertion-in-backchannel-authorization-request", Only = "private_key_jwt")]
    public async Task No_assertion_at_the_backchannel_endpoint() => (await (await New()).Send(new Call { Unauthenticated = true })).Refused("invalid_client", "invalid_request");

    [Module(Prefix + "-ensure-client-assertion-signature-algorithm-in-backchannel-authorization-request-is-RS256-fails", Only = "private_key_jwt")]
    public async Task Assertion_by_RS256_at_the_backchannel_endpoint()
    {
        var request = await New();
        (await request.Send(new Call { AssertionKey = request.Client.OtherKey!.As("RS256") })).Refused("invalid_client", "invalid_request");
    }

    [Module(Prefix + "-ensure-client-assertion-signature-algorithm-in-token-endpoint-request-is-RS256-fails", Only = "private_key_jwt")]
    public async Task Assertion_by_RS256_at_the_token_endpoint()
    {
        var started = await (await New()).Begin();
        (await started.Ask(new Call { AssertionKey = started.Request.Client.OtherKey!.As("RS256") })).Refused("invalid_client", "invalid_request");
    }

    [Module(Prefix + "-ensure-client-assertion-with-iss-aud-to-token-endpoint-succeeds", Only = "private_key_jwt")]
    public async Task Assertion_for_the_issuer() => await Tokens(await (await (await New()).Begin()).Decided());

    [Module(Prefix + "-ping-backchannel-notification-endpoint-response-has-body", Only = "ping")]
    public Task Notification_answered_with_a_body() => Notified(context => context.Response.WriteAsync("""{"unexpected":"body"}"""));

    [Module(Prefix + "-ping-backchannel-notification-endpoint-response-401", Only = "ping")]
    public Task Notification_answered_with_401() => Notified(With(401));

    [Module(Prefix + "-ping-backchannel-notification-endpoint-response-403", Only = "ping")]
    public Task Notification_answered_with_403() => Notified(With(403));

    [Module(Prefix + "-ping-with-mtls-ciba-notification-endpoint-response-401-and-require-server-does-not-retry", Only = "ping")]
    public async Task Notification_answered_with_401_is_not_repeated()
    {
        var started = await Notified(With(401));
        await Pass(TimeSpan.FromSeconds(8));
        Assert.Single(Run.Receiver.At(started.Request.NotificationPath), r => r.Body.Contains(started.Id, StringComparison.Ordinal));
    }

    [Module(Prefix + "-ping-backchannel-notification-endpoint-return-redirect-request", Only = "ping")]
    public async Task Notification_answered_with_a_redirect_is_not_followed()
    {
        var elsewhere = $"/elsewhere-{Run.Clients.Next()}";
        await Notified(context =>
        {
            context.Response.Redirect(Run.Receiver.Address + elsewhere);
            return Task.CompletedTask;
        });
        await Pass(TimeSpan.FromSeconds(2));
        Assert.Empty(Run.Receiver.At(elsewhere));
    }

    [Module(Prefix + "-ensure-unsigned-backchannel-authorization-request-fails")]
    public async Task Parameters_without_an_object()
    {
        var request = await New();
        var plain = request.Claims.Where(c => c.Key is "scope" or "login_hint" or "binding_message" or "client_notification_token").Select(c => KeyValuePair.Create(c.Key, c.Value!.GetValue<string>()));
        (await request.Client.Post("backchannel_authentication_endpoint", plain)).Refused(RequestErrors);
    }

    [Module(Prefix + "-refresh-token")]
    public async Task Refresh_token()
    {
        var request = await New();
        if ((await Provider.List("scopes_supported")).Contains("offline_access"))
        {
            request.Claims["scope"] = "openid offline_access";
        }

        var granted = await Tokens(await (await request.Begin()).Decided());
        var token = granted.RefreshToken ?? throw new Xunit.Sdk.XunitException("no refresh token");
        (await (await Clients).Second.Refresh(token)).Refused("invalid_grant");
        (await request.Client.Refresh(token, new Call { WithoutCertificate = true })).Refused();
        (await request.Client.Refresh(token)).Succeeded();
    }

    [Module(Prefix + "-ensure-mtls-holder-of-key-required")]
    public async Task Tokens_for_the_holder_of_the_certificate_only()
    {
        var started = await (await New()).Begin();
        await Run.Decide(started.Request.Client, approves: true);
        (await started.Ask(new Call { WithoutCertificate = true })).Refused("invalid_request", "invalid_client", "invalid_grant");
    }

    private static Func<HttpContext, Task> With(int status) => context =>
    {
        context.Response.StatusCode = status;
        return Task.CompletedTask;
    };

    private async Task<BackchannelRequest.Started> Notified(Func<HttpContext, Task> answer)
    {
        var request = await New();
        Run.Receiver.Serve(request.NotificationPath, answer);
        try
        {
            var started = await request.Begin();
            await Tokens(await started.Decided());
            return started;
        }
        finally
        {
            Run.Receiver.Serve(request.NotificationPath, With(204));
        }
    }

    private async Task<Granted> Tokens(Answer answer, RelyingParty? client = null) => await Granted.Of(client ?? (await Clients).First, answer, null);

    private async Task Refused(Action<JsonObject> change, Action<BackchannelRequest>? other = null)
    {
        var request = await New();
        change(request.Claims);
        other?.Invoke(request);
        (await request.Send()).Refused([.. RequestErrors, "invalid_client", "unauthorized_client"]);
    }
}

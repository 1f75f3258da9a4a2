using System.Text.Json.Nodes;
using Trust.Conformance.Tests.Suite;

namespace Trust.Conformance.Tests.Modules;

/// <summary>FAPI 2.0 Security Profile, plain: what every flow keeps. The other files hold the requests, the proofs and the assertions.</summary>
internal sealed partial class Fapi2Modules(ConformanceRun run, string plan, string variant) : PlanModules(run, plan, variant)
{
    private const string Prefix = "fapi2-security-profile-final-";

    private Manner Manner => new() { Pushes = true, Proves = true, Signs = Has("signing"), ResponseMode = Has("signing") ? "jwt" : null };

    private Task<Pair> Clients => Run.Clients.Fapi2(Variant.Split('+')[0], Variant.Split('+')[1], Has("signing"));

    private async Task<Authorization> New(string scope = "openid profile") => new((await Clients).First, Manner, scope);

    private async Task<Authorization> OfSecond() => new((await Clients).Second, Manner, "openid profile");

    [Module(Prefix + "discovery-end-point-verification")]
    public async Task Discovery()
    {
        await ConfigModules.Discovery(Provider);
        Assert.NotNull((await Provider.Metadata())["pushed_authorization_request_endpoint"]);
        Assert.True(await Provider.Says("authorization_response_iss_parameter_supported"));
        Assert.Contains("code", await Provider.List("response_types_supported"));
        Assert.Contains("S256", await Provider.List("code_challenge_methods_supported"));
        Assert.Contains(Has("mtls") && Variant.StartsWith("mtls", StringComparison.Ordinal) ? "self_signed_tls_client_auth" : "private_key_jwt", await Provider.List("token_endpoint_auth_methods_supported"));
        // What a fapi2 client may sign with; that RS256 stands there for others is judged where it is tried.
        Assert.Contains(await Provider.List("token_endpoint_auth_signing_alg_values_supported"), IsAllowed);
        if (Has("dpop"))
        {
            Assert.All(await Provider.List("dpop_signing_alg_values_supported"), a => Assert.True(IsAllowed(a), a));
            Assert.NotEmpty(await Provider.List("dpop_signing_alg_values_supported"));
        }
        else
        {
            Assert.True(await Provider.Says("tls_client_certificate_bound_access_tokens"));
        }

        if (Has("signing"))
        {
            Assert.Contains("jwt", await Provider.List("response_modes_supported"));
            Assert.Contains(await Provider.List("request_object_signing_alg_values_supported"), IsAllowed);
            Assert.Contains(await Provider.List("authorization_signing_alg_values_supported"), IsAllowed);
        }
    }

    [Module(Prefix + "happy-flow")]
    public async Task Happy_flow()
    {
        foreach (var authorization in new[] { await New(), await OfSecond() })
        {
            var granted = await authorization.Complete(NewBrowser());
            Assert.Equal(granted.Subject, (await authorization.Client.UserInfo(granted.AccessToken)).Succeeded().Text("sub"));
            // Really bound: without the key, or with another's, it is worth nothing.
            var stranger = (await Clients) is var pair && pair.First.Id == authorization.Client.Id ? pair.Second : pair.First;
            if (Has("dpop"))
            {
                Assert.NotEqual(200, (await authorization.Client.UserInfo(granted.AccessToken, new Call { Proof = "" }, scheme: "Bearer")).Status);
                Assert.NotEqual(200, (await stranger.UserInfo(granted.AccessToken)).Status);
            }

            if (authorization.Client.IsCertificateBound)
            {
                Assert.NotEqual(200, (await authorization.Client.UserInfo(granted.AccessToken, new Call { WithoutCertificate = true })).Status);
                Assert.NotEqual(200, (await stranger.UserInfo(granted.AccessToken)).Status);
            }
        }
    }

    [Module(Prefix + "user-rejects-authentication")]
    public async Task The_person_declines()
    {
        var authorization = await New();
        authorization.Fields["prompt"] = "consent";
        Assert.Equal("access_denied", (await authorization.Ask(NewBrowser(), Person.Declining)).Reached()["error"]);
    }

    [Module(Prefix + "ensure-authorization-request-without-state-success")]
    public async Task Without_state()
    {
        var authorization = await New();
        authorization.Fields.Remove("state");
        await authorization.Complete(NewBrowser());
    }

    [Module(Prefix + "ensure-authorization-request-without-nonce-success")]
    public async Task Without_nonce()
    {
        var authorization = await New();
        authorization.Fields.Remove("nonce");
        await authorization.Complete(NewBrowser());
    }

    [Module(Prefix + "ensure-authorization-request-with-64-char-nonce-success")]
    public async Task Nonce_of_64_characters()
    {
        var authorization = await New();
        authorization.Fields["nonce"] = Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32));
        await authorization.Complete(NewBrowser());
    }

    [Module(Prefix + "ensure-authorization-request-with-long-nonce")]
    public Task Long_nonce() => WithLong("nonce", 384);

    [Module(Prefix + "ensure-authorization-request-with-long-state")]
    public Task Long_state() => WithLong("state", 1000);

    [Module(Prefix + "ensure-other-scope-order-succeeds")]
    public async Task Scopes_the_other_way_round() => await (await New("profile openid")).Complete(NewBrowser());

    [Module(Prefix + "test-claims-parameter-identity-claims")]
    public async Task Claims_parameter()
    {
        Assert.SkipUnless(await Provider.Says("claims_parameter_supported"), "the suite's own reason to skip: claims_parameter_supported is false");
        var authorization = await New("openid");
        authorization.Fields["claims"] = """{"id_token":{"name":null,"auth_time":{"essential":true}},"userinfo":{"name":{"essential":true}}}""";
        var granted = await authorization.Complete(NewBrowser());
        Assert.NotNull(granted.Claims["name"]);
        Assert.NotNull(granted.AuthTime);
        Assert.NotNull((await authorization.Client.UserInfo(granted.AccessToken)).Succeeded().Text("name"));
    }

    // RFC 9110 11.1.
    [Module(Prefix + "access-token-type-header-case-sensitivity")]
    public async Task Scheme_in_any_case()
    {
        var authorization = await New();
        var granted = await authorization.Complete(NewBrowser());
        foreach (var scheme in Has("dpop") ? new[] { "dpop", "DPOP", "DPoP" } : ["bearer", "BEARER", "Bearer"])
        {
            (await authorization.Client.UserInfo(granted.AccessToken, scheme: scheme)).Succeeded();
        }
    }

    [Module(Prefix + "ensure-client-id-in-token-endpoint")]
    public async Task Another_clients_id_at_the_token_endpoint()
    {
        var authorization = await New();
        var answered = (await authorization.Ask(NewBrowser())).Granted();
        (await authorization.Redeem(answered.Code, null, KeyValuePair.Create("client_id", (await Clients).Second.Id))).Refused("invalid_client", "invalid_request", "invalid_grant", "unauthorized_client");
    }

    [Module(Prefix + "ensure-holder-of-key-required")]
    public async Task Tokens_for_a_holder_of_a_key_only()
    {
        var authorization = await New();
        var answered = (await authorization.Ask(NewBrowser())).Granted();
        (await authorization.Redeem(answered.Code, new Call { Proof = Has("dpop") ? "" : null, WithoutCertificate = true })).Refused("invalid_dpop_proof", "invalid_request", "invalid_client", "invalid_grant");
        await NoTlsBelow12();
    }

    [Module(Prefix + "ensure-authorization-code-is-bound-to-client")]
    public async Task A_code_of_another_client()
    {
        var authorization = await New();
        var answered = (await authorization.Ask(NewBrowser())).Granted();
        var second = (await Clients).Second;
        var fields = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["code"] = answered.Code, ["redirect_uri"] = authorization.Fields["redirect_uri"], ["code_verifier"] = authorization.Verifier,
        };
        (await second.Token("authorization_code", fields)).Refused("invalid_grant", "invalid_client");
    }

    [Module(Prefix + "attempt-reuse-authorization-code-after-one-second")]
    public async Task A_code_twice()
    {
        var authorization = await New();
        var answered = (await authorization.Ask(NewBrowser())).Granted();
        var granted = await authorization.Tokens(await authorization.Redeem(answered.Code));
        (await authorization.Client.UserInfo(granted.AccessToken)).Succeeded();
        await Pass(TimeSpan.FromSeconds(1));
        (await authorization.Redeem(answered.Code)).Refused("invalid_grant");
        Assert.Equal(401, (await authorization.Client.UserInfo(granted.AccessToken)).Status);
    }

    [Module(Prefix + "ensure-token-endpoint-fails-with-expired-auth-code")]
    public async Task A_code_that_ran_out()
    {
        var authorization = await New();
        var answered = (await authorization.Ask(NewBrowser())).Granted();
        await Pass(ConformanceRun.CodeLife + TimeSpan.FromSeconds(1));
        (await authorization.Redeem(answered.Code)).Refused("invalid_grant");
    }

    [Module(Prefix + "refresh-token")]
    public async Task Refresh_token()
    {
        var clients = await Clients;
        var authorization = await New("openid");
        await BasicModules.RefreshToken(authorization, clients.Second, NewBrowser());
        var granted = await (await WithOffline()).Complete(NewBrowser());
        var token = granted.RefreshToken ?? throw new Xunit.Sdk.XunitException("no refresh token");
        var client = authorization.Client;
        (await client.Refresh(token, new Call { Unauthenticated = true, WithoutCertificate = true })).Refused();
        if (Has("dpop"))
        {
            (await client.Refresh(token, new Call { Proof = "" })).Refused("invalid_dpop_proof", "invalid_request", "invalid_grant");
            (await client.Refresh(token, new Call { ProofKey = new Dpop() })).Refused("invalid_dpop_proof", "invalid_request", "invalid_grant");
        }
        else
        {
            (await client.Refresh(token, new Call { WithoutCertificate = true })).Refused();
        }

        // FAPI 2.0 5.3.2.1: no rotation; what came back may be the same one.
        (await client.Refresh(token)).Succeeded();
        (await client.Refresh(token)).Succeeded();
    }

    private async Task<Authorization> WithOffline()
    {
        var authorization = await New((await Provider.List("scopes_supported")).Contains("offline_access") ? "openid offline_access" : "openid");
        authorization.Fields["prompt"] = "consent";
        return authorization;
    }

    // Long values come back exactly or are refused, never cut: Judge and Tokens compare them.
    private async Task WithLong(string name, int length)
    {
        var authorization = await New();
        authorization.Fields[name] = Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(length / 2));
        if (await Tolerated(authorization) is { } answered)
        {
            await authorization.Tokens(await authorization.Redeem(answered.Code));
        }
    }

    // Pushed and asked; null where the provider refused cleanly.
    private async Task<Outcome.Answered?> Tolerated(Authorization authorization, params KeyValuePair<string, string>[] more)
    {
        var pushed = await authorization.Push();
        if (pushed.Status != 201)
        {
            pushed.Refused();
            return null;
        }

        var outcome = await authorization.Judge(await NewBrowser().Open(await authorization.Address(pushed.Text("request_uri"), more)));
        if (outcome is Outcome.Answered { Parameters: var parameters } answered && parameters.ContainsKey("code"))
        {
            return answered;
        }

        outcome.Refused();
        return null;
    }

    // A negative result may come from the push, as a page, or by redirect with the right error; never a code.
    private async Task IsRefused(Authorization authorization, params string[] errors)
    {
        var pushed = await authorization.Push();
        if (pushed.Status != 201)
        {
            pushed.Refused(errors.Length == 0 ? [] : [.. errors, "invalid_request"]);
            return;
        }

        (await authorization.Judge(await NewBrowser().Open(await authorization.Address(pushed.Text("request_uri"))))).Refused(errors);
    }

    private async Task NoTlsBelow12()
    {
        var token = new Uri(await Provider.Endpoint("token_endpoint", (await Clients).First.UsesCertificate));
        using var tcp = new System.Net.Sockets.TcpClient();
        await tcp.ConnectAsync("127.0.0.1" is var loopback && token.Host == "localhost" ? loopback : token.Host, token.Port);
        await using var tls = new System.Net.Security.SslStream(tcp.GetStream(), leaveInnerStreamOpen: false, (_, _, _, _) => true);
#pragma warning disable SYSLIB0039, CA5397, CA5398 // The version that must be refused.
        await Assert.ThrowsAnyAsync<Exception>(() => tls.AuthenticateAsClientAsync(new System.Net.Security.SslClientAuthenticationOptions { TargetHost = token.Host, EnabledSslProtocols = System.Security.Authentication.SslProtocols.Tls11 }));
#pragma warning restore SYSLIB0039, CA5397, CA5398
    }

    private static bool IsAllowed(string alg) => alg is "PS256" or "ES256" or "EdDSA" or "Ed25519";
}

using System.Text.Json.Nodes;
using Trust.Conformance.Tests.Suite;

namespace Trust.Conformance.Tests.Modules;

// DPoP proofs and client assertions.
internal sealed partial class Fapi2Modules
{
    private static readonly string[] ProofErrors = ["invalid_dpop_proof", "invalid_request", "invalid_grant"];

    [Module(Prefix + "check-dpop-proof-nbf-exp", Only = "dpop")]
    public async Task Dates_of_a_proof()
    {
        var authorization = await New();
        var granted = await authorization.Complete(NewBrowser(), Changed((_, p) => (p["nbf"], p["exp"]) = (Jwt.Now - 5, Jwt.Now + 60)));
        (await authorization.Client.UserInfo(granted.AccessToken, Changed((_, p) => (p["nbf"], p["exp"]) = (Jwt.Now - 5, Jwt.Now + 60)))).Succeeded();
        Assert.InRange((await authorization.Client.UserInfo(granted.AccessToken, Changed((_, p) => p["exp"] = Jwt.Now - 120))).Status, 400, 401);
        Assert.InRange((await authorization.Client.UserInfo(granted.AccessToken, Changed((_, p) => p["nbf"] = Jwt.Now + 120))).Status, 400, 401);
    }

    [Module(Prefix + "ensure-dpopproof-with-iat-10seconds-before-succeeds", Only = "dpop")]
    public Task Proof_of_ten_seconds_ago() => WithProofsOf(-10);

    [Module(Prefix + "ensure-dpopproof-with-iat-10seconds-after-succeeds", Only = "dpop")]
    public Task Proof_of_ten_seconds_hence() => WithProofsOf(10);

    [Module(Prefix + "ensure-mismatched-dpop-jkt-fails", Only = "dpop")]
    public async Task Push_with_a_thumbprint_of_another_key()
    {
        var authorization = await New();
        authorization.Fields["dpop_jkt"] = new Dpop().Thumbprint;
        (await authorization.Push(new Call { ProofKey = authorization.Client.Dpop })).Refused("invalid_dpop_proof", "invalid_request", "invalid_request_object");
    }

    [Module(Prefix + "ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt", Only = "dpop")]
    public async Task Redemption_by_another_key_than_the_pushs_proof()
    {
        var authorization = await New();
        var answered = (await authorization.Ask(NewBrowser(), null, new Call { ProofKey = authorization.Client.Dpop })).Granted();
        (await authorization.Redeem(answered.Code, new Call { ProofKey = new Dpop() })).Refused(ProofErrors);
    }

    [Module(Prefix + "ensure-token-endpoint-fails-with-mismatched-dpop-jkt", Only = "dpop")]
    public async Task Redemption_by_another_key_than_the_thumbprint()
    {
        var authorization = await New();
        authorization.Fields["dpop_jkt"] = new Dpop().Thumbprint;
        var answered = (await authorization.Ask(NewBrowser())).Granted();
        (await authorization.Redeem(answered.Code)).Refused(ProofErrors);
    }

    [Module(Prefix + "ensure-dpopproof-at-par-endpoint-binding-success", Only = "dpop")]
    public async Task Bound_by_a_proof_at_the_push()
    {
        var authorization = await New();
        var answered = (await authorization.Ask(NewBrowser(), null, new Call { ProofKey = authorization.Client.Dpop })).Granted();
        await authorization.Tokens(await authorization.Redeem(answered.Code));
    }

    [Module(Prefix + "ensure-dpop-auth-code-binding-success", Only = "dpop")]
    public async Task Bound_by_a_thumbprint()
    {
        var authorization = await New();
        authorization.Fields["dpop_jkt"] = authorization.Client.Dpop.Thumbprint;
        await authorization.Complete(NewBrowser());
    }

    [Module(Prefix + "dpop-negative-tests", Only = "dpop")]
    public async Task Wrong_proofs()
    {
        var authorization = await New();
        var client = authorization.Client;
        var token = (await authorization.Complete(NewBrowser())).AccessToken;
        var url = await Provider.Endpoint("userinfo_endpoint", client.UsesCertificate);
        var failures = new List<string>();
        foreach (var (name, call) in Wrong(client, url, token))
        {
            var status = (await client.UserInfo(token, call)).Status;
            if (status is not (400 or 401))
            {
                failures.Add($"{name}: {status}");
            }
        }

        foreach (var (name, call) in Allowed(url))
        {
            var answer = await client.UserInfo(token, call);
            if (answer.Status != 200)
            {
                failures.Add($"{name}: {answer.Status} {answer.Headers.WwwAuthenticate}");
            }
        }

        var two = await client.UserInfo(token, change: r => r.Headers.TryAddWithoutValidation("DPoP", client.Dpop.Proof("GET", url, token)));
        var replayed = client.Dpop.Proof("GET", url, token);
        (await client.UserInfo(token, new Call { Proof = replayed })).Succeeded();
        foreach (var (name, status) in new[]
        {
            ("two headers", two.Status), ("used before", (await client.UserInfo(token, new Call { Proof = replayed })).Status), ("no proof", (await client.UserInfo(token, new Call { Proof = "" })).Status),
            ("as Bearer", (await client.UserInfo(token, new Call { Proof = "" }, scheme: "Bearer")).Status),
            ("as Bearer with a proof", (await client.UserInfo(token, scheme: "Bearer")).Status),
        })
        {
            if (status is not (400 or 401))
            {
                failures.Add($"{name}: {status}");
            }
        }

        // The right one still works afterwards, under a name in capitals too.
        (await client.UserInfo(token, scheme: "DPOP")).Succeeded();
        Assert.Empty(failures);
    }

    [Module(Prefix + "ensure-signed-client-assertion-with-RS256-fails", Only = "private_key_jwt")]
    public Task Assertion_by_RS256() => RefusedAtTokenEndpoint(c => new Call { AssertionKey = c.OtherKey!.As("RS256") });

    [Module(Prefix + "ensure-client-assertion-in-token-endpoint", Only = "private_key_jwt")]
    public Task No_assertion() => RefusedAtTokenEndpoint(_ => new Call { Unauthenticated = true });

    [Module(Prefix + "ensure-client-assertion-with-exp-is-5-minutes-in-past-fails", Only = "private_key_jwt")]
    public Task Assertion_that_ran_out() => RefusedAtTokenEndpoint(_ => new Call { Assertion = c => (c["iat"], c["exp"]) = (Jwt.Now - 360, Jwt.Now - 300) });

    [Module(Prefix + "ensure-client-assertion-with-wrong-aud-fails", Only = "private_key_jwt")]
    public Task Assertion_for_another() => RefusedAtTokenEndpoint(_ => new Call { Assertion = c => c["aud"] = "https://other.example" });

    [Module(Prefix + "ensure-client-assertion-with-no-sub-fails", Only = "private_key_jwt")]
    public Task Assertion_without_sub() => RefusedAtTokenEndpoint(_ => new Call { Assertion = c => c.Remove("sub") });

    [Module(Prefix + "par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted", Only = "private_key_jwt")]
    public async Task Assertion_valid_from_in_eight_seconds() => (await (await New()).Push(new Call { Assertion = c => (c["nbf"], c["iat"]) = (Jwt.Now + 8, Jwt.Now + 8) })).Succeeded(201);

    [Module(Prefix + "par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails", Only = "private_key_jwt")]
    public Task Assertion_valid_from_in_a_minute() => RefusedAtPush(c => (c["nbf"], c["exp"]) = (Jwt.Now + 65, Jwt.Now + 125));

    [Module(Prefix + "par-test-array-as-audience-fails", Only = "private_key_jwt")]
    public Task Assertion_for_an_array() => RefusedAtPush(c => c["aud"] = new JsonArray(Provider.Issuer));

    [Module(Prefix + "par-test-par-endpoint-url-as-audience-fails", Only = "private_key_jwt")]
    public async Task Assertion_for_the_push_endpoint()
    {
        var url = await Provider.Endpoint("pushed_authorization_request_endpoint");
        await RefusedAtPush(c => c["aud"] = url);
    }

    [Module(Prefix + "par-test-token-endpoint-url-as-audience-fails", Only = "private_key_jwt")]
    public async Task Assertion_for_the_token_endpoint()
    {
        var url = await Provider.Endpoint("token_endpoint");
        await RefusedAtPush(c => c["aud"] = url);
    }

    private static Call Changed(Action<JsonObject, JsonObject> change) => new() { ProofChange = change };

    private static IEnumerable<(string Name, Call Call)> Wrong(RelyingParty client, string url, string token)
    {
        var stranger = new Dpop();
        yield return ("malformed", new Call { Proof = "a.b.c" });
        yield return ("no JWT", new Call { Proof = "x" });
        foreach (var member in new[] { "typ", "alg", "jwk" })
        {
            yield return ("without " + member, Changed((h, _) => h.Remove(member)));
        }

        foreach (var member in new[] { "jti", "htm", "htu", "iat", "ath" })
        {
            yield return ("without " + member, Changed((_, p) => p.Remove(member)));
        }

        yield return ("typ", Changed((h, _) => h["typ"] = "JWT"));
        var rsa = SigningKey.Rsa("rsa", "RS256");
        yield return ("RS256", new Call
        {
            Proof = Jwt.Sign(
                new JsonObject { ["typ"] = "dpop+jwt", ["alg"] = "RS256", ["jwk"] = rsa.Thumbprinted() },
                new JsonObject { ["jti"] = Jwt.Random(), ["htm"] = "GET", ["htu"] = url, ["iat"] = Jwt.Now, ["ath"] = Jwt.S256(token) }, rsa),
        });
        yield return ("none", new Call { Proof = Jwt.Unsigned(client.Dpop.Proof("GET", url, token)) });
        yield return ("HS256", Changed((h, _) => h["alg"] = "HS256"));
        yield return ("signature", new Call { Proof = Jwt.Broken(client.Dpop.Proof("GET", url, token)) });
        yield return ("private key", Changed((h, _) => h["jwk"] = client.Dpop.Key.PrivateJwk()));
        yield return ("htm", Changed((_, p) => p["htm"] = "POST"));
        yield return ("htu", Changed((_, p) => p["htu"] = "https://other.example/userinfo"));
        yield return ("path of htu", Changed((_, p) => p["htu"] = url + "/other"));
        yield return ("an hour ago", Changed((_, p) => p["iat"] = Jwt.Now - 3600));
        yield return ("an hour hence", Changed((_, p) => p["iat"] = Jwt.Now + 3600));
        yield return ("ath", Changed((_, p) => p["ath"] = Jwt.S256("other")));
        yield return ("another key", new Call { ProofKey = stranger });
    }

    private static IEnumerable<(string Name, Call Call)> Allowed(string url)
    {
        var uri = new Uri(url);
        yield return ("htu with query and fragment", Changed((_, p) => p["htu"] = url + "?a=b#c"));
        yield return ("scheme and host in capitals", Changed((_, p) => p["htu"] = "HTTPS://" + uri.Authority.ToUpperInvariant() + uri.AbsolutePath));
        yield return ("further claims", Changed((_, p) => p["extra"] = "claim"));
    }

    private async Task WithProofsOf(int seconds)
    {
        var call = Changed((_, p) => p["iat"] = Jwt.Now + seconds);
        var authorization = await New();
        var answered = (await authorization.Ask(NewBrowser(), null, call)).Granted();
        var granted = await authorization.Tokens(await authorization.Redeem(answered.Code, call));
        (await authorization.Client.UserInfo(granted.AccessToken, call)).Succeeded();
    }

    private async Task RefusedAtTokenEndpoint(Func<RelyingParty, Call> call)
    {
        var authorization = await New();
        var answered = (await authorization.Ask(NewBrowser())).Granted();
        (await authorization.Redeem(answered.Code, call(authorization.Client))).Refused("invalid_client", "invalid_request");
        // The refusal was of this call, and burnt nothing.
        await authorization.Tokens(await authorization.Redeem(answered.Code));
    }

    private async Task RefusedAtPush(Action<JsonObject> change) => (await (await New()).Push(new Call { Assertion = change })).Refused("invalid_client", "invalid_request");
}

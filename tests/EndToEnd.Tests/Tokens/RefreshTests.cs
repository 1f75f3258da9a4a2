using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;

namespace Trust.EndToEnd.Tests.Tokens;

/// <summary>Refresh families: who may refresh, what is rotated, what ends them (RFC 6749 6, RFC 9700 4.14, standards/idp.md §7 rows 2, 12, 20).</summary>
public sealed class RefreshTests(RunningTrust trust)
{
    private static (string, JsonNode?)[] Public => [("kind", "public"), ("jwks", null)];

    [Fact]
    public async Task Of_fifty_uses_at_once_of_a_rotating_token_one_succeeds_and_then_the_family_is_dead()
    {
        using var client = await TestClient.Register(trust, Public);
        var first = await Granted(client, named: true);
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => client.Refresh(Text(first, "refresh_token"), named: true)));
        var granted = Assert.Single(answers, a => a.Status == 200);
        Assert.All(answers.Where(a => a.Status != 200), a => Assert.Equal("invalid_grant", Text(a, "error")));
        Assert.Equal(400, (await client.Refresh(Text(granted, "refresh_token"), named: true)).Status);
        Assert.Equal(401, (await client.UserInfo(Text(granted, "access_token"))).Status);
        Assert.Equal(401, (await client.UserInfo(Text(first, "access_token"))).Status);
    }

    [Fact]
    public async Task A_public_clients_token_is_rotated_and_the_new_one_goes_on()
    {
        using var client = await TestClient.Register(trust, Public);
        var token = Text(await Granted(client, named: true), "refresh_token");
        for (var i = 0; i < 3; i++)
        {
            var next = Text(Ok(await client.Refresh(token, named: true)), "refresh_token");
            Assert.NotEqual(token, next);
            token = next;
        }
    }

    [Fact]
    public async Task A_confidential_clients_token_stays_and_fifty_uses_at_once_all_succeed()
    {
        using var client = await TestClient.Register(trust);
        var first = await Granted(client);
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => client.Refresh(Text(first, "refresh_token"))));
        Assert.All(answers, a => Assert.Equal(Text(first, "refresh_token"), Text(Ok(a), "refresh_token")));
        Assert.Equal(50, answers.Select(a => Text(a, "access_token")).Distinct(StringComparer.Ordinal).Count());
    }

    [Fact]
    public async Task Another_clients_refresh_token_is_refused_and_not_burnt()
    {
        using var owner = await TestClient.Register(trust);
        using var thief = await TestClient.Register(trust);
        var token = Text(await Granted(owner), "refresh_token");
        Assert.Equal("invalid_grant", Text(await thief.Refresh(token), "error"));
        Ok(await owner.Refresh(token));
    }

    [Fact]
    public async Task A_refresh_brings_no_more_scope_than_was_granted_and_may_bring_less()
    {
        using var client = await TestClient.Register(trust);
        var token = Text(await Granted(client), "refresh_token");
        Assert.Equal("invalid_scope", Text(await client.Token(null, false, ("grant_type", "refresh_token"), ("refresh_token", token), ("scope", "openid rx.sign")), "error"));
        Assert.Equal("openid", Text(Ok(await client.Token(null, false, ("grant_type", "refresh_token"), ("refresh_token", token), ("scope", "openid"))), "scope"));
        Assert.Equal("openid profile rx.read", Text(Ok(await client.Refresh(token)), "scope"));
    }

    [Fact]
    public async Task A_token_bound_to_a_key_is_refreshed_by_that_key_only()
    {
        using var client = await TestClient.Register(trust, ("dpop_bound_access_tokens", true));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var token = Text(Ok(await client.Redeem(await client.Code(), key)), "refresh_token");
        Assert.Equal("invalid_dpop_proof", Text(await client.Refresh(token), "error"));
        Assert.Equal("invalid_grant", Text(await client.Refresh(token, other), "error"));
        Assert.Equal("DPoP", Text(Ok(await client.Refresh(token, key)), "token_type"));
    }

    [Fact]
    public async Task Revoking_a_refresh_token_ends_its_access_tokens_and_a_refresh_at_the_same_moment_leaves_none_alive()
    {
        using var client = await TestClient.Register(trust);
        var first = await Granted(client);
        var token = Text(first, "refresh_token");
        var refreshes = Enumerable.Range(0, 20).Select(_ => client.Refresh(token)).ToList();
        var revoked = client.Post("/revoke", null, false, ("token", token));
        var answers = await Task.WhenAll(refreshes);
        Assert.Equal(200, (await revoked).Status);
        Assert.Equal(400, (await client.Refresh(token)).Status);
        foreach (var access in answers.Where(a => a.Status == 200).Append(first).Select(a => Text(a, "access_token")))
        {
            Assert.Equal(401, (await client.UserInfo(access)).Status);
        }
    }

    [Fact]
    public async Task Nobody_but_its_client_revokes_a_token()
    {
        using var owner = await TestClient.Register(trust);
        using var stranger = await TestClient.Register(trust);
        var granted = await Granted(owner);
        Assert.Equal(200, (await stranger.Post("/revoke", null, false, ("token", Text(granted, "refresh_token")))).Status);
        Assert.Equal(200, (await stranger.Post("/revoke", null, false, ("token", Text(granted, "access_token")))).Status);
        Assert.Equal(200, (await owner.UserInfo(Text(granted, "access_token"))).Status);
        Assert.Equal(200, (await owner.Post("/revoke", null, false, ("token", Text(granted, "access_token")))).Status);
        Assert.Equal(401, (await owner.UserInfo(Text(granted, "access_token"))).Status);
        Ok(await owner.Refresh(Text(granted, "refresh_token")));
    }

    [Fact]
    public async Task A_code_sent_twice_ends_the_family_that_it_began()
    {
        using var client = await TestClient.Register(trust);
        var code = await client.Code();
        var granted = Ok(await client.Redeem(code));
        var refreshed = Ok(await client.Refresh(Text(granted, "refresh_token")));
        Assert.Equal("invalid_grant", Text(await client.Redeem(code), "error"));
        Assert.Equal("invalid_grant", Text(await client.Refresh(Text(granted, "refresh_token")), "error"));
        Assert.Equal(401, (await client.UserInfo(Text(refreshed, "access_token"))).Status);
    }

    [Fact]
    public async Task A_refresh_token_is_no_code_and_a_code_no_refresh_token()
    {
        using var client = await TestClient.Register(trust);
        var code = await client.Code();
        Assert.Equal("invalid_grant", Text(await client.Refresh(code.Code), "error"));
        var token = Text(Ok(await client.Redeem(code)), "refresh_token");
        Assert.Equal("invalid_grant", Text(await client.Token(null, false, ("grant_type", "authorization_code"), ("code", token), ("redirect_uri", RunningTrust.Redirect), ("code_verifier", code.Verifier)), "error"));
    }

    private static async Task<Answer> Granted(TestClient client, bool named = false) => Ok(await client.Redeem(await client.Code(), named: named));

    private static Answer Ok(Answer answer)
    {
        Assert.True(answer.Status == 200, answer.Text);
        return answer;
    }

    private static string Text(Answer answer, string name) => answer.Json?[name]?.GetValue<string>() ?? throw new InvalidDataException($"{answer.Status} {answer.Text} has no {name}.");
}

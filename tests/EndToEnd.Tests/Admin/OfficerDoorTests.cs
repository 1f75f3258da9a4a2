using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.Cli.Officers;

namespace Trust.EndToEnd.Tests.Admin;

/// <summary>The provider as its officers run it: by card, two for what widens rights, one for what takes them.</summary>
public sealed class OfficerDoorTests(RunningTrust trust)
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task A_client_is_registered_by_two_officers_cards_over_its_bytes_and_disabled_by_one()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var (first, second) = (await Door(0), await Door(1));
        var change = (await first.Send(HttpMethod.Post, "/admin/client-changes", new JsonObject { ["client"] = Client("by-two", key) }, null, None)).Expect("propose");
        var document = Convert.FromBase64String(change["document"]!.GetValue<string>());
        Assert.Equal(change["code"]!.GetValue<string>(), OfficerCommand.CodeOf(document));

        Assert.Equal("open", (await Approve(first, 0, change, document)).Expect("approve")["state"]!.GetValue<string>());
        Assert.Equal("open", (await Approve(first, 0, change, document)).Expect("approve")["state"]!.GetValue<string>());
        Assert.Equal(404, (await first.Send(HttpMethod.Get, "/admin/clients/by-two", null, null, None)).Status);
        Assert.Equal("applied", (await Approve(second, 1, change, document)).Expect("approve")["state"]!.GetValue<string>());
        Assert.Equal("change-closed", (await Approve(second, 1, change, document)).Problem);

        var system = new OAuthClient("by-two", key, trust.Installation.Addresses.Idp, trust.Installation.RootFile);
        Assert.NotEmpty(await system.OwnToken("validate", trust.Sign, None));
        Assert.Equal(204, (await second.Send(HttpMethod.Post, "/admin/clients/by-two/disable", null, null, None)).Status);
        await TestKit.Eventually.Holds(async () =>
        {
            using var http = Connections.Client(trust.Installation.RootFile);
            return (await system.Token(http, [new("grant_type", "client_credentials"), new("scope", "validate"), new("resource", trust.Sign)], None)).Status == 401;
        }, "a disabled client gets nothing");
    }

    [Fact]
    public async Task A_signature_over_other_bytes_or_by_anothers_card_registers_nothing()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var (first, second) = (await Door(0), await Door(1));
        var change = (await first.Send(HttpMethod.Post, "/admin/client-changes", new JsonObject { ["client"] = Client("never", key) }, null, None)).Expect("propose");
        var document = Convert.FromBase64String(change["document"]!.GetValue<string>());
        Assert.Equal("approval-mismatch", (await Approve(first, 0, change, [.. document, (byte)' '])).Problem);
        Assert.Equal("not-your-signature-certificate", (await Approve(second, 0, change, document)).Problem);
        Assert.Equal("approval-malformed", (await second.Send(HttpMethod.Post, $"/admin/client-changes/{change["id"]}/approvals", new JsonObject { ["certificate"] = "none", ["signature"] = "none" }, null, None)).Problem);
        Assert.Equal(404, (await first.Send(HttpMethod.Get, "/admin/clients/never", null, null, None)).Status);
    }

    [Fact]
    public async Task A_proposal_that_breaks_a_rule_is_refused_and_the_rule_named()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var client = Client("loose", key);
        client["profile"] = "fapi2";
        var refused = await (await Door(0)).Send(HttpMethod.Post, "/admin/client-changes", new JsonObject { ["client"] = client }, null, None);
        Assert.Equal("client-malformed", refused.Problem);
        Assert.Contains("fapi2 binds its tokens", refused.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nobody_but_an_officer_at_the_officers_address_is_let_in()
    {
        using var doctor = Connections.Client(trust.Installation.RootFile, await trust.World.Physician.ForTls(Card.AuthenticationKey, None));
        using var answer = await doctor.GetAsync(trust.Installation.Addresses.IdpOfficers + "/admin/clients");
        Assert.Equal(403, (int)answer.StatusCode);
        using var nobody = Connections.Client(trust.Installation.RootFile);
        using var main = await nobody.GetAsync(trust.Installation.Addresses.Idp + "/admin/clients");
        Assert.Equal(401, (int)main.StatusCode);
        using var officer = Connections.Client(trust.Installation.RootFile, await trust.World.Officers[0].Card.ForTls(Card.AuthenticationKey, None));
        using var elsewhere = await officer.GetAsync(trust.Installation.Addresses.Clients + "/admin/clients");
        Assert.Equal(403, (int)elsewhere.StatusCode);
        using var page = await officer.GetAsync(trust.Installation.Addresses.IdpOfficers + "/token");
        Assert.Equal(404, (int)page.StatusCode);
    }

    [Fact]
    public async Task An_officer_sees_open_sessions_and_ends_them()
    {
        var (urn, card) = await trust.NewPhysician(None);
        await using (card)
        {
            var granted = Assert.IsType<LoginResult.Granted>(await trust.Login(card, "openid rx.read", None));
            var door = await Door(2);
            Assert.Contains((await door.Get("/admin/sessions?person=" + Uri.EscapeDataString(urn), None)).AsArray(), s => s!["person"]!.GetValue<string>() == urn);
            Assert.Equal(204, (await door.Send(HttpMethod.Post, $"/admin/sessions/{Uri.EscapeDataString(urn)}/end", null, null, None)).Status);
            Assert.False(await trust.World.Client("his-shuan").IsActive(granted.AccessToken, None));
            Assert.Empty((await door.Get("/admin/sessions?person=" + Uri.EscapeDataString(urn), None)).AsArray());
        }
    }

    private async Task<Api> Door(int officer) =>
        new(Connections.Client(trust.Installation.RootFile, await trust.World.Officers[officer].Card.ForTls(Card.AuthenticationKey, None)), trust.Installation.Addresses.IdpOfficers);

    private async Task<Answer> Approve(Api door, int signer, JsonNode change, byte[] document) =>
        await door.Send(HttpMethod.Post, $"/admin/client-changes/{change["id"]}/approvals", new JsonObject
        {
            ["certificate"] = Convert.ToBase64String(trust.World.Officers[signer].Card.Signature.Der.Span),
            ["signature"] = Convert.ToBase64String(await trust.World.Officers[signer].Card.Sign(document, None)),
        }, null, None);

    private JsonObject Client(string id, ECDsa key) => new()
    {
        ["client_id"] = id, ["name_zh"] = "测试系统", ["name_en"] = "Test system", ["profile"] = "standard", ["region"] = "510000", ["grant_types"] = new JsonArray("client_credentials"),
        ["scopes"] = new JsonArray("validate"), ["resources"] = new JsonArray(trust.Sign), ["institution"] = trust.World.Institutions[0], ["role"] = "hospital-system", ["jwks"] = OAuthClient.Jwks(key),
    };
}

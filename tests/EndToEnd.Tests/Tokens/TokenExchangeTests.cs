using System.Buffers.Text;
using System.Text.Json.Nodes;
using Trust.Cli.Demo;

namespace Trust.EndToEnd.Tests.Tokens;

/// <summary>Token exchange (RFC 8693; standards/idp.md §7 rows 4 and 5).</summary>
public sealed class TokenExchangeTests(RunningTrust trust)
{
    private const string Exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    private const string AccessToken = "urn:ietf:params:oauth:token-type:access_token";

    [Fact]
    public async Task A_service_exchanges_the_token_it_was_called_with_for_one_that_says_who_acts_for_whom()
    {
        using var client = await TestClient.Register(trust);
        using var service = await Service();
        var token = Text(await client.Redeem(await client.Code()), "access_token");
        var exchanged = await Ask(service, token, ("resource", trust.Installation.Addresses.Ledger));
        Assert.Equal(AccessToken, Text(exchanged, "issued_token_type"));
        var (before, after) = (Claims(token), Claims(Text(exchanged, "access_token")));
        Assert.Equal(before["sub"]!.GetValue<string>(), after["sub"]!.GetValue<string>());
        Assert.Equal(service.Id, after["act"]!["sub"]!.GetValue<string>());
        Assert.Equal(client.Id, after["act"]!["act"]!["sub"]!.GetValue<string>());
        Assert.Equal("rx.read", after["scope"]!.GetValue<string>());
        Assert.True(after["exp"]!.GetValue<long>() <= before["exp"]!.GetValue<long>());
        Assert.Null(exchanged.Json!["refresh_token"]);
    }

    [Fact]
    public async Task A_missing_an_empty_or_a_repeated_subject_token_never_brings_a_token_of_the_client()
    {
        using var service = await Service();
        (string, string)[] fields = [("grant_type", Exchange), ("subject_token_type", AccessToken)];
        Assert.Equal("invalid_request", Text(await service.Post("/token", null, false, fields), "error"));
        Assert.Equal("invalid_request", Text(await service.Post("/token", null, false, [.. fields, ("subject_token", "")]), "error"));
        Assert.Equal("invalid_request", Text(await service.Post("/token", null, false, [.. fields, ("subject_token", "a"), ("subject_token", "b")]), "error"));
        Assert.Equal("invalid_request", Text(await service.Post("/token", null, false, [.. fields, ("subject_token", "a.b.c")]), "error"));
    }

    [Fact]
    public async Task A_revoked_a_strangers_and_a_systems_own_token_are_not_exchanged()
    {
        using var client = await TestClient.Register(trust);
        using var service = await Service();
        using var stranger = await Service(resource: trust.Installation.Addresses.Ledger);
        var token = Text(await client.Redeem(await client.Code()), "access_token");
        Assert.Equal("invalid_request", Text(await Ask(stranger, token), "error"));
        Assert.Equal("invalid_request", Text(await Ask(service, await trust.World.Client("his-shuan").OwnToken("validate", trust.Sign, CancellationToken.None)), "error"));
        Assert.Equal(200, (await client.Post("/revoke", null, false, ("token", token))).Status);
        Assert.Equal("invalid_request", Text(await Ask(service, token), "error"));
    }

    [Fact]
    public async Task An_exchange_brings_no_scope_that_the_token_or_the_client_lacks()
    {
        using var client = await TestClient.Register(trust);
        using var service = await Service();
        var token = Text(await client.Redeem(await client.Code()), "access_token");
        Assert.Equal("invalid_scope", Text(await Ask(service, token, ("scope", "rx.sign")), "error"));
        Assert.Equal("invalid_scope", Text(await Ask(service, token, ("scope", "openid")), "error"));
        Assert.Equal("invalid_target", Text(await Ask(service, token, ("resource", "https://elsewhere.example")), "error"));
    }

    private Task<TestClient> Service(string? resource = null) => TestClient.Register(
        trust, ("role", "resource-server"), ("grant_types", new JsonArray(Exchange)), ("redirect_uris", null), ("scopes", new JsonArray("rx.read", "audit.read")),
        ("resources", resource is null ? new JsonArray(trust.Sign, trust.Installation.Addresses.Ledger) : new JsonArray(resource)));

    private static Task<Answer> Ask(TestClient service, string token, params (string, string)[] more) =>
        service.Post("/token", null, false, [("grant_type", Exchange), ("subject_token", token), ("subject_token_type", AccessToken), .. more]);

    private static JsonObject Claims(string token) => JsonNode.Parse(Base64Url.DecodeFromChars(token.Split('.')[1]))!.AsObject();

    private static string Text(Answer answer, string name) => answer.Json?[name]?.GetValue<string>() ?? throw new InvalidDataException($"{answer.Status} {answer.Text} has no {name}.");
}

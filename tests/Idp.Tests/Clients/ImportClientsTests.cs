using System.ComponentModel.DataAnnotations;
using System.Text;
using System.Text.Json.Nodes;
using Trust.Idp.Clients;

namespace Trust.Idp.Tests.Clients;

public sealed class ImportClientsTests
{
    private const string Jwks = """{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}""";

    private static JsonObject Client() => new()
    {
        ["client_id"] = "his", ["name_zh"] = "医院", ["name_en"] = "Hospital", ["profile"] = "standard", ["kind"] = "confidential", ["region"] = "510000", ["redirect_uris"] = new JsonArray("https://his.example/cb"),
        ["grant_types"] = new JsonArray("authorization_code"), ["scopes"] = new JsonArray("openid"), ["resources"] = new JsonArray("https://sign.example"), ["jwks"] = JsonNode.Parse(Jwks),
    };

    private static IReadOnlyList<Client> Parse(JsonObject client) => ClientFile.Parse(Encoding.UTF8.GetBytes(new JsonArray(client).ToJsonString()));

    [Fact]
    public void A_well_formed_client_is_read() => Assert.Equal("his", Assert.Single(Parse(Client())).Id);

    [Theory]
    [InlineData("redirect_uris", "http://his.example/cb")]
    [InlineData("redirect_uris", "https://his.example/cb#fragment")]
    [InlineData("redirect_uris", "https://user@his.example/cb")]
    [InlineData("redirect_uris", "/cb")]
    [InlineData("redirect_uris", "javascript:alert(1)")]
    [InlineData("grant_types", "password")]
    [InlineData("grant_types", "implicit")]
    public void A_client_that_breaks_a_rule_is_not_registered(string member, string value)
    {
        var client = Client();
        client[member] = new JsonArray(value);
        Assert.Throws<ValidationException>(() => Parse(client));
    }

    [Fact]
    public void A_confidential_client_without_keys_and_a_public_one_with_client_credentials_are_refused()
    {
        var keyless = Client();
        keyless.Remove("jwks");
        Assert.Throws<ValidationException>(() => Parse(keyless));
        var open = Client();
        open["kind"] = "public";
        open["grant_types"] = new JsonArray("client_credentials");
        Assert.Throws<ValidationException>(() => Parse(open));
    }

    [Fact]
    public void A_private_key_in_a_registration_is_refused()
    {
        var client = Client();
        client["jwks"]!["keys"]![0]!["d"] = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
        Assert.Throws<ValidationException>(() => Parse(client));
    }
}

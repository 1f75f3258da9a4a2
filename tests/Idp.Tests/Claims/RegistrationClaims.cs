using System.Text;
using System.Text.Json.Nodes;
using Trust.Idp.Clients;

namespace Trust.Idp.Tests.Claims;

/// <summary>What a client's registration takes today where a review says that it should not.</summary>
public sealed class RegistrationClaims
{
    // A member that nobody reads is a mistake of whoever wrote the file: it should stop the import and be named.
    [Fact]
    public void M11_A_misspelt_member_of_a_registration_is_ignored()
    {
        var client = new JsonObject
        {
            ["client_id"] = "his", ["name_zh"] = "医院", ["name_en"] = "Hospital", ["kind"] = "public", ["region"] = "510000", ["redirect_uris"] = new JsonArray("https://his.example/cb"),
            ["grant_types"] = new JsonArray("authorization_code"), ["scopes"] = new JsonArray("openid"), ["resources"] = new JsonArray("https://sign.example"), ["post_logout_redirect_uri"] = "https://his.example/",
        };
        Assert.Empty(Assert.Single(ImportClients.Parse(Encoding.UTF8.GetBytes(new JsonArray(client).ToJsonString()))).PostLogoutRedirectUris);
    }
}

using System.ComponentModel.DataAnnotations;
using System.Text;
using System.Text.Json.Nodes;
using Trust.Idp.Clients;

namespace Trust.Idp.Tests.Clients;

/// <summary>A file of clients is read strictly, and every refusal names client and member.</summary>
public sealed class ClientFileTests
{
    [Theory]
    [InlineData("post_logout_redirect_uri", "\"https://his.example/\"", "a member is unknown or has another form: The JSON property 'post_logout_redirect_uri'")]
    [InlineData("scopes", "\"openid\"", "scopes is no list.")]
    [InlineData("scopes", "[null]", "scopes is no text.")]
    [InlineData("scopes", "[1]", "scopes is no text.")]
    [InlineData("name_zh", "7", "name_zh is no text.")]
    [InlineData("role", "null", "role is no text.")]
    [InlineData("kind", "\"Public\"", "kind is confidential or public.")]
    [InlineData("jwks", "[]", "jwks is no key set.")]
    [InlineData("jwks", "{\"keys\":5}", "each key has a kid and no private part.")]
    [InlineData("enabled", "\"no\"", "enabled is true or false.")]
    [InlineData("profile", "\"fapi1\"", "the profile is fapi2, standard or oidc-compat.")]
    [InlineData("profile", "\"fapi2\"", "fapi2 proves itself by private_key_jwt or by its certificate.")]
    [InlineData("client_secret_sha256", "\"00\"", "client_secret_sha256 stands beside")]
    [InlineData("token_endpoint_auth_method", "\"client_secret_basic\"", "a public client has token_endpoint_auth_method none")]
    [InlineData("id_token_signed_response_alg", "\"RS256\"", "an algorithm is none of ES256 and PS256")]
    [InlineData("id_token_signed_response_alg", "\"none\"", "an algorithm is none of ES256 and PS256")]
    [InlineData("backchannel_logout_uri", "\"http://his.example/out\"", "an address is not absolute https.")]
    [InlineData("subject_type", "\"secret\"", "subject_type is public or pairwise.")]
    public void A_member_that_is_not_understood_stops_the_import_and_is_named(string member, string value, string rule)
    {
        var client = Client();
        client[member] = JsonNode.Parse(value);
        var refused = Assert.Throws<ValidationException>(() => ClientFile.Parse(Encoding.UTF8.GetBytes(new JsonArray(client).ToJsonString())));
        Assert.StartsWith("Client his: " + rule, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{}", "The file is a JSON array of clients.")]
    [InlineData("[null]", "Each client is a JSON object.")]
    [InlineData("[", "The file is no JSON")]
    [InlineData("[{}]", "Client ?: client_id is missing.")]
    public void A_file_of_another_form_is_refused(string json, string rule) =>
        Assert.StartsWith(rule, Assert.Throws<ValidationException>(() => ClientFile.Parse(Encoding.UTF8.GetBytes(json))).Message, StringComparison.Ordinal);

    [Fact]
    public void A_client_stands_in_a_file_once() =>
        Assert.Equal("Client his stands there twice.", Assert.Throws<ValidationException>(() => ClientFile.Parse(Encoding.UTF8.GetBytes(new JsonArray(Client(), Client()).ToJsonString()))).Message);

    private static JsonObject Client() => new()
    {
        ["client_id"] = "his", ["name_zh"] = "医院", ["name_en"] = "Hospital", ["kind"] = "public", ["profile"] = "standard", ["region"] = "510000", ["redirect_uris"] = new JsonArray("https://his.example/cb"),
        ["grant_types"] = new JsonArray("authorization_code"), ["scopes"] = new JsonArray("openid"), ["resources"] = new JsonArray("https://sign.example"),
    };
}

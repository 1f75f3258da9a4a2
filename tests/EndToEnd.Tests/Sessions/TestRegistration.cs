using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.TestKit;

namespace Trust.EndToEnd.Tests.Sessions;

/// <summary>A client of a test's own: what an operator's file says of it, and the system with its key.</summary>
internal static class TestRegistration
{
    /// <summary>A confidential client of the profile standard that belongs to no institution.</summary>
    public static (JsonObject File, OAuthClient Client) New(RunningTrust trust, string id)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return (new JsonObject
        {
            ["client_id"] = id, ["name_zh"] = "测试应用", ["name_en"] = "Test application", ["profile"] = "standard", ["grant_types"] = new JsonArray("authorization_code"),
            ["redirect_uris"] = new JsonArray(RunningTrust.Redirect), ["post_logout_redirect_uris"] = new JsonArray("https://127.0.0.10:9443/"),
            ["scopes"] = new JsonArray("openid", "profile", "rx.sign", "rx.review", "rx.read"), ["resources"] = new JsonArray(trust.Sign, trust.Installation.Addresses.Idp), ["region"] = "510000",
            ["jwks"] = OAuthClient.Jwks(key),
        }, new OAuthClient(id, key, trust.Installation.Addresses.Idp, trust.Installation.RootFile));
    }

    /// <summary>Registers it as an operator does.</summary>
    public static async Task Import(RunningTrust trust, JsonObject client, CancellationToken ct)
    {
        var file = Path.Combine(Scratch.Directory("client"), "client.json");
        await File.WriteAllTextAsync(file, new JsonArray(client.DeepClone()).ToJsonString(), ct);
        await trust.Installation.Services["idp"].Verb("import-clients", ["--file", file], ct);
    }
}

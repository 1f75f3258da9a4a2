using System.Text.Json.Nodes;
using Trust.Cli.Local;
using Trust.Cli.Residency;

namespace Trust.CA.Tests.Residency;

/// <summary>Drafts of several services become one document, in which each place is said once.</summary>
public sealed class DeclarationDraftTests
{
    [Fact]
    public void A_place_that_two_services_use_is_declared_once()
    {
        var merged = Merge(Draft("510000", "mutual"), Draft("510000", "mutual"));
        Assert.Equal("idp-peer-1", Assert.Single(merged["places"]!.AsArray())!["name"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("510000", "none", "tls")]
    [InlineData("510100", "mutual", "region")]
    public void A_place_of_which_two_services_say_different_things_stops_the_merge(string region, string tls, string member)
    {
        var refused = Assert.Throws<CommandFailedException>(() => Merge(Draft("510000", "mutual"), Draft(region, tls)));
        Assert.Contains($"peer 10.0.0.14:9443: {member}", refused.Message, StringComparison.Ordinal);
        Assert.Contains("idp-peer-1", refused.Message, StringComparison.Ordinal);
        Assert.Contains("sign-peer-1", refused.Message, StringComparison.Ordinal);
    }

    private static JsonObject Merge(JsonObject idp, JsonObject sign) => DeclarationFile.Merge(
        new Dictionary<string, JsonObject>(StringComparer.Ordinal) { ["idp"] = idp, ["sign"] = sign }, 1, [("127.0.0.0/8", "510000")], [], "test", new string('0', 64), TimeProvider.System.GetUtcNow().AddDays(1));

    private static JsonObject Draft(string region, string tls) => new()
    {
        ["region"] = "510000",
        ["places"] = new JsonArray(new JsonObject { ["name"] = "peer-1", ["kind"] = "peer", ["address"] = "10.0.0.14:9443", ["region"] = region, ["tls"] = tls }),
    };
}

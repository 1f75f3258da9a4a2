using System.Text.Json.Nodes;

namespace Trust.AuditLedger.Tests.Claims;

/// <summary>What the ledger answers today where a review says that it should do otherwise; each comment says what is right. Whoever mends it turns the test.</summary>
public sealed class EvidenceClaims(EvidenceMade made) : IClassFixture<EvidenceMade>
{
    // A time needs an offset, in one form (RFC 3339); today a bare day is UTC, so in China the period is another one than was meant.
    [Theory]
    [InlineData("2020-11-30", "2020-11-30T00:00:00.000000Z")]
    [InlineData("11/12/2020", "2020-11-12T00:00:00.000000Z")]
    public async Task H_A_time_without_offset_is_taken(string from, string read)
    {
        var file = JsonNode.Parse(await made.Bytes("/evidence/prescription/rx-1?from=" + Uri.EscapeDataString(from), "510000"))!;
        Assert.Equal(read, file["question"]!["from"]!.GetValue<string>());
    }

    // A misspelt parameter changes what is asked, so it should be refused.
    [Fact]
    public async Task H_An_unknown_parameter_is_ignored()
    {
        var file = JsonNode.Parse(await made.Bytes("/evidence/prescription/rx-1?until=2020-01-01T00:00:00Z", "510000"))!;
        Assert.Null(file["question"]!["to"]);
    }

    // An identifier that cannot exist should be refused; today its absence is proved, "complete", without any event.
    [Theory]
    [InlineData("practitioner", "urn:mdid:p:01j9zzzzzzzzzzzzzzzzzzzzd1")]
    [InlineData("institution", "no-urn-at-all")]
    public async Task I_Absence_is_proved_for_an_identifier_that_cannot_exist(string kind, string identifier) =>
        Assert.Empty((await made.Verified($"/evidence/{kind}/{identifier}")).Events);
}

using System.Net;

namespace Trust.AuditLedger.Tests.Witness;

/// <summary>The witness's route table against the running witness.</summary>
public sealed class WitnessMapTests
{
    [Fact]
    public async Task The_table_is_what_runs_and_refusals_are_plain_text()
    {
        await using var log = await ForgeableLog.Start();
        await using var witness = await WitnessFixture.Start(log);
        RouteTableHolds.Against(witness.App);
        log.Grow(1);
        Assert.True(await witness.Cosigns(log, 0));
        using var client = new HttpClient { BaseAddress = witness.Address };
        await RouteTableHolds.HeadLikeGet(client, Trust.Witness.WatchedLog.Id(log.Origin) + "/checkpoint");
        await RouteTableHolds.OtherMethod(client, "add-checkpoint", "POST");

        var (status, body, type) = await witness.Post("old 0\n");
        Assert.Equal((HttpStatusCode.BadRequest, "text/plain"), (status, type));
        Assert.StartsWith("the body is no add-checkpoint request", body, StringComparison.Ordinal);

        // What the host refuses before the endpoint sees it has the protocol's body too.
        (status, body, type) = await witness.Post(new string('x', (64 * 1024) + 1));
        Assert.Equal((HttpStatusCode.RequestEntityTooLarge, "text/plain"), (status, type));
        Assert.Equal("The body is larger than this endpoint reads.\n", body);
        using var unknown = await client.GetAsync(new string('0', 64) + "/checkpoint");
        Assert.Equal((HttpStatusCode.NotFound, "text/plain"), (unknown.StatusCode, unknown.Content.Headers.ContentType?.MediaType));
    }
}

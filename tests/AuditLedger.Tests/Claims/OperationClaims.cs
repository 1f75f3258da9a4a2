using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Trust.Kernel.Audit;
using Trust.LogFormat.Index;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Claims;

/// <summary>Holds, and a producer beside a ledger without witnesses.</summary>
public sealed class OperationClaims
{
    // A hold belongs to its placer's region and should take two to release; today a regulator of any region lists and releases it alone.
    [Fact]
    public async Task S8_A_regulator_of_another_region_lists_and_releases_a_hold()
    {
        await using var fixture = await LedgerFixture.Create();
        await using var issuer = await TokenIssuer.Start();
        fixture.Tokens = issuer;
        await using var ledger = await fixture.Start(Tokens.NewOptions("ledger"));
        await ledger.Leads();
        using var here = issuer.Client(ledger.Address, "regulator-sichuan", "audit.hold", "regulator", "510000");
        using var there = issuer.Client(ledger.Address, "regulator-beijing", "audit.hold", "regulator", "110000");
        using var placed = await Post(here, "/holds", new { kind = "prescription", subject = "rx-1", caseNumber = "C-1" });
        Assert.Equal(HttpStatusCode.Created, placed.StatusCode);
        var id = (await placed.Content.ReadFromJsonAsync<JsonObject>())!["id"]!.GetValue<string>();
        Assert.Contains(id, await there.GetStringAsync("/holds"), StringComparison.Ordinal);
        using var released = await Post(there, $"/holds/{id}/release", new { });
        Assert.Equal(HttpStatusCode.NoContent, released.StatusCode);
    }

    // Witnesses are not on the way of an event: a checkpoint that waits for them is not a ledger that is away.
    [Fact]
    public async Task F18_While_no_checkpoint_is_shown_confirmed_acts_go_on()
    {
        await using var fixture = await RelayFixture.Create();
        using var faults = fixture.Faults();
        faults.Unavailable = "/checkpoint";
        var service = fixture.Instance(faults);
        await service.Start();
        await Eventually.Holds(() => service.State.LedgerReached == true, "the relay reaches the ledger");
        await Eventually.Holds(async () => (await service.Loops[1].Check(default)).Detail.Contains("failed", StringComparison.Ordinal), "no checkpoint is shown");
        for (var act = 0; act < 3; act++)
        {
            Assert.IsType<ConfirmOutcome.Confirmed>(await service.Confirm());
        }

        Assert.True(service.State.LedgerReached);
        await service.Stop();
    }

    private static async Task<HttpResponseMessage> Post(HttpClient client, string path, object body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body) };
        request.Headers.Add("Idempotency-Key", Guid.NewGuid().ToString());
        return await client.SendAsync(request);
    }
}

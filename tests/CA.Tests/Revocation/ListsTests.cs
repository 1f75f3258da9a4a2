using System.Text.Json;
using Trust.CA.Tests.Claims;
using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.CA.Tests.Revocation;

/// <summary>Lists when one issuer cannot sign.</summary>
public sealed class ListsTests
{
    [Fact]
    public async Task An_issuer_whose_key_is_gone_stops_no_other_issuers_list()
    {
        await using var ca = await CaFixture.Own();
        var (person, institution, name) = await ca.NewPractitioner();
        var sha = await ca.Certified(person, institution, name);
        // One after the other, so that neither order of the issuers helps.
        foreach (var (gone, other) in new[] { ("institution-issuing", "service-issuing"), ("service-issuing", "institution-issuing") })
        {
            await ca.Stop();
            await ca.Database.Owner.Sql("UPDATE issuers SET key_label = CASE WHEN name = $1 THEN 'gone' ELSE name END WHERE parent IS NOT NULL").With(gone).Execute(default);
            await ca.Start();
            var before = await Number(ca, other);
            using var changed = await ca.Change(0, sha, gone == "institution-issuing" ? "hold" : "revoke", "superseded");
            Assert.True(changed.IsSuccessStatusCode, await changed.Content.ReadAsStringAsync());
            await Eventually.Holds(async () => await Number(ca, other) > before, $"{other} publishes while {gone} cannot");
        }

        // And it is told of: the round counts as failed for as long as a list waits.
        using var client = ca.Anyone();
        await Eventually.Holds(
            async () =>
            {
                using var answer = await client.GetAsync("/health/ready");
                var check = JsonElement.Parse(await answer.Content.ReadAsStringAsync()).GetProperty("checks").GetProperty("crl-publisher");
                return check.GetProperty("detail").GetString()!.Contains("TokenException", StringComparison.Ordinal);
            },
            "readiness names the failure");
    }

    private static Task<long> Number(CaFixture ca, string issuer) =>
        ca.Database.Owner.Sql("SELECT coalesce(max(number), 0) FROM crls WHERE issuer = $1").With(issuer).Scalar<long>(default);
}

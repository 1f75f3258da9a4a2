using System.Globalization;
using System.Text.Json.Nodes;
using Trust.EndToEnd.Tests.Browser;
using Trust.TestKit;

namespace Trust.EndToEnd.Tests.Login;

/// <summary>What ends a session, what does not, and what is recorded of it.</summary>
public sealed class SessionEndTests(RunningTrust trust)
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task A_suspension_logs_out_the_sessions_that_live_and_none_that_ran_out_long_ago()
    {
        var (urn, card) = await trust.NewPhysician(None);
        using var old = new HandBrowser(trust);
        await old.LogIn(card);
        Assert.Equal(1, await Count($"WITH u AS (UPDATE idp.sessions SET expires_at = now() - interval '1 year' WHERE person = '{urn}' RETURNING 1) SELECT count(*) FROM u"));
        using var live = new HandBrowser(trust);
        await live.LogIn(card);

        await trust.World.Officers[1].Api.Post($"/practitioners/{urn}/state", new JsonObject { ["state"] = "suspended", ["reason"] = "regulator-order" }, None);
        await Eventually.Holds(async () => await Count($"SELECT count(*) FROM idp.sessions WHERE person = '{urn}' AND ended_at IS NOT NULL") == 1, "the live session is ended");
        Assert.Equal(1, await Count($"SELECT count(*) FROM idp.audit_outbox WHERE action = 'AUTH.logout' AND strpos(convert_from(body, 'UTF8'), '{urn}') > 0"));
    }

    [Fact]
    public async Task A_corrected_row_of_the_registry_ends_no_session()
    {
        var (urn, card) = await trust.NewPhysician(None);
        using var browser = new HandBrowser(trust);
        await browser.LogIn(card);
        var fields = (await trust.Installation.Cluster!.Sql("trust", $"SELECT name, licence_number FROM ca.practitioner_facts WHERE practitioner = '{urn}'", None)).Trim().Split('|');
        var row = new JsonObject
        {
            ["name"] = fields[0], ["identityType"] = "resident-id", ["identityNumber"] = trust.IdentityNumberOf(urn), ["role"] = "physician", ["licenceNumber"] = fields[1], ["category"] = "corrected",
            ["scope"] = new JsonArray("内科专业"), ["region"] = "510000",
        };
        var imported = await trust.World.Import(new JsonObject { ["practitioners"] = new JsonArray(row) }, None);
        Assert.Equal("updated", imported[0]!["result"]!.GetValue<string>());

        // A suspension of the same person follows on the feed: once it has taken effect, the correction before it was seen.
        await trust.World.Officers[1].Api.Post($"/practitioners/{urn}/state", new JsonObject { ["state"] = "suspended", ["reason"] = "regulator-order" }, None);
        await Eventually.Holds(async () => await Count($"SELECT count(*) FROM idp.sessions WHERE person = '{urn}' AND ended_at IS NOT NULL") == 1, "the suspension ends the session");
        Assert.Equal(1, await Count($"SELECT count(*) FROM idp.sessions WHERE person = '{urn}' AND end_reason = 'suspended'"));
    }

    [Fact]
    public async Task Deleting_a_request_finds_its_card_logins_by_an_index() =>
        Assert.Equal(1, await Count("SELECT count(*) FROM pg_indexes WHERE schemaname = 'idp' AND tablename = 'card_logins' AND indexdef LIKE '%(request_id)%'"));

    private async Task<long> Count(string sql) => long.Parse((await trust.Installation.Cluster!.Sql("trust", sql, None)).Trim(), CultureInfo.InvariantCulture);
}

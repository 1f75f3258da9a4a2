using System.Globalization;
using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.EndToEnd.Tests.Prescription;
using Trust.TestKit;

namespace Trust.EndToEnd.Tests.Residency;

/// <summary>Sichuan and Chongqing side by side, as <c>trust up --regions 510000,500000</c> has them.</summary>
public sealed class TwoRegionsTests(RunningTrust trust)
{
    private const string Sichuan = "510000";
    private const string Chongqing = "500000";
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Each_region_keeps_its_own_and_names_the_others_door_and_one_doctor_is_one_identity_in_both()
    {
        var regions = Cli.Local.Regions.On(Scratch.Directory("regions"), [Sichuan, Chongqing], AddressPlan.FreePorts, Cli.Program.RepositoryRoot(), trust.Installation.CardTokens);
        try
        {
            await Cli.Local.Regions.Start(regions, _ => { }, None);
            await using var sichuan = await World.Open(regions[0], Cli.Program.RepositoryRoot(), None);
            await using var chongqing = await World.Open(regions[1], Cli.Program.RepositoryRoot(), None);
            await sichuan.ImportRegistry(None);
            await chongqing.ImportRegistry(None);
            await ClustersTokensAndLogsAreTheirOwn(sichuan.Installation, chongqing.Installation);
            await TheDoctorIsOneIdentity(sichuan, chongqing);
            await TheRecordIsRefusedWithItsAddress(sichuan, chongqing);
            await NobodyNewIsEnteredWhileTheRegistrarIsAway(sichuan.Installation, chongqing);
        }
        finally
        {
            foreach (var region in regions)
            {
                await region.Stop(None);
            }
        }
    }

    private static async Task ClustersTokensAndLogsAreTheirOwn(Installation one, Installation other)
    {
        Assert.Equal(4, new[] { one.Cluster!.Port, one.LedgerCluster!.Port, other.Cluster!.Port, other.LedgerCluster!.Port }.Distinct().Count());
        Assert.NotEqual(await File.ReadAllTextAsync(one.RootFile), await File.ReadAllTextAsync(other.RootFile));
        Assert.NotEqual(one.LedgerConfiguration().Environment["SOFTHSM2_CONF"], other.LedgerConfiguration().Environment["SOFTHSM2_CONF"]);
        foreach (var (region, at) in new[] { (Sichuan, one), (Chongqing, other) })
        {
            using var http = Connections.Client(at.RootFile);
            Assert.StartsWith("trust.example/" + region + "\n", await http.GetStringAsync(at.Addresses.Ledger + "/checkpoint"), StringComparison.Ordinal);
        }
    }

    // The sample physician is in both registries, by the same document; everyone else is in one.
    private static async Task TheDoctorIsOneIdentity(World sichuan, World chongqing)
    {
        Assert.Equal(sichuan.Practitioners[0], chongqing.Practitioners[0]);
        Assert.Equal(5, sichuan.Practitioners.Concat(chongqing.Practitioners).Distinct().Count());

        var given = await Rows(sichuan.Installation, "SELECT given_to || ' ' || count(*) FROM ca.person_identifiers GROUP BY given_to ORDER BY 1");
        Assert.Equal(["ca 3", "ca-500000 2"], given);
        Assert.Equal(["0"], await Rows(chongqing.Installation, "SELECT count(*) FROM ca.person_identifiers"));
        // Of who is in Chongqing only, Sichuan has a tag and an identifier, and no document.
        Assert.Equal(["3"], await Rows(sichuan.Installation, "SELECT count(*) FROM ca.practitioners"));
        await Eventually.Holds(
            async () => (await Rows(sichuan.Installation, "SELECT count(*) FROM ca.audit_outbox WHERE action = 'REG.query' AND strpos(convert_from(body, 'UTF8'), '\"subject\":\"ca-500000\"') > 0"))[0] is not "0",
            "who asked for tags is an event");
    }

    private async Task TheRecordIsRefusedWithItsAddress(World sichuan, World chongqing)
    {
        foreach (var world in new[] { sichuan, chongqing })
        {
            await world.RegisterClients(None);
        }

        var (id, doctor) = await Prepared(sichuan);
        using var http = Connections.Client(chongqing.Installation.RootFile);
        var (here, there) = (chongqing.Installation.Addresses, sichuan.Installation.Addresses);
        var pharmacy = new Api(http, here.Sign, await chongqing.Client("pharmacy-jincheng").OwnToken("rx.read rx.claim rx.dispense", here.Sign, None));
        foreach (var answer in new[]
        {
            await pharmacy.Send(HttpMethod.Get, $"/prescriptions/{id}", null, null, None),
            await pharmacy.Send(HttpMethod.Post, $"/prescriptions/{id}/claim", new JsonObject(), "claim", None),
        })
        {
            Assert.Equal((421, "kept-elsewhere"), (answer.Status, answer.Problem));
            Assert.Equal((Sichuan, there.Sign), (answer.Json!["region"]!.GetValue<string>(), answer.Json["address"]!.GetValue<string>()));
        }

        var regulator = new Api(http, here.Ledger, await chongqing.Client("regulator-sichuan").OwnToken("audit.read", here.Ledger, None));
        var asked = await regulator.Send(HttpMethod.Get, $"/evidence/prescription/{id}?caseNumber=CASE-1", null, null, None);
        Assert.Equal((421, there.Ledger), (asked.Status, asked.Json!["address"]!.GetValue<string>()));

        // At the door that was named it is there; and a record that nobody keeps is unknown where it would be.
        Assert.Equal(200, (await doctor.Send(HttpMethod.Get, $"/prescriptions/{id}", null, null, None)).Status);
        Assert.Equal(404, (await pharmacy.Send(HttpMethod.Get, $"/prescriptions/{Kernel.Identifiers.RecordId.New(TimeProvider.System.GetUtcNow(), Chongqing)}", null, null, None)).Status);
    }

    private async Task<(string Id, Api Doctor)> Prepared(World world)
    {
        var card = await world.Enrol(0, None);
        var (addresses, institution) = (world.Installation.Addresses, world.Institutions[0]);
        var http = Connections.Client(world.Installation.RootFile);
        var system = new Api(http, addresses.Idp, await world.Client("his-shuan").OwnToken("patient.register consent.record", addresses.Idp, None));
        var sample = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(world.Samples, "patient.json")))!;
        var patient = (await system.Post("/patients", sample, None))["pseudonym"]!.GetValue<string>();
        await system.Post("/consents", new JsonObject
        {
            ["patient"] = patient, ["institution"] = institution, ["kind"] = "online-care", ["noticeVersion"] = "2026-11",
            ["noticeSha256"] = new string('0', 64), ["acknowledgedAt"] = TimeProvider.System.GetUtcNow().ToString("O", CultureInfo.InvariantCulture), ["method"] = "app",
        }, None);
        var login = await world.Client("his-shuan").Login(
            await card.ForTls(Card.AuthenticationKey, None), RunningTrust.Redirect, "openid profile rx.sign rx.read", institution, addresses.Sign, None);
        var doctor = new Api(http, addresses.Sign, Assert.IsType<LoginResult.Granted>(login).AccessToken);
        var prepared = (await doctor.Send(HttpMethod.Post, "/prescriptions", new JsonObject
        {
            ["bundle"] = await world.Prescription(patient, "RX-REGIONS-1", None), ["certificate"] = Convert.ToBase64String(card.Signature.Der.Span),
        }, "prepare", None)).Expect("prescription");
        var id = prepared["id"]!.GetValue<string>();
        (await doctor.Send(HttpMethod.Post, $"/prescriptions/{id}/signature", await PrescriptionDriver.Sign(card, prepared), "sign", None)).Expect("signature");
        return (id, doctor);
    }

    private static async Task NobodyNewIsEnteredWhileTheRegistrarIsAway(Installation registrar, World chongqing)
    {
        await registrar.Services["ca"].Stop(None);
        var fresh = Row(RunningTrust.IdentityNumber());
        var refused = (await chongqing.Officers[0].Api.Post("/registry/imports", Import(fresh), None))["results"]![0]!;
        Assert.Equal(("refused", "registrar-away"), (refused["result"]!.GetValue<string>(), refused["rule"]!.GetValue<string>()));
        registrar.Services["ca"].Start();
        await registrar.WaitUntilReady("ca", TimeSpan.FromSeconds(60), None);
        var entered = (await chongqing.Import(Import(fresh), None))[0]!;
        Assert.Equal("created", entered["result"]!.GetValue<string>());
    }

    private static JsonObject Import(JsonObject practitioner) => new() { ["practitioners"] = new JsonArray(practitioner.DeepClone()) };

    private static JsonObject Row(string identityNumber) => new()
    {
        ["name"] = "吴后来", ["identityType"] = "resident-id", ["identityNumber"] = identityNumber, ["role"] = "physician", ["licenceNumber"] = "110500000009999",
        ["category"] = "clinical", ["scope"] = new JsonArray("内科专业"), ["region"] = Chongqing, ["effectiveFrom"] = "2020-08-01T00:00:00+08:00",
    };

    private static async Task<string[]> Rows(Installation installation, string sql) =>
        (await installation.Cluster!.Sql("trust", sql, None)).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}

using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.Cli.Residency;
using Trust.TestKit;

namespace Trust.EndToEnd.Tests.Residency;

/// <summary>The drill of docs/RESIDENCY.md: a place that two officers declare outside closes every service that needs it, within a minute and by name of the rule.</summary>
public sealed class DrillTests(RunningTrust trust)
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly string[] Services = ["idp", "ca", "sign", "ledger", "witness"];

    [Fact]
    public async Task Every_service_whose_place_is_declared_outside_refuses_within_a_minute_and_says_which_rule()
    {
        var installation = new Installation(Scratch.Directory("drill"), AddressPlan.FreePorts(), Cli.Program.RepositoryRoot());
        try
        {
            await installation.Start(_ => { }, None);
            await using var world = await World.Open(installation, Cli.Program.RepositoryRoot(), None);
            using var http = Connections.Client(installation.RootFile);

            foreach (var service in new[] { "idp", "ca", "sign", "ledger" })
            {
                await Eventually.Holds(async () => await Started(installation, service) == 1, $"{service} told by which declaration it started");
            }

            await Declare(world, await Moved(installation, "820000"));
            foreach (var service in Services)
            {
                await Eventually.Holds(async () => await Refusal(http, installation, service) == "CN-2", $"{service} is closed by CN-2", TimeSpan.FromSeconds(60));
            }

            // ca's own token is closed too, so two officers mend it by file and verb, each step by the command that people have.
            await DeclarationByHand.Declare(installation, trust.Installation, (await Next(world, []))["version"]!.GetValue<int>(), None);
            foreach (var service in Services)
            {
                await Eventually.Holds(async () => await Refusal(http, installation, service) is null, $"{service} is open again", TimeSpan.FromSeconds(60));
            }

            // And so with the databases, which every process but the witness has; ca's is then not asked for anything, by its callers or by itself.
            await Declare(world, await Moved(installation, "820000", "database"));
            foreach (var service in Services.Where(s => s is not "witness"))
            {
                await Eventually.Holds(async () => await Refusal(http, installation, service) == "CN-1", $"{service} is closed by CN-1", TimeSpan.FromSeconds(60));
            }

            await installation.Declare(await Next(world, await Moved(installation, "510000", "database")), None);
            foreach (var service in Services)
            {
                await Eventually.Holds(async () => await Refusal(http, installation, service) is null, $"{service} is open once more", TimeSpan.FromSeconds(60));
            }

            await Declare(world, await Moved(installation, "820000"));
            await Eventually.Holds(async () => await Refusal(http, installation, "sign") == "CN-2", "sign is closed", TimeSpan.FromSeconds(60));
            await installation.Services["sign"].Stop(None);
            installation.Services["sign"].Start();
            await Eventually.Holds(() => Task.FromResult(!installation.Services["sign"].IsRunning()), "sign does not start again", TimeSpan.FromSeconds(60));
            Assert.Contains("Residency rule CN-2", await File.ReadAllTextAsync(installation.Services["sign"].LogFile, None), StringComparison.Ordinal);
        }
        finally
        {
            await installation.Stop(None);
        }
    }

    // Every process has a token.
    private static async Task<JsonObject> Moved(Installation installation, string region, string kind = "token")
    {
        var document = await installation.DraftDeclaration(None);
        foreach (var place in document["places"]!.AsArray().Where(p => p!["kind"]!.GetValue<string>() == kind))
        {
            place!["region"] = region;
        }

        return document;
    }

    private static async Task Declare(World world, JsonObject document)
    {
        var bytes = DeclarationFile.Canonical(await Next(world, document));
        var first = await DeclarationFile.Sign(bytes, world.Officers[0].Card, None);
        var proposed = await world.Officers[0].Api.Post("/residency/declarations", DeclarationFile.Jws(bytes, [first]), None);
        var second = await DeclarationFile.Sign(bytes, world.Officers[1].Card, None);
        var accepted = await world.Officers[1].Api.Post($"/residency/declarations/{proposed["id"]}/signatures", new JsonObject { ["protected"] = second.Header, ["signature"] = second.Signature }, None);
        Assert.Equal("in-force", accepted["state"]!.GetValue<string>());
    }

    // The installation's own file is the first version; ca keeps those that follow, and does not list them while it is closed.
    private static async Task<JsonObject> Next(World world, JsonObject document)
    {
        var newest = await world.Installation.Cluster!.Sql("trust", "SELECT max(version) FROM ca.residency_declarations", None);
        document["version"] = int.Parse(newest.Trim(), System.Globalization.CultureInfo.InvariantCulture) + 1;
        return document;
    }

    private static async Task<int> Started(Installation installation, string service)
    {
        var cluster = service is "ledger" ? installation.LedgerCluster! : installation.Cluster!;
        var jws = JsonNode.Parse(await File.ReadAllTextAsync(installation.DeclarationFilePath, None))!;
        var hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Buffers.Text.Base64Url.DecodeFromChars(jws["payload"]!.GetValue<string>())));
        return int.Parse((await cluster.Sql(service is "ledger" ? "ledger" : "trust", $"""
            SELECT count(*) FROM {service}.audit_outbox WHERE action = 'ADMIN.config' AND strpos(convert_from(body, 'UTF8'), '"basis":"residency:sha256:{hash}"') > 0
            """, None)).Trim(), System.Globalization.CultureInfo.InvariantCulture);
    }

    // By its readiness, which answers whatever is closed.
    private static async Task<string?> Refusal(HttpClient http, Installation installation, string service)
    {
        var address = installation.Addresses;
        var url = service switch { "idp" => address.Idp, "ca" => address.CA, "sign" => address.Sign, "ledger" => address.Ledger, _ => address.Witness };
        using var answer = await http.GetAsync(url + "/health/ready", None);
        var check = JsonNode.Parse(await answer.Content.ReadAsStringAsync(None))!["checks"]!["residency"]!;
        return check["ready"]!.GetValue<bool>() ? null : check["detail"]!.GetValue<string>().Split(':')[0];
    }
}

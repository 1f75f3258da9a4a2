using System.Text.Json.Nodes;

namespace Trust.Cli.Local;

// The configuration files of the four services: one JSON file each, secrets only by the name of the file that holds them.
public sealed partial class Installation
{
    private async Task WriteConfiguration(CancellationToken ct)
    {
        foreach (var name in Names)
        {
            var cluster = name == "ledger" ? LedgerCluster! : Cluster!;
            var database = await cluster.CreateServiceSchema(name == "ledger" ? "ledger" : "trust", name, ct);
            System.IO.Directory.CreateDirectory(At("data", name), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            var root = new JsonObject
            {
                ["Service"] = new JsonObject { ["Region"] = Region, ["Node"] = name + "-1", [nameof(PublicDirectory)] = PublicDirectory, ["DataDirectory"] = At("data", name) },
                ["Listen"] = Listeners(name),
                ["Database"] = new JsonObject
                {
                    ["ConnectionString"] = database.ConnectionString, ["PasswordFile"] = database.PasswordFile, ["OwnerUsername"] = database.OwnerUsername,
                    ["OwnerPasswordFile"] = database.OwnerPasswordFile, ["Schema"] = database.Schema, ["Region"] = Region,
                },
                ["Token"] = new JsonObject
                {
                    ["ModulePath"] = SoftHsm.InstalledModule ?? throw new CommandFailedException("SoftHSM2 is not installed; run: apt-get install softhsm2"),
                    ["TokenLabel"] = name, ["PinFile"] = At("tokens", name, "pin"), ["Region"] = Region,
                },
                ["Peers"] = Peers(),
                ["Ledger"] = new JsonObject { ["Peer"] = "ledger", ["BudgetAge"] = Timespan(TimeSpan.FromMinutes(5)), ["BudgetCount"] = 10_000 },
            };
            Own(name, root);
            System.IO.Directory.CreateDirectory(PublicDirectory);
            await WriteJson(At("config", name + ".json"), root, ct);
        }
    }

    private JsonObject Listeners(string name)
    {
        static JsonObject Listener(string url, string certificate, params string[] issuers) => new()
        {
            ["Url"] = url, ["ClientCertificate"] = certificate, ["AcceptedIssuers"] = new JsonArray([.. issuers.Select(i => (JsonNode)i)]),
        };
        return name switch
        {
            "idp" => new JsonObject
            {
                ["Main"] = Listener(Addresses.Idp, "None"),
                ["Card"] = Listener(Addresses.Card, "Card", "practitioner-issuing.pem"),
                [nameof(Services)] = Listener(Addresses.IdpServices, "Peer", "service-issuing.pem"),
            },
            "ca" => new JsonObject
            {
                ["Main"] = Listener(Addresses.CA, "Peer", "service-issuing.pem"),
                ["Officers"] = Listener(Addresses.Officers, "Card"),
                ["Public"] = Listener(Addresses.Public, "None"),
            },
            "sign" => new JsonObject { ["Main"] = Listener(Addresses.Sign, "Peer", "service-issuing.pem") },
            _ => new JsonObject { ["Main"] = Listener(Addresses.Ledger, "Peer", "service-issuing.pem") },
        };
    }

    private JsonArray Peers()
    {
        static JsonObject Peer(string name, string address) => new() { ["Name"] = name, ["Address"] = address, ["Region"] = Region };
        return [Peer("idp", Addresses.IdpServices), Peer("ca", Addresses.CA), Peer("sign", Addresses.Sign), Peer("ledger", Addresses.Ledger)];
    }

    private void Own(string name, JsonObject root)
    {
        switch (name)
        {
            case "idp":
                root["Idp"] = new JsonObject { ["Issuer"] = Addresses.Idp, ["CardUrl"] = Addresses.Card };
                root["Tokens"] = Tokens(Addresses.Idp);
                break;
            case "ca":
                root["Ca"] = new JsonObject { ["PublicBaseUrl"] = Addresses.Public, ["AllowSoftwareSm2"] = true };
                break;
            case "sign":
                root["SignService"] = new JsonObject();
                root["Tokens"] = Tokens(Addresses.Sign);
                break;
            default:
                root["AuditLedger"] = new JsonObject
                {
                    ["Origin"] = "trust.example/" + Region, ["LockStoreDirectory"] = At("lock-store"), ["AllowSoftwareSm2"] = true,
                    ["RegionTableFile"] = Path.Combine(Program.RepositoryRoot(), "samples", "regions.csv"),
                    ["Sources"] = new JsonArray([.. Names.Select(n => (JsonNode)new JsonObject { ["Name"] = n, ["BatchKeyFile"] = Path.Combine(PublicDirectory, n + "-batch.spki") })]),
                };
                root["Tokens"] = Tokens(Addresses.Ledger);
                break;
        }
    }

    private JsonObject Tokens(string audience) => new() { ["Issuer"] = Addresses.Idp, ["Audience"] = audience };
}

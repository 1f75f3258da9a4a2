using System.Text.Json.Nodes;

namespace Trust.Cli.Local;

// The configuration files of the services and the witness: one JSON file each, secrets only by the name of the file that holds them.
public sealed partial class Installation
{
    private string Origin => "trust.example/" + Region;

    private async Task WriteConfiguration(CancellationToken ct)
    {
        foreach (var name in Names)
        {
            var cluster = name == "ledger" ? LedgerCluster! : Cluster!;
            var database = await cluster.CreateServiceSchema(name == "ledger" ? "ledger" : "trust", name, ct);
            System.IO.Directory.CreateDirectory(At("data", name), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            var root = new JsonObject
            {
                ["Service"] = Service(name),
                ["Listen"] = Listeners(name),
                ["Database"] = new JsonObject
                {
                    ["ConnectionString"] = database.ConnectionString, ["PasswordFile"] = database.PasswordFile, ["OwnerUsername"] = database.OwnerUsername,
                    ["OwnerPasswordFile"] = database.OwnerPasswordFile, ["Schema"] = database.Schema, ["Region"] = Region,
                },
                ["Token"] = Token(name),
                ["Peers"] = Peers(name == "ca" ? OtherRegions() : []),
                ["Ledger"] = new JsonObject { ["Peer"] = "ledger", ["BudgetAge"] = Timespan(TimeSpan.FromMinutes(5)), ["BudgetCount"] = 10_000 },
            };
            Own(name, root);
            if (Unlimited)
            {
                root["RateLimits"] = new JsonObject { ["Read"] = 0, ["Sign"] = 0, ["Login"] = 0, ["Client"] = 0, ["Card"] = 0 };
            }

            Extend?.Invoke(name, root);
            System.IO.Directory.CreateDirectory(PublicDirectory);
            await WriteJson(At("config", name + ".json"), root, ct);
        }

        await WriteWitness(ct);
    }

    private Task WriteWitness(CancellationToken ct)
    {
        System.IO.Directory.CreateDirectory(At("data", Witness), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return WriteJson(At("config", Witness + ".json"), new JsonObject
        {
            ["Service"] = Service(Witness),
            ["Listen"] = Listeners(Witness),
            ["Token"] = Token(Witness),
            ["Peers"] = Peers([]),
            [nameof(Witness)] = new JsonObject
            {
                ["Name"] = "witness." + Origin,
                ["Logs"] = new JsonArray(new JsonObject { [nameof(Origin)] = Origin, ["Peer"] = "ledger", ["VKeysFile"] = Path.Combine(PublicDirectory, "ledger.vkeys") }),
            },
        }, ct);
    }

    private JsonObject Service(string name) =>
        new() { ["Region"] = Region, ["Node"] = name + "-1", [nameof(PublicDirectory)] = PublicDirectory, ["DataDirectory"] = At("data", name) };

    private JsonObject Token(string name) => new()
    {
        ["ModulePath"] = SoftHsm.InstalledModule ?? throw new CommandFailedException("SoftHSM2 is not installed; run: apt-get install softhsm2"),
        ["TokenLabel"] = name, ["PinFile"] = At("tokens", name, "pin"), ["Region"] = Region,
    };

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
                ["Mtls"] = Listener(Addresses.Clients, "Client"),
                ["Officers"] = Listener(Addresses.IdpOfficers, "Card"),
            },
            "ca" => new JsonObject
            {
                ["Main"] = Listener(Addresses.CA, "Peer", "service-issuing.pem"),
                ["Officers"] = Listener(Addresses.Officers, "Card"),
                ["Public"] = Listener(Addresses.Public, "None"),
            },
            "sign" => new JsonObject { ["Main"] = Listener(Addresses.Sign, "Peer", "service-issuing.pem") },
            Witness => new JsonObject { ["Main"] = Listener(Addresses.Witness, "None") },
            _ => new JsonObject { ["Main"] = Listener(Addresses.Ledger, "Peer", "service-issuing.pem") },
        };
    }

    private JsonArray Peers(IEnumerable<JsonNode> more)
    {
        JsonObject Peer(string name, string address) => new() { ["Name"] = name, ["Address"] = address, ["Region"] = Region };
        return [Peer("idp", Addresses.IdpServices), Peer("ca", Addresses.CA), Peer("sign", Addresses.Sign), Peer("ledger", Addresses.Ledger), Peer(Witness, Addresses.Witness), .. more];
    }

    private void Own(string name, JsonObject root)
    {
        switch (name)
        {
            case "idp":
                root["Idp"] = new JsonObject { ["Issuer"] = Addresses.Idp, ["CardUrl"] = Addresses.Card, ["MtlsUrl"] = Addresses.Clients };
                root["Tokens"] = Tokens(Addresses.Idp);
                break;
            case "ca":
                root["Ca"] = new JsonObject
                {
                    ["PublicBaseUrl"] = Addresses.Public, ["AllowSoftwareSm2"] = true, ["Persons"] = Persons(),
                };
                root["Tokens"] = Tokens(Addresses.CA);
                break;
            case "sign":
                root["SignService"] = new JsonObject();
                root["Tokens"] = Tokens(Addresses.Sign);
                break;
            default:
                root["AuditLedger"] = new JsonObject
                {
                    [nameof(Origin)] = Origin, ["LockStoreDirectory"] = At("lock-store"), ["AllowSoftwareSm2"] = true,
                    ["MirrorDirectory"] = At("mirror"),
                    // Our own time-stamps prove nothing to others; a real installation names outside authorities here.
                    ["Anchoring"] = new JsonObject
                    {
                        ["Authorities"] = new JsonArray(new JsonObject { ["Peer"] = "sign", ["RootFiles"] = new JsonArray(RootFile) }),
                    },
                    ["Witnessing"] = new JsonObject
                    {
                        ["Witnesses"] = new JsonArray(new JsonObject { ["Peer"] = Witness, ["VKeyFile"] = Path.Combine(PublicDirectory, "witness.vkey") }), ["Quorum"] = 1,
                    },
                    ["Sources"] = new JsonArray([.. Names.Select(n => (JsonNode)new JsonObject { ["Name"] = n, ["BatchKeyFile"] = Path.Combine(PublicDirectory, n + "-batch.spki") })]),
                };
                root["Tokens"] = Tokens(Addresses.Ledger);
                break;
        }
    }

    private JsonObject Tokens(string audience) => new() { ["Issuer"] = Addresses.Idp, ["Audience"] = audience };
}

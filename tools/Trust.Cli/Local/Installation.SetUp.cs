using System.Text.Json.Nodes;

namespace Trust.Cli.Local;

// First set-up: tokens, service keys, officers' cards, the ceremony.
public sealed partial class Installation
{
    // As the ceremony wrote it, and as the service renewed it.
    private static readonly string[] TlsCertificates = ["certificate.pem", "identity.pem"];
    private static readonly string[] OfficerCards = ["officer-li", "officer-zhou", "officer-he"];

    // Synthetic persons: right check characters, no one's number.
    private static readonly string[] OfficerIdentities = ["510104197901010111", "510104198102020123", "510104198303030133"];

    /// <summary>Folder of the cards' PIN files and certificates.</summary>
    public string CardDirectory => At("cards", "people");

    /// <summary>Labels of the three officers' cards, in the ceremony's order.</summary>
    public IReadOnlyList<string> Officers => [.. OfficerCards.Select(CardLabel)];

    /// <summary>Label of a person's card: where installations share a token directory it says whose card it is.</summary>
    public string CardLabel(string name) => Cards is null ? name : $"{name}-{Region}";

    /// <summary>The token directory that holds everyone's USB keys.</summary>
    public string CardTokens => Cards ?? At("cards", "tokens");

    /// <summary>Opens this process's card reader.</summary>
    public SoftHsm CardReader() => SoftHsm.Open(CardTokens);

    private async Task SetUp(Action<string> progress, CancellationToken ct)
    {
        progress("Making one token a service");
        await Task.WhenAll(Processes.Select(name => InitTokens(name, ct)));
        progress("Creating keys in the tokens and migrating the schemas");
        await Task.WhenAll(Processes.Select(name => Services[name].Verb("provision", [], ct)));
        progress("Personalising three officers' cards");
        var requests = await OfficerRequests(ct);
        progress("Holding the ceremony: root, issuing CAs, officers, service certificates");
        await WriteJson(At("ceremony.json"), Ceremony(requests), ct);
        await Services["ca"].Verb("ceremony", ["--file", At("ceremony.json"), "--root-token-pin-file", At("offline", "root.pin")], ct);
    }

    /// <summary>Prepares a token in a process of its own: a module reads its configuration once a process.</summary>
    /// <param name="directory">Token directory; its configuration is <c>softhsm2.conf</c> inside.</param>
    /// <param name="label">Token label.</param>
    /// <param name="pinFile">Where the user PIN is or shall be.</param>
    /// <param name="ct">Cancels.</param>
    public static Task InitToken(string directory, string label, string pinFile, CancellationToken ct) => Command.Run(
        ServiceProcess.DotnetHost(), [System.IO.Path.Combine(AppContext.BaseDirectory, "trust-cli.dll"), "init-token", directory, label, pinFile], ct, input: "");

    private async Task InitTokens(string name, CancellationToken ct)
    {
        await InitToken(At("tokens", name), name, At("tokens", name, "pin"), ct);
        if (name == "ca")
        {
            System.IO.Directory.CreateDirectory(At("offline"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            await InitToken(At("tokens", name), "root", At("offline", "root.pin"), ct);
        }
    }

    private async Task<JsonArray> OfficerRequests(CancellationToken ct)
    {
        var reader = CardReader();
        var officers = new JsonArray();
        foreach (var (label, identity) in Officers.Zip(OfficerIdentities))
        {
            await using var card = await Card.Open(reader, CardDirectory, label, ct);
            var officer = new JsonObject { ["name"] = label, ["identityType"] = "resident-id", ["identityNumber"] = identity, ["region"] = Region };
            foreach (var (key, word) in new[] { (Card.AuthenticationKey, "authentication"), (Card.SignatureKey, "signature") })
            {
                var file = At("requests", $"{label}-{word}.p10");
                System.IO.Directory.CreateDirectory(At("requests"));
                await File.WriteAllBytesAsync(file, await card.Request(key, label, ct), ct);
                officer[word + "Request"] = FromCeremony(file);
                officer[word + "Certificate"] = FromCeremony(card.CertificateFile(key));
            }

            officers.Add(officer);
        }

        return officers;
    }

    private bool HasExpired(string name)
    {
        var ends = TlsCertificates.Select(file => At("data", name, "tls", file)).Where(File.Exists)
            .Select(file => Crypto.Asn1.Certificate.ParsePem(File.ReadAllText(file))[0].NotAfter).DefaultIfEmpty(DateTimeOffset.MaxValue);
        return ends.Max() < TimeProvider.System.GetUtcNow();
    }

    private JsonObject Ceremony(JsonArray officers) => new()
    {
        ["version"] = 1,
        ["organization"] = "Trust Demonstration",
        ["officers"] = officers,
        ["services"] = new JsonArray([.. Processes.Select(n => (JsonNode)new JsonObject
        {
            ["name"] = n, ["request"] = FromCeremony(At("data", n, "tls", "request.p10")), ["certificate"] = FromCeremony(At("data", n, "tls", "certificate.pem")),
        })]),
        ["timeStamping"] = new JsonObject
        {
            ["name"] = "Time-stamping authority " + Region, ["request"] = FromCeremony(At("data", "sign", "tsa", "request.p10")),
            ["certificate"] = FromCeremony(At("data", "sign", "tsa", "certificate.pem")),
        },
        ["sources"] = new JsonArray([.. Names.Select(n => (JsonNode)new JsonObject { ["name"] = n, ["key"] = FromCeremony(Path.Combine(PublicDirectory, n + "-batch.spki")) })]),
        ["ledgerKeys"] = FromCeremony(Path.Combine(PublicDirectory, "ledger.vkeys")),
        ["witnessKeys"] = FromCeremony(Path.Combine(PublicDirectory, "witnesses.vkeys")),
        ["witnessQuorum"] = 1,
    };

    // Only the very file that was held can be replayed, and its paths are relative to it: an installation can be moved, or restored elsewhere.
    private string FromCeremony(string path) => Path.GetRelativePath(Directory, path);
}

using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Trust.Cli.Residency;

namespace Trust.Cli.Local;

// Where everything of the installation stands, declared by two of its officers.
public sealed partial class Installation
{
    private const string Attester = "Trust Demonstration";

    private IReadOnlyList<Installation> _others = [];
    private Installation? _registrar;

    /// <summary>The declaration in force, as the services read it at their start.</summary>
    public string DeclarationFilePath => Path.Combine(PublicDirectory, "residency.jws");

    /// <summary>Has two officers sign a declaration, and ca put it into force while it does not run.</summary>
    /// <param name="document">The document.</param>
    /// <param name="ct">Cancels.</param>
    public async Task Declare(JsonObject document, CancellationToken ct)
    {
        var bytes = DeclarationFile.Canonical(document);
        var signatures = new List<(string, string)>();
        var reader = CardReader();
        foreach (var label in Officers.Take(2))
        {
            await using var card = await Card.Open(reader, CardDirectory, label, ct);
            signatures.Add(await DeclarationFile.Sign(bytes, card, ct));
        }

        var file = At("residency.signed.json");
        await File.WriteAllTextAsync(file, DeclarationFile.Jws(bytes, signatures).ToJsonString(), ct);
        await Services["ca"].Verb("residency", ["--file", file], ct);
    }

    /// <summary>What the services' configurations use, as one document of the next version.</summary>
    public async Task<JsonObject> DraftDeclaration(CancellationToken ct)
    {
        var drafts = new Dictionary<string, JsonObject>(StringComparer.Ordinal);
        foreach (var name in Processes)
        {
            drafts[name] = JsonNode.Parse(await Services[name].Verb("places", [], ct))!.AsObject();
        }

        var version = File.Exists(DeclarationFilePath) ? DeclarationFile.DocumentOf(JsonNode.Parse(await File.ReadAllTextAsync(DeclarationFilePath, ct))!)["version"]!.GetValue<int>() + 1 : 1;
        return DeclarationFile.Merge(
            drafts, version, [("127.0.0.0/8", Region), ("::1/128", Region), .. _others.Select(o => (AddressPlan.NetworkOf(o.Region), o.Region))],
            [.. _others.Select(o => (o.Region, (IReadOnlyDictionary<string, string>)Names.ToDictionary(n => n, o.MainAddress, StringComparer.Ordinal)))],
            Attester, Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(Attester))), TimeProvider.System.GetUtcNow().AddYears(1));
    }

    /// <summary>Tells the installation of the others; the first of all gives people their identifiers.</summary>
    internal void Join(IReadOnlyList<Installation> all)
    {
        _others = [.. all.Where(o => o != this)];
        _registrar = all[0];
    }

    // Where a service's callers reach it.
    private string MainAddress(string name) => name == "ca" ? Addresses.Officers : BaseUrl(name);

    // Another region's ca, known by the certificate that issues its installation's service certificates.
    private IEnumerable<JsonNode> OtherRegions() => _others.Where(o => _registrar == this || o == _registrar).Select(o => new JsonObject
    {
        ["Name"] = CaOf(o), ["Address"] = o.Addresses.CA, ["Region"] = o.Region, ["IssuerFile"] = Path.Combine(o.PublicDirectory, "service-issuing.pem"), ["Service"] = "ca",
    });

    private JsonObject Persons() => _registrar is null || _others.Count == 0 ? new JsonObject()
        : _registrar == this ? new JsonObject { ["Askers"] = new JsonArray([.. _others.Select(o => (JsonNode)CaOf(o))]) }
        : new JsonObject { ["Registrar"] = CaOf(_registrar) };

    private static string CaOf(Installation other) => "ca-" + other.Region;

    // A cluster that was started on another port is another place; and what ends within a day is declared anew.
    private async Task DeclareWhatIsNew(CancellationToken ct)
    {
        var draft = await DraftDeclaration(ct);
        if (!File.Exists(DeclarationFilePath) || !Covers(DeclarationFile.DocumentOf(JsonNode.Parse(await File.ReadAllTextAsync(DeclarationFilePath, ct))!), draft))
        {
            await Declare(draft, ct);
        }
    }

    private static bool Covers(JsonObject inForce, JsonObject draft) => Addressed(draft).IsSubsetOf(Addressed(inForce))
        && inForce["places"]!.AsArray().All(p => p!["expires"]!.GetValue<DateTimeOffset>() > TimeProvider.System.GetUtcNow().AddDays(1));

    private static HashSet<string> Addressed(JsonObject document) =>
        [.. document["places"]!.AsArray().Select(p => p!["kind"]!.GetValue<string>() + " " + p["address"]!.GetValue<string>())];
}

using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Trust.Cli.Residency;

namespace Trust.Cli.Local;

// Where everything of the installation stands, declared by two of its officers.
public sealed partial class Installation
{
    private const string Attester = "Trust Demonstration";

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
        foreach (var label in OfficerCards.Take(2))
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
            drafts, version, [("127.0.0.0/8", Region), ("::1/128", Region)], Attester, Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(Attester))),
            TimeProvider.System.GetUtcNow().AddYears(1));
    }

    // A cluster that was started on another port is another place.
    private async Task DeclareWhatIsNew(CancellationToken ct)
    {
        var draft = await DraftDeclaration(ct);
        if (!File.Exists(DeclarationFilePath)
            || !Addressed(draft).IsSubsetOf(Addressed(DeclarationFile.DocumentOf(JsonNode.Parse(await File.ReadAllTextAsync(DeclarationFilePath, ct))!))))
        {
            await Declare(draft, ct);
        }
    }

    private static HashSet<string> Addressed(JsonObject document) =>
        [.. document["places"]!.AsArray().Select(p => p!["kind"]!.GetValue<string>() + " " + p["address"]!.GetValue<string>())];
}

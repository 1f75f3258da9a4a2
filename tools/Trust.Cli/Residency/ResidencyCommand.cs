using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Trust.Cli.Local;
using Trust.Crypto.Asn1;
using Trust.Pkcs11;
using Command = System.CommandLine.Command;

namespace Trust.Cli.Residency;

/// <summary><c>trust residency merge</c> and <c>sign</c>: from the services' drafts to a document that two officers signed by their cards.</summary>
public static class ResidencyCommand
{
    private static readonly KeyRef SignatureKey = Card.SignatureKey;

    /// <summary>The verb.</summary>
    public static Command Create() => new("residency", "Put a residency declaration together, and sign it by a card (docs/RESIDENCY.md).") { Merge(), Sign() };

    private static Command Merge()
    {
        var drafts = new Argument<FileInfo[]>("draft") { Description = "What each service's verb `places` printed; the file's name names the service." };
        var version = new Option<int>("--version") { Description = "The document's version: one above that in force.", Required = true };
        var attester = new Option<string>("--attester") { Description = "Who says where the places are.", Required = true };
        var evidence = new Option<FileInfo>("--evidence") { Description = "What was shown for it: a contract, an inspection record. Only its hash is declared.", Required = true };
        var expires = new Option<string>("--expires") { Description = "Until when: RFC 3339 with an offset.", Required = true };
        var networks = new Option<string[]>("--network") { Description = "CIDR=REGION, of callers and peers; several times.", Required = true };
        var neighbours = new Option<string[]>("--neighbour") { Description = "REGION:SERVICE=ADDRESS of another region's installation (services idp, ca, sign, ledger); several times." };
        var output = new Option<FileInfo>("--out") { Description = "The document.", Required = true };
        var command = new Command("merge", "Put the drafts of the services into one document, for officers to read and sign.") { drafts, version, attester, evidence, expires, networks, neighbours, output };
        command.SetAction(async (parsed, ct) =>
        {
            var read = new Dictionary<string, JsonObject>(StringComparer.Ordinal);
            foreach (var draft in parsed.GetValue(drafts)!)
            {
                read[Path.GetFileNameWithoutExtension(draft.Name)] = JsonNode.Parse(await File.ReadAllTextAsync(draft.FullName, ct))!.AsObject();
            }

            var places = parsed.GetValue(networks)!.Select(n => n.Split('=')).Select(n => n is [var cidr, var region] ? (cidr, region) : throw new CommandFailedException("--network is CIDR=REGION."));
            var document = DeclarationFile.Merge(
                read, parsed.GetValue(version), places, Neighbours(parsed.GetValue(neighbours) ?? []), parsed.GetValue(attester)!, Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(parsed.GetValue(evidence)!.FullName, ct))),
                DateTimeOffset.Parse(parsed.GetValue(expires)!, CultureInfo.InvariantCulture));
            await File.WriteAllBytesAsync(parsed.GetValue(output)!.FullName, DeclarationFile.Canonical(document), ct);
            return 0;
        });
        return command;
    }

    private static IReadOnlyList<(string Region, IReadOnlyDictionary<string, string> Services)> Neighbours(string[] written) =>
    [
        .. written.Select(w => w.Split([':', '='], 3)).Select(w => w is [var region, var service, var address] ? (Region: region, Service: service, Address: address)
                : throw new CommandFailedException("--neighbour is REGION:SERVICE=ADDRESS."))
            .GroupBy(w => w.Region, StringComparer.Ordinal)
            .Select(g => (g.Key, (IReadOnlyDictionary<string, string>)g.ToDictionary(w => w.Service, w => w.Address, StringComparer.Ordinal))),
    ];

    private static Command Sign()
    {
        var file = new Argument<FileInfo>("file") { Description = "The document, or what another officer signed already." };
        var module = new Option<string>("--module") { Description = "PKCS#11 module of the card.", Required = true };
        var label = new Option<string>("--token") { Description = "The card's label.", Required = true };
        var pin = new Option<string>("--pin-file") { Description = "File with the card's PIN.", Required = true };
        var certificate = new Option<FileInfo>("--certificate") { Description = "Signature certificate and its issuing authority, PEM.", Required = true };
        var output = new Option<FileInfo>("--out") { Description = "The signed declaration.", Required = true };
        var command = new Command("sign", "Sign a declaration by the signature key of an officer's card; show it first.") { file, module, label, pin, certificate, output };
        command.SetAction(async (parsed, ct) =>
        {
            var read = JsonNode.Parse(await File.ReadAllTextAsync(parsed.GetValue(file)!.FullName, ct))!.AsObject();
            var signatures = (read["signatures"] as JsonArray ?? []).Select(s => (s!["protected"]!.GetValue<string>(), s["signature"]!.GetValue<string>())).ToList();
            var document = DeclarationFile.Canonical(read["signatures"] is null ? read : DeclarationFile.DocumentOf(read));
            // What is signed is what is shown: the card's owner must have seen it.
            Console.WriteLine(JsonNode.Parse(document)!.ToJsonString(new System.Text.Json.JsonSerializerOptions { WriteIndented = true }));
            Console.WriteLine("SHA-256 " + Convert.ToHexStringLower(SHA256.HashData(document)));
            var options = new TokenOptions { ModulePath = parsed.GetValue(module)!, TokenLabel = parsed.GetValue(label)!, PinFile = parsed.GetValue(pin)!, Sessions = 1 };
            await using var card = await Pkcs11Token.Open(options, ct);
            var chain = Certificate.ParsePem(await File.ReadAllTextAsync(parsed.GetValue(certificate)!.FullName, ct));
            signatures.Add(await DeclarationFile.Sign(document, [.. chain.Take(2)], async bytes => await card.Sign(SignatureKey, SHA256.HashData(bytes), ct)));
            await File.WriteAllTextAsync(parsed.GetValue(output)!.FullName, DeclarationFile.Jws(document, signatures).ToJsonString(), ct);
            return 0;
        });
        return command;
    }
}

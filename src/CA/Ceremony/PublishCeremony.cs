using System.Text.Json;
using System.Text.Json.Nodes;
using Trust.CA.Certificates;
using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;

namespace Trust.CA.Ceremony;

/// <summary>
/// Writes what everybody may know into the public folder: roots and issuing certificates as PEM, the transcript, and
/// <c>trusted-list.json</c> = { version, roots, issuers, timeStamping (base64 DER), checkpointKeys (vkeys), witnesses (vkeys), witnessQuorum,
/// sources: [{ name, batchKey }] }.
/// </summary>
public sealed class PublishCeremony(IssuerDirectory issuers, ServiceOptions service, string directory)
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Writes all files; the same ceremony writes the same bytes.</summary>
    public async Task Write(CeremonyFile file, byte[] transcript, CancellationToken ct)
    {
        var authorities = (await issuers.All(ct)).OrderBy(a => a.Name, StringComparer.Ordinal).ToList();
        foreach (var authority in authorities)
        {
            await WriteFile(authority.Name + ".pem", System.Text.Encoding.ASCII.GetBytes(authority.Certificate.ToPem()), ct);
        }

        await WriteFile("ceremony-transcript.json", transcript, ct);
        await WriteFile("trusted-list.json", JsonSerializer.SerializeToUtf8Bytes(await TrustedList(file, authorities, ct), Indented), ct);
    }

    private async Task<JsonObject> TrustedList(CeremonyFile file, List<Authority> authorities, CancellationToken ct)
    {
        var list = new JsonObject
        {
            ["version"] = 1,
            ["roots"] = Ders(authorities.Where(a => a.Parent is null)),
            ["issuers"] = Ders(authorities.Where(a => a.Parent is not null)),
            ["checkpointKeys"] = new JsonArray(),
            ["sources"] = new JsonArray(),
        };
        if (file.TimeStamping is { } stamp)
        {
            var leaf = Certificate.ParsePem(await File.ReadAllTextAsync(Path.Combine(directory, stamp.Certificate), ct))[0];
            list["timeStamping"] = Convert.ToBase64String(leaf.Der.Span);
        }

        if (file.LedgerKeys is { } keys)
        {
            list["checkpointKeys"] = new JsonArray(
                [.. (await File.ReadAllLinesAsync(Path.Combine(directory, keys), ct)).Where(l => l.Length > 0).Select(l => JsonValue.Create(l))]);
        }

        if (file.WitnessKeys is { } witnesses)
        {
            list["witnesses"] = new JsonArray(
                [.. (await File.ReadAllLinesAsync(Path.Combine(directory, witnesses), ct)).Where(l => l.Length > 0).Select(l => JsonValue.Create(l))]);
            list["witnessQuorum"] = file.WitnessQuorum ?? 1;
        }

        foreach (var source in file.Sources ?? [])
        {
            list["sources"]!.AsArray().Add(new JsonObject
            {
                ["name"] = source.Name,
                ["batchKey"] = Convert.ToBase64String(await File.ReadAllBytesAsync(Path.Combine(directory, source.Key), ct)),
            });
        }

        return list;
    }

    private static JsonArray Ders(IEnumerable<Authority> authorities) =>
        new([.. authorities.Select(a => JsonValue.Create(Convert.ToBase64String(a.Certificate.Der.Span)))]);

    private async Task WriteFile(string name, byte[] bytes, CancellationToken ct)
    {
        Directory.CreateDirectory(service.PublicDirectory);
        await File.WriteAllBytesAsync(Path.Combine(service.PublicDirectory, name), bytes, ct);
    }
}

using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Trust.Cli.Local;

namespace Trust.Cli.Demo;

/// <summary>
/// The people and systems of the demonstration, made from <c>samples/</c>: a hospital, a township clinic and a pharmacy in
/// Sichuan (or Chongqing, where the same physician practises too), a physician, a pharmacist and a retail pharmacist with a card each, three outside systems. Everything is done
/// through the public interfaces, as its users would.
/// </summary>
public sealed class World : IAsyncDisposable
{
    private static readonly (string Card, int Practitioner, int Institution)[] People = [("card-zhang", 0, 0), ("card-wang", 1, 0), ("card-liu", 2, 2)];
    private readonly Installation _installation;
    private readonly string _samples;
    private readonly string _keys;

    private World(Installation installation, string repository, SoftHsm reader)
    {
        _installation = installation;
        _samples = Path.Combine(repository, "samples");
        _keys = Path.Combine(installation.Directory, "clients");
        Reader = reader;
    }

    /// <summary>The card reader.</summary>
    public SoftHsm Reader { get; }

    /// <summary>Three officers; the first files requests, the others approve.</summary>
    public IReadOnlyList<Officer> Officers { get; private set; } = [];

    /// <summary>Institution URNs: hospital, clinic, pharmacy.</summary>
    public IReadOnlyList<string> Institutions { get; private set; } = [];

    /// <summary>Practitioner URNs: physician, pharmacist, retail pharmacist.</summary>
    public IReadOnlyList<string> Practitioners { get; private set; } = [];

    /// <summary>The physician's card.</summary>
    public Card Physician { get; private set; } = null!;

    /// <summary>The hospital pharmacist's card.</summary>
    public Card Pharmacist { get; private set; } = null!;

    /// <summary>The retail pharmacist's card.</summary>
    public Card RetailPharmacist { get; private set; } = null!;

    /// <summary>The installation.</summary>
    public Installation Installation => _installation;

    /// <summary>Folder of the sample files.</summary>
    public string Samples => _samples;

    /// <summary>The sample registry of a region.</summary>
    public static string RegistryFile(string repository, string region) =>
        Path.Combine(repository, "samples", region == Installation.SampleRegion ? "registry.json" : $"registry-{region}.json");

    private string Registry => RegistryFile(Path.GetDirectoryName(_samples)!, _installation.Region);

    /// <summary>Opens the officers' cards; nothing is registered yet.</summary>
    public static async Task<World> Open(Installation installation, string repository, CancellationToken ct)
    {
        var reader = installation.CardReader();
        var world = new World(installation, repository, reader);
        var officers = new List<Officer>();
        foreach (var label in installation.Officers)
        {
            officers.Add(await Officer.Open(installation, reader, label, ct));
        }

        world.Officers = officers;
        return world;
    }

    private const string SampleHospital = "urn:mdid:o:01J9ZZZZZZZZZZZZZZZZZZZZH1";
    private const string SamplePharmacy = "urn:mdid:o:01J9ZZZZZZZZZZZZZZZZZZZZF1";

    /// <summary>Imports institutions, practitioners, affiliations and filings; returns the per-row answer.</summary>
    public async Task<JsonArray> ImportRegistry(CancellationToken ct)
    {
        var rows = JsonNode.Parse(await File.ReadAllTextAsync(Registry, ct))!;
        var results = await Import(rows, ct);
        IReadOnlyList<string> Urns(string kind) => [.. results.Where(r => r!["kind"]!.GetValue<string>() == kind)
            .Select(r => r!["urn"]?.GetValue<string>() ?? throw new DemoException($"A row was refused: {r.ToJsonString()}"))];
        Institutions = Urns("institution");
        Practitioners = Urns("practitioner");
        return results;
    }

    /// <summary>Imports rows by two officers.</summary>
    public Task<JsonArray> Import(JsonNode rows, CancellationToken ct) => RegistryImport.ByTwo(Officers[0], Officers[1], rows, ct);

    /// <summary>Registers the outside systems at the provider, by the operator's command.</summary>
    public async Task RegisterClients(CancellationToken ct)
    {
        System.IO.Directory.CreateDirectory(_keys, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        // The file stands for itself, with the addresses of a development installation; here each stands for the installation's own.
        var (sample, here) = (AddressPlan.Development, _installation.Addresses);
        var text = (await File.ReadAllTextAsync(Path.Combine(_samples, "clients.json"), ct))
            .Replace(sample.Idp, here.Idp, StringComparison.Ordinal).Replace(sample.CA, here.CA, StringComparison.Ordinal)
            .Replace(sample.Sign, here.Sign, StringComparison.Ordinal).Replace(sample.Ledger, here.Ledger, StringComparison.Ordinal)
            .Replace(SampleHospital, Institutions[0], StringComparison.Ordinal).Replace(SamplePharmacy, Institutions[2], StringComparison.Ordinal)
            .Replace($"\"{Installation.SampleRegion}\"", $"\"{_installation.Region}\"", StringComparison.Ordinal);
        var clients = JsonNode.Parse(text)!.AsArray();
        foreach (var client in clients)
        {
            using var key = ClientKey(client!["client_id"]!.GetValue<string>());
            client["jwks"] = OAuthClient.Jwks(key);
        }

        var file = Path.Combine(_keys, "clients.json");
        await File.WriteAllTextAsync(file, clients.ToJsonString(), ct);
        await _installation.Services["idp"].Verb("import-clients", ["--file", file], ct);
    }

    /// <summary>An outside system by its client identifier.</summary>
    public OAuthClient Client(string clientId) => new(clientId, ClientKey(clientId), _installation.Addresses.Idp, _installation.RootFile);

    /// <summary>Personalises a card: two requests, one officer files, two others approve, both certificates are issued.</summary>
    public async Task<Card> Enrol(int person, CancellationToken ct)
    {
        var (name, practitioner, institution) = People[person];
        var label = _installation.CardLabel(name);
        var card = await Card.Open(Reader, _installation.CardDirectory, label, ct);
        if (!card.IsPersonalised)
        {
            var rows = JsonNode.Parse(await File.ReadAllTextAsync(Registry, ct))!;
            var holder = rows["practitioners"]![practitioner]!["name"]!.GetValue<string>();
            foreach (var (key, profile) in new[] { (Card.AuthenticationKey, "practitioner-authentication"), (Card.SignatureKey, "practitioner-signature") })
            {
                var request = await Officers[0].RequestCertificate(profile, Practitioners[practitioner], Institutions[institution], await card.Request(key, holder, ct), label, ct);
                await card.Store(key, await ApproveByTwo(request, ct), ct);
            }
        }

        switch (person)
        {
            case 0: Physician = card; break;
            case 1: Pharmacist = card; break;
            default: RetailPharmacist = card; break;
        }

        return card;
    }

    /// <summary>Two officers, neither the requester, approve; returns the chain.</summary>
    public async Task<string> ApproveByTwo(JsonNode request, CancellationToken ct)
    {
        (await Officers[1].Approve(request, ct)).Expect("approval");
        (await Officers[2].Approve(request, ct)).Expect("approval");
        return await Officers[0].Issued(request, ct);
    }

    /// <summary>Gives the hospital its seal: the signing service's token made the key, officers approve the certificate.</summary>
    public async Task<string> EnrolSeal(CancellationToken ct)
    {
        using var http = Connections.Client(_installation.RootFile);
        var sign = new Api(http, _installation.Addresses.Sign, await Client("seals-shuan").OwnToken("seal", _installation.Addresses.Sign, ct));
        var pkcs10 = await sign.Bytes($"/seals/{Institutions[0]}/request", ct);
        var request = await Officers[0].RequestCertificate("institution-seal", Institutions[0], Institutions[0], pkcs10, "sign-token", ct);
        var chain = await ApproveByTwo(request, ct);
        (await sign.Send(HttpMethod.Put, $"/seals/{Institutions[0]}/certificate", new JsonObject { ["chain"] = chain }, null, ct)).Expect("seal certificate");
        return chain;
    }

    /// <summary>The sample prescription with this installation's identifiers and today's dates filled in.</summary>
    public async Task<JsonNode> Prescription(string patient, string number, CancellationToken ct)
    {
        var now = TimeProvider.System.GetUtcNow().ToOffset(TimeSpan.FromHours(8));
        var text = (await File.ReadAllTextAsync(Path.Combine(_samples, "prescription.json"), ct))
            .Replace("{number}", number, StringComparison.Ordinal).Replace("{patient}", patient, StringComparison.Ordinal)
            .Replace("{practitioner}", Practitioners[0], StringComparison.Ordinal).Replace("{institution}", Institutions[0], StringComparison.Ordinal)
            .Replace("{authoredOn}", now.ToString("yyyy-MM-dd'T'HH:mm:sszzz", System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal)
            .Replace("{validUntil}", now.AddDays(1).ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal);
        return JsonNode.Parse(text)!;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var officer in Officers)
        {
            await officer.DisposeAsync();
        }

        foreach (var card in new[] { Physician, Pharmacist, RetailPharmacist })
        {
            if (card is not null)
            {
                await card.DisposeAsync();
            }
        }
    }

    private ECDsa ClientKey(string clientId)
    {
        var file = Path.Combine(_keys, clientId + ".pem");
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        if (File.Exists(file))
        {
            key.ImportFromPem(File.ReadAllText(file));
        }
        else
        {
            using var stream = new FileStream(file, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
            stream.Write(System.Text.Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem()));
        }

        return key;
    }
}

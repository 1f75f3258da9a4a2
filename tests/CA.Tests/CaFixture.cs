using System.Net.Http.Json;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Trust.CA.Enrolment;
using Trust.CA.Persons;
using Trust.CA.Registry;
using Trust.CA.Tests.Persons;
using Trust.Cli.Local;
using Trust.Crypto.Asn1;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat.Index;
using Trust.Pkcs11;
using Trust.TestKit;

[assembly: AssemblyFixture(typeof(Trust.CA.Tests.CaFixture))]

namespace Trust.CA.Tests;

/// <summary>A CA after its ceremony, with three officers' cards; shared by the tests, each of which brings its own people.</summary>
public sealed class CaFixture : IAsyncLifetime
{
    private readonly bool _receipts;
    private readonly bool _ownServer;
    private WebApplication? _ledger;
    private Pkcs11Token? _relayToken;

    public CaFixture() : this(receipts: true)
    {
    }

    private CaFixture(bool receipts, bool ownServer = false, PersonOptions? persons = null) => (_receipts, _ownServer, Persons) = (receipts, ownServer, persons ?? new());

    /// <summary>Who gives people their identifiers, from the next start on.</summary>
    internal PersonOptions Persons { get; set; }

    /// <summary>What answers in another region's ca's place.</summary>
    internal RegistrarStandIn Registrar { get; } = new();

    public string Directory { get; } = Scratch.Directory("ca");

    public string Public => Path.Combine(Directory, "public");

    /// <summary>What issues access tokens in the provider's place.</summary>
    public IssuerStandIn Issuer { get; } = new("https://idp.example");

    public TestDatabase Database { get; private set; } = null!;

    public TokenFaults Faults { get; private set; } = null!;

    /// <summary>What answers in the ledger's place.</summary>
    public LedgerStandIn Ledger { get; } = new("ca");

    public List<OfficerCard> Officers { get; } = [];

    public Uri Main { get; } = new($"https://127.0.0.1:{PostgresCluster.FreePort()}");

    public Uri OfficersUrl { get; } = new($"https://127.0.0.1:{PostgresCluster.FreePort()}");

    public Uri PublicUrl { get; } = new($"http://127.0.0.1:{PostgresCluster.FreePort()}");

    public string Config => Path.Combine(Directory, "ca.json");

    public string CeremonyFile => Path.Combine(Directory, "ceremony.json");

    internal WebApplication App { get; private set; } = null!;

    private ECDsa PeerKey { get; } = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    /// <summary>The service's token.</summary>
    internal TokenOptions TokenOptions => Token;

    private TokenOptions Token { get; set; } = null!;

    private TokenOptions Root { get; set; } = null!;

    /// <summary>A CA of a test's own; without receipts the ledger went away once the CA had compared its head with it.</summary>
    public static async Task<CaFixture> Own(bool receipts = true, bool ownServer = false, PersonOptions? persons = null)
    {
        var fixture = new CaFixture(receipts, ownServer, persons);
        await fixture.InitializeAsync();
        return fixture;
    }

    public async ValueTask InitializeAsync()
    {
        Database = _ownServer
            ? await TestDatabase.OnOwnServer("ca", typeof(Program).Assembly)
            : await TestDatabase.Create("ca", typeof(Program).Assembly);
        System.IO.Directory.CreateDirectory(Public);
        (Token, Root) = (Tokens.NewOptions("ca"), Tokens.NewOptions("root"));
        Faults = FaultyModule.For(Token.TokenLabel);
        await StartLedger();
        WriteConfig();
        Assert.Equal(0, await ServiceHost.Run(["provision", "--config", Config], Program.Service));
        foreach (var name in new[] { "王建国", "李秀英", "张伟" })
        {
            Officers.Add(await OfficerCard.Make(name, Directory));
        }

        WriteServiceRequest("idp", PeerKey);
        WriteCeremony();
        Assert.Equal(0, await Ceremony());
        foreach (var officer in Officers)
        {
            await officer.Load();
        }

        await Start();
    }

    public Task<int> Ceremony(string? file = null) => ServiceHost.Run(
        ["ceremony", "--config", Config, "--file", file ?? CeremonyFile, "--root-token-pin-file", Root.PinFile], Program.Service);

    /// <summary>Starts the service over the same database and token, and waits until it may vouch for what it knows.</summary>
    public async Task Start()
    {
        await Begin();
        await Eventually.Holds(() => App.Services.GetRequiredService<OutboxState>().HeadCompared, "the head is compared with the ledger's");
        Ledger.Away = !_receipts;
    }

    /// <summary>Starts the service and waits for nothing.</summary>
    public async Task Begin()
    {
        var token = await FaultyModule.Open(Token);
        // Batches are signed by the same token without its faults: those strike what a test does, not the events of what it did before.
        var relayToken = _relayToken = await Pkcs11Token.Open(Token, TimeProvider.System, CancellationToken.None);
        var service = Program.Service with
        {
            Configure = builder =>
            {
                Program.Service.Configure(builder);
                builder.Services.AddSingleton<IToken>(token);
                builder.Services.AddSingleton(p => ActivatorUtilities.CreateInstance<Relay>(p, relayToken));
            },
        };
        App = ServiceHost.Build(["run", "--config", Config], service);
        await App.StartAsync();
    }

    public async Task Stop()
    {
        await App.StopAsync();
        await App.DisposeAsync();
        await _relayToken!.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Stop();
        await _ledger!.StopAsync();
        await _ledger.DisposeAsync();
        foreach (var officer in Officers)
        {
            await officer.DisposeAsync();
        }

        PeerKey.Dispose();
        Issuer.Dispose();
        await Database.DisposeAsync();
    }

    /// <summary>A client that proves to be the service idp.</summary>
    public HttpClient Peer()
    {
        var pem = File.ReadAllText(Path.Combine(Directory, "idp", "tls", "certificate.pem"));
        using var leaf = X509Certificate2.CreateFromPem(pem);
        using var withKey = leaf.CopyWithPrivateKey(PeerKey);
        return Client(Main, X509CertificateLoader.LoadPkcs12(withKey.Export(X509ContentType.Pkcs12), null));
    }

    /// <summary>A client with an access token and nothing else.</summary>
    public HttpClient Bearer(string token)
    {
        var client = Client(Main, null);
        client.DefaultRequestHeaders.Authorization = new("Bearer", token);
        return client;
    }

    /// <summary>A regulator's system of a region.</summary>
    public HttpClient Regulator(string region = "510000", string scope = "registry.read") =>
        Bearer(Issuer.OfSystem("regulator-" + region, scope, Main.ToString(), "regulator", null, region));

    public HttpClient Officer(int index) => Client(OfficersUrl, Officers[index].Login);

    public HttpClient Anyone() => new() { BaseAddress = PublicUrl };

    /// <summary>Imports rows as the first officer; the second confirms what waits for her. What became of each row in the end.</summary>
    public async Task<IReadOnlyList<ImportResult>> Import(ImportRequest rows)
    {
        var (results, proposal) = await Propose(rows);
        if (proposal is null)
        {
            return results;
        }

        using var response = await ConfirmImport(1, proposal.Id, proposal.Sha256);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        var confirmed = (await response.Content.ReadFromJsonAsync(CaJson.Default.ImportResponse))!.Results.ToDictionary(r => (r.Kind, r.Row));
        return [.. results.Select(r => r.Result is "proposed" ? confirmed[(r.Kind, r.Row)] : r)];
    }

    /// <summary>Imports rows as one officer alone.</summary>
    public async Task<ImportResponse> Propose(ImportRequest rows, int officer = 0)
    {
        using var client = Officer(officer);
        using var response = await client.Post("/registry/imports", rows, CaJson.Default.ImportRequest);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        return (await response.Content.ReadFromJsonAsync(CaJson.Default.ImportResponse))!;
    }

    /// <summary>An officer's confirmation of an import that waits.</summary>
    public async Task<HttpResponseMessage> ConfirmImport(int officer, Guid id, string sha256)
    {
        using var client = Officer(officer);
        return await client.Post($"/registry/imports/{id}/confirmations", new ImportConfirmation(sha256), CaJson.Default.ImportConfirmation);
    }

    /// <summary>A new doctor or other practitioner at a new institution, filed for online practice.</summary>
    public async Task<(string Person, string Institution, string Name)> NewPractitioner(
        string role = "physician", string institutionKind = "hospital", bool filed = true)
    {
        var institution = Samples.Institution(institutionKind);
        var practitioner = Samples.Practitioner(role);
        var from = DateTimeOffset.UtcNow.AddDays(-400);
        var reference = $"{role}:{practitioner.LicenceNumber}";
        var results = await Import(new ImportRequest(
            [institution], [practitioner], [new AffiliationRow(reference, institution.CreditCode, "main", from)],
            filed ? [new FilingRow(reference, institution.CreditCode, "BA-1", from)] : null));
        Assert.All(results, r => Assert.Equal("created", r.Result));
        return (results[1].Urn!, results[0].Urn!, practitioner.Name);
    }

    /// <summary>Requests as the first officer; the other two approve.</summary>
    public async Task<(Guid Id, X509Certificate2 Certificate)> Enrol(string profile, string holder, string name, SoftwareKey key, string? institution = null)
    {
        var created = await Request(await Samples.Request(profile, holder, name, key, institution));
        var first = await Approve(1, created);
        Assert.Equal("pending", first.State);
        var second = await Approve(2, created);
        Assert.Equal("issued", second.State);
        return (created.Id, X509Certificate2.CreateFromPem(second.Certificates));
    }

    public async Task<CertificateRequestCreated> Request(CertificateRequestBody body, int officer = 0)
    {
        using var client = Officer(officer);
        using var response = await client.Post("/certificate-requests", body, CaJson.Default.CertificateRequestBody);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        return (await response.Content.ReadFromJsonAsync(CaJson.Default.CertificateRequestCreated))!;
    }

    public async Task<RequestState> Approve(int officer, CertificateRequestCreated request)
    {
        using var client = Officer(officer);
        using var response = await client.Post(
            $"/certificate-requests/{request.Id}/approvals", await Officers[officer].Approval(request.Approval), CaJson.Default.ApprovalBody);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        return (await response.Content.ReadFromJsonAsync(CaJson.Default.RequestState))!;
    }

    /// <summary>A client with any certificate, or none.</summary>
    public static HttpClient Client(Uri address, X509Certificate2? certificate) => new(new SocketsHttpHandler
    {
        SslOptions = new SslClientAuthenticationOptions
        {
            ClientCertificateContext = certificate is null ? null : SslStreamCertificateContext.Create(certificate, null, offline: true),
            RemoteCertificateValidationCallback = (_, _, _, _) => true,
            CertificateChainPolicy = new X509ChainPolicy { RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true },
        },
    })
    {
        BaseAddress = address,
        Timeout = TimeSpan.FromSeconds(30),
    };

    internal void WriteConfig()
    {
        var database = Database.Options;
        File.WriteAllText(Config, JsonSerializer.Serialize(new
        {
            Service = new { Region = "510000", Node = "ca-1", PublicDirectory = Public, DataDirectory = Path.Combine(Directory, "ca") },
            Listen = new
            {
                Main = new { Url = Main.ToString(), ClientCertificate = "Peer" },
                Officers = new { Url = OfficersUrl.ToString(), ClientCertificate = "Card" },
                Public = new { Url = PublicUrl.ToString() },
            },
            Database = new { database.ConnectionString, database.PasswordFile, database.OwnerUsername, database.OwnerPasswordFile, database.Schema, database.Region },
            Token = new { Token.ModulePath, Token.TokenLabel, Token.PinFile, Region = "510000" },
            Peers = new[] { "ledger", "idp", RegistrarStandIn.Name }.Select(name => new { Name = name, Address = _ledger!.Urls.First(), Region = "510000" }),
            Tokens = new { Issuer = "https://idp.example", Audience = Main.ToString() },
            Ledger = new { Peer = "ledger" },
            // Every test calls with the same three cards.
            RateLimits = new { Card = 0 },
            Ca = new
            {
                PublicBaseUrl = PublicUrl.ToString(), RootTokenLabel = Root.TokenLabel, AllowSoftwareSm2 = true, ResumeAfter = "00:00:01", Persons,
            },
        }));
        TestDeclaration.Write(Config, Program.Service);
    }

    private void WriteServiceRequest(string name, ECDsa key)
    {
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name + ".trust.internal");
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        var request = new CertificateRequest("CN=" + name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(names.Build());
        var directory = Path.Combine(Directory, name, "tls");
        System.IO.Directory.CreateDirectory(directory);
        File.WriteAllBytes(Path.Combine(directory, "request.p10"), request.CreateSigningRequest());
    }

    private void WriteCeremony() => File.WriteAllText(CeremonyFile, JsonSerializer.Serialize(new
    {
        version = 1,
        organization = "Trust Test",
        officers = Officers.Select((o, i) => new
        {
            name = o.Name, identityType = "resident-id", identityNumber = Samples.IdentityNumber(900 + i), region = "510000",
            authenticationRequest = o.Path("authentication.p10"), signatureRequest = o.Path("signature.p10"),
            authenticationCertificate = o.Path("authentication.pem"), signatureCertificate = o.Path("signature.pem"),
        }).ToArray(),
        services = new[] { "ca", "idp" }.Select(s => new { name = s, request = $"{s}/tls/request.p10", certificate = $"{s}/tls/certificate.pem" }).ToArray(),
        sources = new[] { new { name = "ca", key = "public/ca-batch.spki" } },
    }));

    private async Task StartLedger()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        _ledger = builder.Build();
        Ledger.Map(_ledger);
        Issuer.Map(_ledger);
        Registrar.Map(_ledger);
        await _ledger.StartAsync();
    }
}

using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Trust.Crypto.Asn1;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;
using Trust.LogFormat.Index;
using Trust.Pkcs11;
using Trust.SignService.Keys;
using Trust.SignService.Signatures;
using Trust.TestKit;

namespace Trust.SignService.Tests;

/// <summary>The real signing service in this process: own database, own SoftHSM token behind a faulty module, own roots.</summary>
internal sealed class SignRig : IAsyncDisposable
{
    public const string Doctor = "urn:mdid:p:01J9ZZZZZZZZZZZZZZZZZZZZD1";
    public const string Pharmacist = "urn:mdid:p:01J9ZZZZZZZZZZZZZZZZZZZZP2";
    public const string Hospital = "urn:mdid:o:01J9ZZZZZZZZZZZZZZZZZZZZH1";
    public const string Pharmacy = "urn:mdid:o:01J9ZZZZZZZZZZZZZZZZZZZZF1";
    private const string Audience = "https://sign.example";

    private readonly string directory = Scratch.Directory("sign");
    private readonly TestDatabase database;
    private WebApplication? app;
    private DyingService? process;
    private IToken? token;
    private string? config;
    private CapturedLog? log;

    private SignRig(TestDatabase database, PeerStandIn peers)
    {
        this.database = database;
        Peers = peers;
    }

    public PeerStandIn Peers { get; }

    public TestDatabase Database => database;

    public SampleAuthority Root { get; private set; } = null!;

    public SampleAuthority Practitioners { get; private set; } = null!;

    public SampleAuthority Institutions { get; private set; } = null!;

    public SampleAuthority Services { get; private set; } = null!;

    public Card DoctorCard { get; private set; } = null!;

    public Card PharmacistCard { get; private set; } = null!;

    public TokenFaults Faults { get; private set; } = null!;

    public HttpClient Client { get; private set; } = null!;

    public Uri Address { get; private set; } = null!;

    public IServiceProvider Parts => app!.Services;

    public CommitPoints Points => Parts.GetRequiredService<CommitPoints>();

    public string PublicFolder => Public;

    private string Public => Path.Combine(directory, "public");

    private string Data => Path.Combine(directory, "data");

    public static async Task<SignRig> Start(bool withSeal = true, Action<JsonNode>? settings = null, bool ownServer = false, CapturedLog? log = null)
    {
        var assembly = typeof(Program).Assembly;
        var made = ownServer ? await TestDatabase.OnOwnServer("sign", assembly) : await TestDatabase.Create("sign", assembly);
        var rig = new SignRig(made, await PeerStandIn.Start());
        await rig.MakeAuthorities();
        var (token, faults) = await FaultyTokens.NewToken("sign");
        (rig.token, rig.Faults, rig.log) = (token, faults, log);
        await rig.Boot(token, settings);
        if (withSeal)
        {
            await rig.CertifySeal();
        }

        return rig;
    }

    /// <summary>The same service as a process of its own, to be killed; without seal and without faulty module.</summary>
    public static async Task<SignRig> StartProcess()
    {
        var rig = new SignRig(await TestDatabase.Create("sign", typeof(Program).Assembly), await PeerStandIn.Start());
        await rig.MakeAuthorities();
        rig.config = await rig.Configure(null, Tokens.NewOptions("sign"));
        await using (var setup = ServiceHost.Build(["run", "--config", rig.config], Program.Service))
        {
            await setup.Services.GetRequiredService<IToken>().Generate(new KeyRef("batch"), KeyAlgorithm.EcdsaP256, CancellationToken.None);
            await Program.Service.Provision!(setup.Services, CancellationToken.None);
        }

        await rig.CertifyTimeStamp();
        rig.Client = new HttpClient(Handler(null)) { BaseAddress = rig.Address };
        await rig.Restart();
        return rig;
    }

    /// <summary>kill -9.</summary>
    public void Kill() => process!.Dispose();

    /// <summary>Waits until the process has killed itself.</summary>
    public Task Died() => process!.Died();

    /// <summary>Starts the process again, to die at a commit point if one is named.</summary>
    public async Task Restart(string? dieAt = null, bool ledger = true)
    {
        process?.Dispose();
        process = DyingService.Start(typeof(SignRig).Assembly, config!, dieAt);
        await process.Answers(async () => await LedgerAnswers() || !ledger);
    }

    /// <summary>Whether the service reaches the ledger.</summary>
    public async Task<bool> LedgerAnswers()
    {
        using var answer = await Client.GetAsync("/health/ready");
        return (await answer.Content.ReadAsStringAsync()).Contains("\"ledger\":{\"ready\":true", StringComparison.Ordinal);
    }

    /// <summary>A POST with a token, an idempotency key and JSON.</summary>
    public async Task<HttpResponseMessage> Post(string path, string token, object? body = null, string? key = null, string? raw = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        request.Headers.Add("Idempotency-Key", key ?? Guid.NewGuid().ToString());
        request.Content = raw is not null ? new StringContent(raw, Encoding.UTF8, "application/json") : body is null ? null : JsonContent.Create(body);
        return await Client.SendAsync(request);
    }

    public async Task<HttpResponseMessage> Get(string path, string token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return await Client.SendAsync(request);
    }

    public string DoctorToken(string subject = Doctor) => Peers.Token(subject, "rx.sign rx.read", "physician", Hospital, Audience);

    public string PharmacistToken(string subject = Pharmacist) => Peers.Token(subject, "rx.review rx.read", "pharmacist", Hospital, Audience);

    public string SealToken(string institution = Hospital) => Peers.Token("hospital-system", "seal", null, institution, Audience);

    public string PharmacyToken(string pharmacy = Pharmacy, string scope = "rx.claim rx.dispense rx.read validate") =>
        Peers.Token("pharmacy-system", scope, null, pharmacy, Audience);

    public Task<HttpResponseMessage> Prepare(JsonObject? bundle = null, Card? card = null, string? token = null) => Post(
        "/prescriptions", token ?? DoctorToken(),
        new JsonObject { ["bundle"] = bundle ?? SamplePrescription.Bundle(Doctor, Hospital), ["certificate"] = Convert.ToBase64String((card ?? DoctorCard).Signature.Der.Span) });

    /// <summary>Prepares and answers what to sign.</summary>
    public async Task<(Guid Id, byte[] ToBeSigned, JsonElement Body)> Prepared(JsonObject? bundle = null)
    {
        var body = await Read(await Prepare(bundle), 201);
        return (body.GetProperty("id").GetGuid(), body.GetProperty("toBeSigned").GetBytesFromBase64(), body);
    }

    public async Task<Guid> Signed(JsonObject? bundle = null)
    {
        var (id, bytes, _) = await Prepared(bundle);
        await Read(await Post($"/prescriptions/{id}/signature", DoctorToken(), new { signature = DoctorCard.Sign(bytes) }), 200);
        return id;
    }

    public async Task<Guid> Released(JsonObject? bundle = null)
    {
        var (id, status) = await Reviewed(bundle);
        Assert.Equal("released", status);
        return id;
    }

    /// <summary>Signed and countersigned; released too when the seal is ready.</summary>
    public async Task<(Guid Id, string? Status)> Reviewed(JsonObject? bundle = null)
    {
        var id = await Signed(bundle);
        var prepared = await Read(await Post($"/prescriptions/{id}/review", PharmacistToken(), new { decision = "approve", certificate = PharmacistCard.Signature.Der.ToArray() }), 200);
        var signature = PharmacistCard.Sign(prepared.GetProperty("toBeSigned").GetBytesFromBase64());
        var done = await Read(await Post($"/prescriptions/{id}/review/signature", PharmacistToken(), new { signature }), 200);
        return (id, done.GetProperty("status").GetString());
    }

    public static async Task<JsonElement> Read(HttpResponseMessage answer, int status)
    {
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True((int)answer.StatusCode == status, $"{(int)answer.StatusCode} instead of {status}: {text}");
        return JsonElement.Parse(text.Length == 0 ? "{}" : text);
    }

    /// <summary>Asserts a problem of that name.</summary>
    public static async Task Refused(HttpResponseMessage answer, string rule, int status)
    {
        var body = await Read(answer, status);
        Assert.Equal("urn:trust:problem:sign:" + rule, body.GetProperty("type").GetString());
    }

    public async Task<JsonElement> Evidence(Guid id)
    {
        using var handler = Handler(await TlsIdentity("ledger"));
        using var client = new HttpClient(handler) { BaseAddress = Address };
        return await Read(await client.GetAsync($"/prescriptions/{id}/evidence"), 200);
    }

    /// <summary>A request by the ledger.</summary>
    public async Task<HttpResponseMessage> AsLedger(HttpMethod method, string path, HttpContent? content = null)
    {
        using var handler = Handler(await TlsIdentity("ledger"));
        using var client = new HttpClient(handler) { BaseAddress = Address };
        using var request = new HttpRequestMessage(method, path) { Content = content };
        return await client.SendAsync(request);
    }

    /// <summary>The ledger asks that a patient be shredded.</summary>
    public async Task<JsonElement> Shred(Guid id, string patientKey, int status = 200) =>
        await Read(await AsLedger(HttpMethod.Put, $"/shreddings/{id}", JsonContent.Create(new { subject = patientKey })), status);

    /// <summary>How a request by the ledger for a prescription's signed material is answered.</summary>
    public async Task<int> EvidenceStatus(Guid id)
    {
        using var answer = await AsLedger(HttpMethod.Get, $"/prescriptions/{id}/evidence");
        return (int)answer.StatusCode;
    }

    public async Task<string?> StatusOf(Guid id)
    {
        await using var command = database.Owner.CreateCommand("SELECT status FROM prescriptions WHERE id = $1");
        command.Parameters.AddWithValue(id);
        return (string?)await command.ExecuteScalarAsync();
    }

    public async Task<long> Count(string sql)
    {
        await using var command = database.Owner.CreateCommand(sql);
        return (long)(await command.ExecuteScalarAsync())!;
    }

    public async Task CertifySeal()
    {
        var pkcs10 = await SealRequest();
        var request = Assert.IsType<RequestOutcome.Proved>(CertificationRequest.Read(pkcs10)).Request;
        var certificate = await Institutions.IssueLeaf(
            "示例市人民医院", request.Key.SubjectPublicKeyInfo, DateTimeOffset.UtcNow, KeyUsages.NonRepudiation,
            CertificateExtension.ExtendedKeyUsage(critical: false, Oids.DocumentSigning), CertificateExtension.SubjectAltName(new GeneralName.Uri(Hospital)));
        Peers.Issued[certificate.Sha256Hex] = new IssuedCertificate("institution-seal", Hospital);
        using var answer = await PutSeal(certificate.ToPem() + Institutions.Certificate.ToPem());
        Assert.Equal(204, (int)answer.StatusCode);
    }

    /// <summary>The seal's PKCS#10, as the hospital's system gets it.</summary>
    public async Task<byte[]> SealRequest()
    {
        using var answer = await Get($"/seals/{Hospital}/request", SealToken());
        Assert.Equal(200, (int)answer.StatusCode);
        return await answer.Content.ReadAsByteArrayAsync();
    }

    /// <summary>Brings a certificate for the hospital's seal.</summary>
    public async Task<HttpResponseMessage> PutSeal(string chain, string? token = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, $"/seals/{Hospital}/certificate") { Content = JsonContent.Create(new { chain }) };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token ?? SealToken());
        return await Client.SendAsync(request);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        if (app is not null)
        {
            await app.StopAsync();
            await app.DisposeAsync();
        }

        process?.Dispose();
        if (token is not null)
        {
            await token.DisposeAsync();
        }

        await Peers.DisposeAsync();
        await database.DisposeAsync();
    }

    private async Task MakeAuthorities()
    {
        Directory.CreateDirectory(Public);
        Directory.CreateDirectory(Path.Combine(Data, "tls"));
        var now = DateTimeOffset.UtcNow;
        Root = await SampleAuthority.Root(PublicKeyKind.P256, now);
        Practitioners = await Root.Subordinate("Practitioner issuing", now);
        Institutions = await Root.Subordinate("Institution issuing", now);
        Services = await Root.Subordinate("Service issuing", now);
        foreach (var (name, authority) in new[] { ("root", Root), ("practitioner-issuing", Practitioners), ("institution-issuing", Institutions), ("service-issuing", Services) })
        {
            await File.WriteAllTextAsync(Path.Combine(Public, name + ".pem"), authority.Certificate.ToPem());
        }

        await File.WriteAllBytesAsync(Path.Combine(Public, "entitlement.spki"), Peers.EntitlementSpki);
        DoctorCard = await Card.Issue(Practitioners, Doctor);
        PharmacistCard = await Card.Issue(Practitioners, Pharmacist);
        Peers.Issued[DoctorCard.Signature.Sha256Hex] = new IssuedCertificate("practitioner-signature", Doctor);
        Peers.Issued[PharmacistCard.Signature.Sha256Hex] = new IssuedCertificate("practitioner-signature", Pharmacist);
    }

    private async Task<string> Configure(Action<JsonNode>? change, TokenOptions? own = null)
    {
        using (var identity = await TlsIdentity("sign"))
        {
            await File.WriteAllTextAsync(Path.Combine(Data, "tls", "key.pem"), identity.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
            await File.WriteAllTextAsync(Path.Combine(Data, "tls", "certificate.pem"), identity.ExportCertificatePem() + "\n" + Services.Certificate.ToPem());
        }

        Address = new Uri($"https://127.0.0.1:{Trust.Cli.Local.PostgresCluster.FreePort()}");
        var file = Path.Combine(directory, "sign.json");
        var o = database.Options;
        var settings = JsonSerializer.SerializeToNode(new
        {
            Service = new { Region = "510000", Node = "sign-1", PublicDirectory = Public, DataDirectory = Data },
            Listen = new { Main = new { Url = Address.ToString(), ClientCertificate = "Peer" } },
            Database = new { o.ConnectionString, o.PasswordFile, o.OwnerUsername, o.OwnerPasswordFile, o.Schema, o.Region },
            Peers = new[] { "idp", "ca", "ledger" }.Select(n => new { Name = n, Address = Peers.Address.ToString(), Region = "510000" }),
            Ledger = new { ConfirmWithin = "00:00:03" },
            Tokens = new { Issuer = "https://idp.example", Audience },
            SignService = new { PrepareLifetime = "00:05:00" },
        })!;
        if (own is not null)
        {
            settings["Token"] = JsonSerializer.SerializeToNode(new { own.ModulePath, own.TokenLabel, own.PinFile, own.Sessions, Region = "510000" });
        }

        change?.Invoke(settings);
        await File.WriteAllTextAsync(file, settings.ToJsonString());
        TestDeclaration.Write(file, Program.Service);
        return file;
    }

    private async Task Boot(IToken held, Action<JsonNode>? settings)
    {
        var file = await Configure(settings);
        app = ServiceHost.Build(["run", "--config", file], Program.Service with
        {
            Configure = builder =>
            {
                Program.Service.Configure(builder);
                builder.Services.AddSingleton(held);
                // Tests name every event of an act in its order: by which declaration it started is told in the end-to-end suite.
                builder.Services.AddSingleton(p => new ResidencyWatch(p.GetRequiredService<ResidencyGate>(), p.GetRequiredService<ServiceDefinition>(), new ServiceCollection().BuildServiceProvider()));
                builder.Logging.ClearProviders();
                if (log is not null)
                {
                    builder.Logging.AddProvider(log);
                }
            },
        });
        if (await held.Find(new KeyRef("batch"), CancellationToken.None) is null)
        {
            await held.Generate(new KeyRef("batch"), KeyAlgorithm.EcdsaP256, CancellationToken.None);
        }

        await Program.Service.Provision!(app.Services, CancellationToken.None);
        await CertifyTimeStamp();
        await app.StartAsync();
        Client = new HttpClient(Handler(null)) { BaseAddress = Address };
        await Eventually.Holds(() => Parts.GetRequiredService<OutboxState>().LedgerReached == true, "the ledger is reached");
    }

    /// <summary>Another certificate of the time-stamping key is put in the place of the one in use.</summary>
    public Task RenewTimeStamp() => CertifyTimeStamp();

    private async Task CertifyTimeStamp()
    {
        var folder = Path.Combine(Data, "tsa");
        var request = Assert.IsType<RequestOutcome.Proved>(CertificationRequest.Read(await File.ReadAllBytesAsync(Path.Combine(folder, "request.p10")))).Request;
        var certificate = await Institutions.IssueLeaf(
            "TSA", request.Key.SubjectPublicKeyInfo, DateTimeOffset.UtcNow, KeyUsages.DigitalSignature,
            CertificateExtension.ExtendedKeyUsage(critical: true, Oids.TimeStamping));
        await File.WriteAllTextAsync(Path.Combine(folder, "certificate.pem"), certificate.ToPem() + Institutions.Certificate.ToPem());
    }

    private async Task<X509Certificate2> TlsIdentity(string service)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var certificate = await Services.IssueLeaf(
            service, key.ExportSubjectPublicKeyInfo(), DateTimeOffset.UtcNow, KeyUsages.DigitalSignature,
            CertificateExtension.ExtendedKeyUsage(critical: false, Oids.ServerAuth, Oids.ClientAuth),
            CertificateExtension.SubjectAltName(new GeneralName.Dns(service + ".trust.internal"), new GeneralName.Ip(new byte[] { 127, 0, 0, 1 })));
        using var bare = X509CertificateLoader.LoadCertificate(certificate.Der.Span);
        using var withKey = bare.CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(withKey.Export(X509ContentType.Pkcs12), null, X509KeyStorageFlags.Exportable);
    }

    private static SocketsHttpHandler Handler(X509Certificate2? identity)
    {
        var handler = new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true } };
        if (identity is not null)
        {
            handler.SslOptions.ClientCertificates = [identity];
        }

        return handler;
    }
}

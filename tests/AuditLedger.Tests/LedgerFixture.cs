using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Trust.AuditLedger.Entries;
using Trust.Cli.Local;
using Trust.Kernel.Hosting;
using Trust.Kernel.LockStore;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.LogFormat;
using Trust.LogFormat.Index;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests;

/// <summary>A ledger of its own: database, token, lock store, TLS, and keys of its sources.</summary>
public sealed class LedgerFixture : IAsyncDisposable
{
    private static readonly string[] SourceNames = ["ca", "idp", "sign", "ledger"];

    private readonly Dictionary<string, ECDsa> _batchKeys = new(StringComparer.Ordinal);
    private readonly List<ECDsa> _givenUp = [];
    private readonly Dictionary<string, X509Certificate2> _certificates = new(StringComparer.Ordinal);
    private readonly List<HttpClient> _clients = [];
    private X509Certificate2 _issuer = null!;

    private LedgerFixture(string directory, TestDatabase database)
    {
        Directory = directory;
        Database = database;
    }

    public string Directory { get; }

    public TestDatabase Database { get; }

    public string Public => Path.Combine(Directory, "public");

    public string LockStore => Path.Combine(Directory, "lock");

    /// <summary>Whose access tokens the ledger accepts; set before it starts.</summary>
    public TokenIssuer? Tokens { get; set; }

    /// <summary>Folder of the mirror; null for none.</summary>
    public string? Mirror { get; set; }

    /// <summary>Months by class.</summary>
    public Dictionary<string, int> Retention { get; } = new(StringComparer.Ordinal) { ["ACCESS"] = 6, ["TREATMENT"] = 6 };

    public const string Origin = "ledger.example/510000";

    /// <summary>Witnesses that a ledger started from now on asks.</summary>
    public List<(string Peer, Uri Address, string VKeyFile)> Witnesses { get; } = [];

    /// <summary>Configuration section <c>Anchoring</c>.</summary>
    public object? Anchoring { get; set; }

    /// <summary>Where the next ledger listens; a free port when not set.</summary>
    public Uri? Address { get; set; }

    /// <summary>Configuration section <c>Evidence</c>.</summary>
    public object? Evidence { get; set; }

    /// <summary>Configuration section <c>Standbys</c>.</summary>
    public object? Standbys { get; set; }

    /// <summary>Whether other services are told when a patient is shredded.</summary>
    public bool ShredElsewhere { get; set; }

    /// <summary>Peers beside ledger, sign and the witnesses.</summary>
    public List<(string Name, Uri Address)> MorePeers { get; } = [];

    /// <summary>Bytes of batches inside at once.</summary>
    public long QueueBytes { get; set; } = 64 * 1024 * 1024;

    /// <summary>Whether checkpoints are shown without a quorum after two seconds.</summary>
    public bool FailOpen { get; set; }

    /// <summary>How many of them must cosign.</summary>
    public int Quorum { get; set; }

    /// <summary>How long a quorum may fail to come.</summary>
    public string Patience { get; set; } = "00:00:02";

    /// <summary>Entries of a volume of the subject index.</summary>
    public int VolumeSize { get; set; } = 1 << 24;

    public static async Task<LedgerFixture> Create(TestDatabase? database = null)
    {
        var fixture = new LedgerFixture(Scratch.Directory("ledger"), database ?? await TestDatabase.Create("ledger", typeof(Program).Assembly));
        System.IO.Directory.CreateDirectory(fixture.Public);
        fixture.MakeIssuer();
        foreach (var source in SourceNames)
        {
            var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            fixture._batchKeys[source] = key;
            await File.WriteAllBytesAsync(Path.Combine(fixture.Public, source + "-batch.spki"), key.ExportSubjectPublicKeyInfo());
        }

        return fixture;
    }

    /// <summary>Writes a configuration for one process and returns its file and address.</summary>
    public (string Config, Uri Address) Configure(string node, TokenOptions token, Uri? sign = null)
    {
        var data = Path.Combine(Directory, node);
        WriteTls(data, "ledger");
        var address = Address ?? new Uri($"https://127.0.0.1:{PostgresCluster.FreePort()}");
        var database = Database.Options;
        List<object> peers = [new { Name = "ledger", Address = address.ToString(), Region = "510000" }];
        peers.AddRange(MorePeers.Select(p => new { p.Name, Address = p.Address.ToString(), Region = "510000" }));
        peers.AddRange(Witnesses.Select(w => new { Name = w.Peer, Address = w.Address.ToString(), Region = "510000" }));
        if (Tokens is not null)
        {
            peers.Add(new { Name = "idp", Address = Tokens.Address.ToString(), Region = "510000" });
        }

        if (sign is not null)
        {
            peers.Add(new { Name = "sign", Address = sign.ToString(), Region = "510000" });
        }

        var config = new
        {
            Service = new { Region = "510000", Node = node, PublicDirectory = Public, DataDirectory = data },
            Listen = new { Main = new { Url = address.ToString(), ClientCertificate = "Peer" } },
            Database = new { database.ConnectionString, database.PasswordFile, database.OwnerUsername, database.OwnerPasswordFile, database.Schema, database.Region },
            Token = new { token.ModulePath, token.TokenLabel, token.PinFile, Region = "510000" },
            Peers = peers,
            Ledger = new { Peer = "ledger" },
            Tokens = Tokens is null ? null : new { TokenIssuer.Issuer, TokenIssuer.Audience },
            AuditLedger = new
            {
                Origin,
                LockStoreDirectory = LockStore,
                AllowSoftwareSm2 = true,
                Anchoring = Anchoring ?? new { },
                QueueBytes,
                EpochSize = VolumeSize,
                Evidence = Evidence ?? new { },
                Standbys = Standbys ?? new { },
                Witnessing = new { Witnesses = Witnesses.Select(w => new { w.Peer, w.VKeyFile }).ToArray(), Quorum, FailOpen, Interval = "00:00:00.100", Patience },
                RetentionMonths = Retention,
                ShredElsewhere,
                MirrorDirectory = Mirror,
                Sources = SourceNames.Select(s => new
                {
                    Name = s, BatchKeyFile = Path.Combine(Public, s + "-batch.spki"), EarlierBatchKeyFiles = System.IO.Directory.GetFiles(Public, s + "-batch-*.spki"),
                }).ToArray(),
            },
        };
        var file = Path.Combine(data, "ledger.json");
        File.WriteAllText(file, JsonSerializer.Serialize(config));
        TestDeclaration.Write(file, Program.Service);
        return (file, address);
    }

    /// <summary>A data folder with the TLS identity of a service.</summary>
    public string Tls(string service)
    {
        var data = Path.Combine(Directory, service);
        WriteTls(data, service);
        return data;
    }

    /// <summary>What was alarmed, as the log tells it: the basis of each event <c>LEDGER.alarm</c>.</summary>
    public async Task<List<string>> Alarms()
    {
        await using var owner = Outbound.Database(Database.Options, asOwner: true);
        var alarms = new List<string>();
        foreach (var leaf in await owner.Sql("SELECT leaf FROM entries ORDER BY idx").All(r => r.GetFieldValue<byte[]>(0), default))
        {
            if (EventLeaf.TryRead(leaf, out var e) && JsonSerializer.Deserialize<JsonElement>(e.Body) is var body && body.GetProperty("action").ValueEquals("LEDGER.alarm"))
            {
                alarms.Add(body.GetProperty("basis").GetString()!);
            }
        }

        return alarms;
    }

    /// <summary>The basis of each alarm that the ledger's outbox holds, delivered or not.</summary>
    public async Task<List<string>> AlarmsWaiting()
    {
        var bodies = await Database.Runtime.Sql("SELECT body FROM audit_outbox WHERE action = 'LEDGER.alarm' ORDER BY created_at").All(r => r.GetFieldValue<byte[]>(0), default);
        return [.. bodies.Select(b => JsonSerializer.Deserialize<JsonElement>(b).GetProperty("basis").GetString()!)];
    }

    /// <summary>The newest signed head, as the lock store holds it.</summary>
    public string SignedHead() => new FileLockStore(LockStore).Read();

    /// <summary>Starts a ledger in this process.</summary>
    internal async Task<RunningLedger> Start(TokenOptions token, string node = "ledger-1", LedgerFaults? faults = null, Uri? sign = null, TimeProvider? clock = null, Action<IServiceCollection>? with = null)
    {
        var (config, address) = Configure(node, token, sign);
        var service = Program.Service with
        {
            Configure = builder =>
            {
                Program.Service.Configure(builder);
                // Tests count the log's entries to the last: by which declaration it started is told in the end-to-end suite.
                builder.Services.AddSingleton(p => new ResidencyWatch(p.GetRequiredService<ResidencyGate>(), p.GetRequiredService<ServiceDefinition>(), new ServiceCollection().BuildServiceProvider()));
                if (faults is not null)
                {
                    builder.Services.AddSingleton(faults);
                }

                if (clock is not null)
                {
                    builder.Services.AddSingleton(clock);
                }

                with?.Invoke(builder.Services);
            },
        };
        await ProvisionKeys(config, service);
        var app = ServiceHost.Build(["run", "--config", config], service);
        try
        {
            await app.StartAsync();
        }
        catch (OperationCanceledException) when (app.Lifetime.ApplicationStopping.IsCancellationRequested)
        {
            return new RunningLedger(app, address); // It refused to sign before it listened.
        }

        return new RunningLedger(app, address);
    }

    private async Task ProvisionKeys(string config, ServiceDefinition service)
    {
        await using var setup = ServiceHost.Build(["provision", "--config", config], service);
        var own = setup.Services.GetRequiredService<IToken>();
        var batch = await own.Find(new KeyRef("batch"), default) ?? await own.Generate(new KeyRef("batch"), KeyAlgorithm.EcdsaP256, default);
        await SetBatchKey("ledger", batch.SubjectPublicKeyInfo);
        await Program.Service.Provision!(setup.Services, CancellationToken.None);
    }

    /// <summary>A client that proves to be that service.</summary>
    public HttpClient Client(string source, Uri address)
    {
        var client = new HttpClient(Handler(source)) { BaseAddress = address, Timeout = TimeSpan.FromSeconds(20) };
        client.DefaultRequestHeaders.Accept.Add(new MediaTypeWithQualityHeaderValue("*/*"));
        _clients.Add(client);
        return client;
    }

    /// <summary>Declares another batch key of a source; before the ledger starts.</summary>
    public Task SetBatchKey(string source, ReadOnlyMemory<byte> spki) =>
        File.WriteAllBytesAsync(Path.Combine(Public, source + "-batch.spki"), spki.ToArray());

    /// <summary>Gives a source another batch key, and declares the one before as such; before the ledger starts.</summary>
    /// <returns>The source's producer, which goes on with the new key.</returns>
    public async Task<TestProducer> ChangeBatchKey(TestProducer before)
    {
        var source = before.Source;
        var file = Path.Combine(Public, source + "-batch.spki");
        File.Move(file, Path.Combine(Public, $"{source}-batch-{System.IO.Directory.GetFiles(Public, source + "-batch*.spki").Length}.spki"));
        _givenUp.Add(_batchKeys[source]);
        _batchKeys[source] = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        await SetBatchKey(source, _batchKeys[source].ExportSubjectPublicKeyInfo());
        var producer = Producer(source);
        (producer.Epoch, producer.Seq, producer.Head) = (before.Epoch, before.Seq, before.Head);
        return producer;
    }

    /// <summary>The client's handler alone, to put faults in front of.</summary>
    public HttpMessageHandler Handler(string source) => new SocketsHttpHandler
    {
        SslOptions = { ClientCertificates = [Certificate(source)], RemoteCertificateValidationCallback = (_, _, _, _) => true },
    };

    /// <summary>PEM files of a service's certificate and key, for clients that are not ours.</summary>
    public (string Certificate, string Key) PemFiles(string service)
    {
        var certificate = Certificate(service);
        var (file, key) = (Path.Combine(Directory, service + ".pem"), Path.Combine(Directory, service + ".key"));
        File.WriteAllText(file, certificate.ExportCertificatePem());
        File.WriteAllText(key, certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        return (file, key);
    }

    /// <summary>Declares a witness.</summary>
    public void AddWitness(string peer, Uri address, NoteVerifier key)
    {
        var file = Path.Combine(Public, peer + ".vkey");
        File.WriteAllText(file, key.VKey + "\n");
        Witnesses.Add((peer, address, file));
    }

    /// <summary>Declares a witness that is never there.</summary>
    public void AddAbsentWitness(string peer) =>
        AddWitness(peer, new Uri("https://127.0.0.1:1"), NoteVerifier.Cosigner(peer + ".example", RandomNumberGenerator.GetBytes(32)));

    /// <summary>RFC 6962 hash of an entry's stored bytes.</summary>
    public async Task<byte[]> LeafHash(long index) =>
        MerkleProof.LeafHash((await Database.Runtime.Sql("SELECT leaf FROM entries WHERE idx = $1").With(index).Scalar<byte[]>(default))!);

    /// <summary>A producer with its own chain.</summary>
    public TestProducer Producer(string source) => new(source, _batchKeys[source]);

    public async ValueTask DisposeAsync()
    {
        _clients.ForEach(c => c.Dispose());
        foreach (var key in _batchKeys.Values.Concat(_givenUp))
        {
            key.Dispose();
        }

        foreach (var certificate in _certificates.Values)
        {
            certificate.Dispose();
        }

        _issuer.Dispose();
        await Database.DisposeAsync();
    }

    private void WriteTls(string data, string service)
    {
        var tls = Path.Combine(data, "tls");
        System.IO.Directory.CreateDirectory(tls);
        var certificate = Certificate(service);
        File.WriteAllText(Path.Combine(tls, "key.pem"), certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(Path.Combine(tls, "certificate.pem"), certificate.ExportCertificatePem() + "\n" + _issuer.ExportCertificatePem());
    }

    private void MakeIssuer()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Service issuing (test)", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        _issuer = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddDays(30));
        File.WriteAllText(Path.Combine(Public, "service-issuing.pem"), _issuer.ExportCertificatePem());
    }

    private X509Certificate2 Certificate(string service)
    {
        lock (_certificates)
        {
            if (_certificates.TryGetValue(service, out var known))
            {
                return known;
            }

            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest("CN=" + service, key, HashAlgorithmName.SHA256);
            var names = new SubjectAlternativeNameBuilder();
            names.AddDnsName(service + ".trust.internal");
            names.AddIpAddress(System.Net.IPAddress.Loopback);
            request.CertificateExtensions.Add(names.Build());
            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], false));
            request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
            using var leaf = request.Create(_issuer, DateTimeOffset.UtcNow.AddMinutes(-30), DateTimeOffset.UtcNow.AddDays(6), RandomNumberGenerator.GetBytes(12));
            using var withKey = leaf.CopyWithPrivateKey(key);
            return _certificates[service] = X509CertificateLoader.LoadPkcs12(withKey.Export(X509ContentType.Pkcs12), null, X509KeyStorageFlags.Exportable);
        }
    }
}

using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Trust.Cli.Local;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.LogFormat.Index;
using Trust.TestKit;

namespace Trust.Benchmarks.Ledger;

/// <summary>A ledger for itself alone: private cluster, token and TLS, the real service as a process, and sources whose batch keys we hold.</summary>
internal sealed class BenchLedger : IAsyncDisposable
{
    private const string Region = "510000";
    private const int DefaultVolume = 1 << 24;

    private readonly string _directory;
    private readonly PostgresCluster _cluster;
    private readonly Dictionary<string, ECDsa> _batchKeys = new(StringComparer.Ordinal);
    private readonly List<IDisposable> _owned = [];
    private readonly Uri _address = new($"https://127.0.0.1:{PostgresCluster.FreePort()}");
    private readonly bool _sm2;
    private Pkcs11.TokenOptions _token = null!;
    private ServiceProcess? _process;
    private double _peak;

    private BenchLedger(string directory, PostgresCluster cluster, IReadOnlyList<string> sources, bool sm2)
    {
        _directory = directory;
        _cluster = cluster;
        _sm2 = sm2;
        Sources = sources;
    }

    /// <summary>Names of the sources; <c>ca</c> is first.</summary>
    public IReadOnlyList<string> Sources { get; }

    /// <summary>The ledger's database.</summary>
    public DatabaseOptions Database { get; private set; } = null!;

    /// <summary>A folder for a measurement's own files, on the disk of the ledger's.</summary>
    public string Scratch => Path.Combine(_directory, "scratch");

    private string Public => Path.Combine(_directory, "public");

    /// <summary>Sets everything up and waits until the ledger leads.</summary>
    /// <param name="directory">Empty, reachable by server accounts.</param>
    /// <param name="assembly">Trust.AuditLedger.dll.</param>
    /// <param name="producers">Sources besides <c>ca</c>.</param>
    /// <param name="ct">Cancels the set-up.</param>
    /// <param name="large">
    /// Set up for measuring at scale: without the SM2 line, because its tree under SM3 would first be busy for minutes with what was not posted; and with
    /// shared buffers that hold the tiles and the keys of ten million entries, as docs/OPERATIONS.md wants it.
    /// </param>
    public static async Task<BenchLedger> Start(string directory, string assembly, int producers, CancellationToken ct, bool large = false)
    {
        var cluster = await PostgresCluster.Start(Path.Combine(directory, "postgres"), large ? ["shared_buffers = 1GB"] : [], ct);
        var ledger = new BenchLedger(
            directory, cluster, ["ca", .. Enumerable.Range(1, producers).Select(i => string.Create(CultureInfo.InvariantCulture, $"bench-{i}"))], sm2: !large);
        try
        {
            await ledger.SetUp(assembly, ct);
            return ledger;
        }
        catch
        {
            await ledger.DisposeAsync();
            throw;
        }
    }

    /// <summary>A link that proves to be that source.</summary>
    public LedgerLink Link(string source)
    {
        var options = new ServiceOptions { Region = Region, Node = source, PublicDirectory = Public, DataDirectory = Data(source) };
        var identity = new ServiceIdentity(source, options, TimeProvider.System);
        var peer = new PeerOptions { Name = "ledger", Address = _address, Region = Region };
        var gate = TestDeclaration.Gate(null, peer);
        var outbound = new Outbound([peer], identity, gate, new NameResolver([], gate));
        _owned.Add(outbound);
        _owned.Add(identity);
        return new LedgerLink(outbound.Client("ledger"), source);
    }

    /// <summary>The source's batch key.</summary>
    public ECDsa BatchKey(string source) => _batchKeys[source];

    /// <summary>Starts it again and waits until it leads.</summary>
    /// <param name="patience">Longest wait.</param>
    /// <param name="ct">Cancels the wait.</param>
    /// <param name="volumeSize">Entries of a volume from now on; null as before.</param>
    /// <returns>From the start of the process until it answered as the one that leads.</returns>
    public async Task<TimeSpan> Resume(TimeSpan patience, CancellationToken ct, int? volumeSize = null)
    {
        await Configure(volumeSize, ct);
        var watch = Stopwatch.StartNew();
        _process!.Start();
        await Ready(patience, ct);
        return watch.Elapsed;
    }

    /// <summary>Stops the service as a crash would.</summary>
    public Task Kill(CancellationToken ct)
    {
        _peak = PeakMemory();
        return _process!.Kill(ct);
    }

    /// <summary>Stops the service in order.</summary>
    /// <returns>How long that took.</returns>
    public async Task<TimeSpan> Stop(CancellationToken ct)
    {
        _peak = PeakMemory();
        var watch = Stopwatch.StartNew();
        await _process!.Stop(TimeSpan.FromSeconds(90), ct);
        return watch.Elapsed;
    }

    /// <summary>Largest resident set of the service, of all its processes so far, MiB.</summary>
    public double PeakMemory()
    {
        if (_process!.ProcessId is not { } id)
        {
            return _peak;
        }

        // proc(5): VmHWM is in kB.
        var line = File.ReadLines($"/proc/{id}/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
        return Math.Max(_peak, double.Parse(line[6..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture) / 1024);
    }

    /// <summary>An empty folder for one, which the database server's account can walk down to.</summary>
    public static string NewFolder()
    {
        var directory = Directory.CreateTempSubdirectory("trust-bench-").FullName;
        File.SetUnixFileMode(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        return directory;
    }

    /// <summary>
    /// What the server does by itself in the hours after much was written, so that it does not do it while something is measured: statistics, dead rows,
    /// and all that is not yet on the disk.
    /// </summary>
    public Task Maintain(CancellationToken ct) => _cluster.Sql("ledger", "VACUUM (ANALYZE); CHECKPOINT;", ct);

    /// <summary>Reads all tables and indexes once, so that the system's memory holds them as it does of a server that has run for a while.</summary>
    public Task Warm(CancellationToken ct) => _cluster.Sql(
        "ledger", "CREATE EXTENSION IF NOT EXISTS pg_prewarm; SELECT sum(pg_prewarm(oid, 'read')) FROM pg_class WHERE relkind IN ('r', 'i', 't') AND relpersistence = 'p';", ct);

    /// <summary>Runs the ledger's own check of everything stored.</summary>
    /// <exception cref="CommandFailedException">It found a fault.</exception>
    public Task<string> Fsck(CancellationToken ct) => _process!.Verb("fsck", [], ct);

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await _process.Stop(CancellationToken.None);
        }

        _owned.ForEach(o => o.Dispose());
        foreach (var key in _batchKeys.Values)
        {
            key.Dispose();
        }

        await _cluster.Stop(immediate: true, CancellationToken.None);
    }

    private string Data(string name) => Path.Combine(_directory, "data", name);

    private async Task SetUp(string assembly, CancellationToken ct)
    {
        Directory.CreateDirectory(Public);
        var made = await _cluster.CreateServiceSchema("ledger", "ledger", ct);
        Database = new DatabaseOptions
        {
            ConnectionString = made.ConnectionString, PasswordFile = made.PasswordFile, OwnerUsername = made.OwnerUsername,
            OwnerPasswordFile = made.OwnerPasswordFile, Schema = made.Schema, Region = Region,
        };
        var tokens = Path.Combine(_directory, "token");
        await Installation.InitToken(tokens, "ledger", Path.Combine(tokens, "ledger.pin"), ct);
        _token = new Pkcs11.TokenOptions { ModulePath = SoftHsm.InstalledModule!, TokenLabel = "ledger", PinFile = Path.Combine(tokens, "ledger.pin") };
        using var issuerKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var issuer = Issuer(issuerKey);
        await File.WriteAllTextAsync(Path.Combine(Public, "service-issuing.pem"), issuer.ExportCertificatePem(), ct);
        foreach (var source in Sources)
        {
            var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            _batchKeys[source] = key;
            await File.WriteAllBytesAsync(BatchKeyFile(source), key.ExportSubjectPublicKeyInfo(), ct);
            await WriteIdentity(issuer, source, ct);
        }

        await WriteIdentity(issuer, "ledger", ct);
        await Configure(null, ct);
        _process = new ServiceProcess("ledger", assembly, ConfigurationFile, _directory,
            new Dictionary<string, string>(StringComparer.Ordinal) { ["SOFTHSM2_CONF"] = Path.Combine(tokens, "softhsm2.conf"), ["DOTNET_gcServer"] = "0" });
        await _process.Verb("provision", [], ct);
        _process.Start();
        await Ready(TimeSpan.FromMinutes(1), ct);
    }

    private string ConfigurationFile => Path.Combine(_directory, "ledger.json");

    private async Task Configure(int? volumeSize, CancellationToken ct)
    {
        await File.WriteAllTextAsync(ConfigurationFile, JsonSerializer.Serialize(Configuration(_token, volumeSize ?? DefaultVolume)), ct);
        TestDeclaration.Write(ConfigurationFile, AuditLedger.Program.Service);
    }

    private string BatchKeyFile(string source) => Path.Combine(Public, source + "-batch.spki");

    private object Configuration(Pkcs11.TokenOptions token, int volumeSize) => new
    {
        Service = new { Region, Node = "ledger-1", PublicDirectory = Public, DataDirectory = Data("ledger") },
        Listen = new { Main = new { Url = _address.ToString(), ClientCertificate = "Peer" } },
        Database = new
        {
            Database.ConnectionString, Database.PasswordFile, Database.OwnerUsername, Database.OwnerPasswordFile, Database.Schema, Database.Region,
        },
        Token = new { token.ModulePath, token.TokenLabel, token.PinFile, Region },
        Peers = new[] { new { Name = "ledger", Address = _address.ToString(), Region } },
        Ledger = new { Peer = "ledger" },
        AuditLedger = new
        {
            Origin = "bench.example/" + Region,
            LockStoreDirectory = Path.Combine(_directory, "lock"),
            AllowSoftwareSm2 = _sm2,
            EpochSize = volumeSize,
            // Its own events go through its own intake, as in an installation.
            Sources = Sources.Append("ledger").Select(s => new { Name = s, BatchKeyFile = BatchKeyFile(s) }).ToArray(),
        },
    };

    private async Task Ready(TimeSpan patience, CancellationToken ct)
    {
        var link = Link("ca");
        var began = Stopwatch.GetTimestamp();
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (true)
        {
            try
            {
                await link.Head(ct);
                return;
            }
            catch (HttpRequestException) when (_process!.IsRunning() && Stopwatch.GetElapsedTime(began) < patience)
            {
                await tick.WaitForNextTickAsync(ct);
            }
            catch (HttpRequestException e)
            {
                throw new CommandFailedException($"The ledger does not lead: {e.Message}\n{_process!.Reason()}");
            }
        }
    }

    private static X509Certificate2 Issuer(ECDsa key)
    {
        var request = new CertificateRequest("CN=Bench service issuing", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddHours(-1), now.AddDays(2));
    }

    private async Task WriteIdentity(X509Certificate2 issuer, string service, CancellationToken ct)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=" + service, key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(ServiceIdentity.TlsName(service));
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], false));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        var now = TimeProvider.System.GetUtcNow();
        using var leaf = request.Create(issuer, now.AddMinutes(-30), now.AddDays(1), RandomNumberGenerator.GetBytes(12));
        var tls = Path.Combine(Data(service), "tls");
        Directory.CreateDirectory(tls);
        await File.WriteAllTextAsync(Path.Combine(tls, "key.pem"), key.ExportPkcs8PrivateKeyPem(), ct);
        await File.WriteAllTextAsync(Path.Combine(tls, "request.p10"), "", ct);
        await File.WriteAllTextAsync(Path.Combine(tls, "certificate.pem"), leaf.ExportCertificatePem() + "\n" + issuer.ExportCertificatePem(), ct);
    }
}

using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Trust.Cli.Local;

/// <summary>
/// A whole Trust on this machine: two private clusters (the ledger's alone), a token directory a service, configuration,
/// four services and the ledger's witness. Everything lies below one folder; nothing of the machine's own is touched.
/// </summary>
public sealed partial class Installation
{
    /// <summary>Region of the demonstration: Sichuan.</summary>
    public const string SampleRegion = "510000";

    private const string Witness = "witness";

    // The services, each with a database and a batch key; and every process.
    private static readonly string[] Names = ["idp", "ca", "sign", "ledger"];
    private static readonly string[] Processes = [.. Names, Witness];
    private readonly string _binaries;
    private readonly string _postgres;

    /// <param name="directory">Folder of the installation.</param>
    /// <param name="addresses">Where the services listen.</param>
    /// <param name="repository">Repository with the built services.</param>
    /// <param name="region">GB/T 2260 code of the region that it serves.</param>
    public Installation(string directory, AddressPlan addresses, string repository, string region = SampleRegion)
    {
        Directory = Path.GetFullPath(directory);
        Region = region;
        Addresses = addresses;
        _binaries = repository;
        _postgres = ReachableByServers(Directory);
        Services = Processes.ToDictionary(name => name, Process, StringComparer.Ordinal);
    }

    /// <summary>Folder of the installation.</summary>
    public string Directory { get; }

    /// <summary>The region that it serves.</summary>
    public string Region { get; }

    /// <summary>Where the services listen.</summary>
    public AddressPlan Addresses { get; }

    /// <summary>Token directory of people's cards where installations share one; null for one of its own.</summary>
    public string? Cards { get; init; }

    /// <summary>Whether callers may call as often as they like: a benchmark's come from one address and with few cards.</summary>
    public bool Unlimited { get; init; }

    /// <summary>Adds to a service's configuration, by its name, before it is written.</summary>
    public Action<string, JsonObject>? Extend { get; init; }

    /// <summary>The services and the witness by name.</summary>
    public IReadOnlyDictionary<string, ServiceProcess> Services { get; }

    /// <summary>Public material: roots, issuing certificates, trusted list.</summary>
    public string PublicDirectory => At("public");

    /// <summary>The root certificate, PEM.</summary>
    public string RootFile => Path.Combine(PublicDirectory, "root.pem");

    /// <summary>What `trust verify` judges against.</summary>
    public string TrustedListFile => Path.Combine(PublicDirectory, "trusted-list.json");

    /// <summary>The cluster of idp, ca and sign, once started.</summary>
    public PostgresCluster? Cluster { get; private set; }

    /// <summary>The ledger's own cluster, once started.</summary>
    public PostgresCluster? LedgerCluster { get; private set; }

    private string ReadyMark => At("ready");

    private string DemonstrationMark => At("demonstration");

    /// <summary>True when the demonstration's people and systems are all there.</summary>
    public bool HasDemonstration => File.Exists(DemonstrationMark);

    /// <summary>Remembers that they are.</summary>
    public Task MarkDemonstration(CancellationToken ct) => File.WriteAllTextAsync(DemonstrationMark, "registered\n", ct);

    /// <summary>True when set-up has been completed before.</summary>
    public bool IsSetUp => File.Exists(ReadyMark);

    /// <summary>Makes what is missing and starts everything; a second run only starts.</summary>
    /// <param name="progress">Told each step in plain words.</param>
    /// <param name="ct">Cancels; what runs is left to <see cref="Stop"/>.</param>
    public async Task Start(Action<string> progress, CancellationToken ct)
    {
        await Prepare(progress, ct);
        await Serve(progress, ct);
    }

    /// <summary>Starts the clusters and makes what is missing, ceremony included; no service runs yet.</summary>
    internal async Task Prepare(Action<string> progress, CancellationToken ct)
    {
        System.IO.Directory.CreateDirectory(Directory);
        var fresh = !IsSetUp;
        progress(fresh ? "Setting up two private PostgreSQL clusters" : "Starting the PostgreSQL clusters");
        await StartClusters(ct);
        await WriteConfiguration(ct);
        if (fresh)
        {
            await SetUp(progress, ct);
            await File.WriteAllTextAsync(ReadyMark, "set up\n", ct);
        }
        else if (Processes.Any(HasExpired))
        {
            // Services renew their certificates while they run; what lay still for a week is helped by the same ceremony file.
            progress("Renewing expired service certificates");
            // By a declaration that fits: a cluster that was started on another port is a place that the ceremony may not use yet.
            await DeclareWhatIsNew(ct);
            await Services["ca"].Verb("ceremony", ["--file", At("ceremony.json")], ct);
        }
    }

    /// <summary>Declares where everything stands, and starts the services.</summary>
    internal async Task Serve(Action<string> progress, CancellationToken ct)
    {
        progress("Declaring where everything stands, by two officers");
        await DeclareWhatIsNew(ct);
        progress("Starting the four services and the witness");
        await StartServices(ct);
    }

    /// <summary>Starts the service processes and waits until each says it is ready.</summary>
    public async Task StartServices(CancellationToken ct)
    {
        if (Processes.Any(n => !Services[n].IsRunning()) && Processes.All(n => !Services[n].IsRunning()) && Addresses.Taken() is { } taken)
        {
            throw new CommandFailedException($"Something else listens on {taken}; stop it, or run `./trust down` in the folder it was started from.");
        }

        foreach (var name in Processes)
        {
            Services[name].Start();
        }

        // The first that ends says why at once, however long the others would still be waited for.
        using var first = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var waits = Processes.Select(name => WaitUntilReady(name, TimeSpan.FromSeconds(60), first.Token)).ToList();
        await foreach (var wait in Task.WhenEach(waits).WithCancellation(ct))
        {
            if (wait.IsFaulted)
            {
                await first.CancelAsync();
                await Task.WhenAll(waits).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                await wait;
            }
        }
    }

    /// <summary>Waits for one service.</summary>
    /// <exception cref="CommandFailedException">It ended or did not become ready; holds the end of its log.</exception>
    public async Task WaitUntilReady(string name, TimeSpan limit, CancellationToken ct)
    {
        using var client = Connections.Client(RootFile);
        client.Timeout = TimeSpan.FromSeconds(3);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timeout.CancelAfter(limit);
        var last = "no answer";
        var gone = 0;
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        try
        {
            while (await tick.WaitForNextTickAsync(timeout.Token))
            {
                // A process that execs has no arguments for an instant (proc(5)): once is not yet its end.
                gone = Services[name].IsRunning() ? 0 : gone + 1;
                if (gone == 3)
                {
                    throw new CommandFailedException($"The service {name} ended: {Services[name].Reason()}");
                }

                try
                {
                    using var answer = await client.GetAsync(BaseUrl(name) + "/health/ready", timeout.Token);
                    last = await answer.Content.ReadAsStringAsync(timeout.Token);
                    if (answer.IsSuccessStatusCode)
                    {
                        return;
                    }
                }
                catch (Exception e) when (e is HttpRequestException || (e is TaskCanceledException && !timeout.IsCancellationRequested))
                {
                    last = e.Message;
                }
            }
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new CommandFailedException($"The service {name} is not ready after {limit.TotalSeconds:F0} s: {last}\n{Services[name].Reason()}");
        }
    }

    /// <summary>Main address of a service.</summary>
    public string BaseUrl(string name) => name switch { "idp" => Addresses.Idp, "ca" => Addresses.CA, "sign" => Addresses.Sign, Witness => Addresses.Witness, _ => Addresses.Ledger };

    /// <summary>Stops the services, then the clusters; exactly what this folder's records name.</summary>
    public async Task Stop(CancellationToken ct)
    {
        // Producers first, so that their last events reach the ledger.
        await Task.WhenAll(Names.Where(n => n != "ledger").Select(n => Services[n].Stop(ct)));
        await Services["ledger"].Stop(ct);
        await Services[Witness].Stop(ct);
        await PostgresCluster.Stop(Path.Combine(_postgres, "main"), immediate: false, ct);
        await PostgresCluster.Stop(Path.Combine(_postgres, "ledger"), immediate: false, ct);
    }

    /// <summary>Stops everything and removes the folder with all its data, tokens and keys.</summary>
    public async Task Reset(CancellationToken ct)
    {
        await Stop(ct);
        foreach (var folder in new[] { _postgres, Directory })
        {
            if (System.IO.Directory.Exists(folder))
            {
                System.IO.Directory.Delete(folder, recursive: true);
            }
        }
    }

    private async Task StartClusters(CancellationToken ct)
    {
        var main = PostgresCluster.Start(Path.Combine(_postgres, "main"), [], ct);
        var ledger = PostgresCluster.Start(Path.Combine(_postgres, "ledger"), [], ct);
        Cluster = await main;
        LedgerCluster = await ledger;
    }

    /// <summary>The ledger's configuration file, and what its process needs to reach its token.</summary>
    public (string File, IReadOnlyDictionary<string, string> Environment) LedgerConfiguration() => (
        At("config", "ledger.json"),
        new Dictionary<string, string>(StringComparer.Ordinal) { ["SOFTHSM2_CONF"] = At("tokens", "ledger", "softhsm2.conf") });

    private ServiceProcess Process(string name) => new(
        name, ServiceProcess.Assembly(_binaries, name), At("config", name + ".json"), Directory,
        new Dictionary<string, string>(StringComparer.Ordinal) { ["SOFTHSM2_CONF"] = At("tokens", name, "softhsm2.conf"), ["DOTNET_gcServer"] = "0" });

    // As root the database server runs under another account, which must be able to walk down to its folder.
    private static string ReachableByServers(string directory)
    {
        var inside = Path.Combine(directory, "postgres");
        if (!Environment.IsPrivilegedProcess)
        {
            return inside;
        }

        for (var folder = new DirectoryInfo(directory).Parent; folder is not null; folder = folder.Parent)
        {
            if (folder.Exists && !folder.UnixFileMode.HasFlag(UnixFileMode.OtherExecute))
            {
                var name = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(directory)))[..16];
                return Path.Combine("/var/tmp", "trust-" + name);
            }
        }

        return inside;
    }

    private string At(params string[] parts) => Path.Combine([Directory, .. parts]);

    private static async Task WriteJson(string path, JsonNode node, CancellationToken ct)
    {
        System.IO.Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        await File.WriteAllTextAsync(path, node.ToJsonString(new JsonSerializerOptions { WriteIndented = true }), ct);
    }

    private static string Timespan(TimeSpan value) => value.ToString("c", CultureInfo.InvariantCulture);
}

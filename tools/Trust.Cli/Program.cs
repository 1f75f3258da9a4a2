using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.Cli.Officers;
using Trust.Cli.Residency;
using Trust.Cli.Testing;
using Trust.Cli.Verify;
using Command = System.CommandLine.Command;

namespace Trust.Cli;

/// <summary>The <c>trust</c> command.</summary>
public static class Program
{
    /// <summary>Runs one verb; the exit code is 0 only when everything it promises was done.</summary>
    public static async Task<int> Main(string[] args)
    {
        var root = new RootCommand("Trust: identity, certificates, signatures and an audit ledger for internet healthcare.");
        root.Subcommands.Add(Demo());
        root.Subcommands.Add(Up());
        root.Subcommands.Add(Verb("down", "Stop exactly what `up` or `demo --keep` started.", Down));
        root.Subcommands.Add(Verb("reset", "Stop everything and delete all data, tokens and keys below .trust/.", Reset));
        root.Subcommands.Add(Test());
        root.Subcommands.Add(Conformance());
        root.Subcommands.Add(VerifyCommand.Create());
        root.Subcommands.Add(ResidencyCommand.Create());
        root.Subcommands.Add(OfficerCommand.Create());
        root.Subcommands.Add(IdpCommand.Create());
        root.Subcommands.Add(Bench());
        root.Subcommands.Add(Witness());
        root.Subcommands.Add(LedgerVerb("fsck", "Recompute the ledger from its stored bytes and name every fault.", "--repair", "Put back what the mirror or the producers still hold."));
        root.Subcommands.Add(LedgerVerb("prune", "Remove whole ranges of entries that are past their retention and under no hold.", "--dry-run", "Only tell what could go."));
        root.Subcommands.Add(InitToken());
        try
        {
            return await root.Parse(args is [] or ["help"] ? ["--help"] : args).InvokeAsync(new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                // Ctrl-C stops services and clusters in order; cut short, it would leave the clusters behind.
                ProcessTerminationTimeout = TimeSpan.FromMinutes(1),
            });
        }
        catch (Exception e) when (e is CommandFailedException or DemoException or Pkcs11.TokenException or IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return 1;
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("Interrupted.");
            return 130;
        }
    }

    /// <summary>The repository, where <c>Trust.sln</c> lies.</summary>
    public static string RepositoryRoot()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "Trust.sln")))
            {
                return directory.FullName;
            }
        }

        throw new DirectoryNotFoundException("Trust.sln was not found above the program.");
    }

    internal static Installation Local() => new(Path.Combine(RepositoryRoot(), ".trust", "installation"), AddressPlan.Development, RepositoryRoot());

    private static Command Demo()
    {
        var keep = new Option<bool>("--keep") { Description = "Leave everything running and say how to log in with a browser." };
        var command = new Command("demo", "Play one prescription from enrolment to an audit trail verified offline.") { keep };
        command.SetAction(async (parsed, ct) =>
        {
            // A fresh world each time: the demonstration shows the set-up too. What `up` keeps lies elsewhere.
            var installation = new Installation(Path.Combine(RepositoryRoot(), ".trust", "demo"), AddressPlan.Development, RepositoryRoot());
            await installation.Reset(ct);
            var kept = false;
            try
            {
                await Play(installation, ct);
                kept = parsed.GetValue(keep);
                if (kept)
                {
                    Console.WriteLine(BrowserHelp(installation));
                }
            }
            finally
            {
                if (!kept)
                {
                    await installation.Stop(CancellationToken.None);
                }
            }

            return 0;
        });
        return command;
    }

    private static async Task Play(Installation installation, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        await installation.Start(step => Console.WriteLine(step + " …"), ct);
        await using var world = await World.Open(installation, RepositoryRoot(), ct);
        var narrator = new Narrator(Console.Out);
        var evidence = await new DemoRun(world, narrator).Play(ct);
        Console.WriteLine();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"All {narrator.Checks} checks hold. {watch.Elapsed.TotalSeconds:F0} s in all."));
        Console.WriteLine($"Look again, offline: ./trust verify {Path.GetRelativePath(RepositoryRoot(), evidence)} --trusted {Path.GetRelativePath(RepositoryRoot(), installation.TrustedListFile)} --lang en");
    }

    private static Command Up()
    {
        var regions = new Option<string?>("--regions") { Description = "Several regions side by side, for example 510000,500000; the first gives people their identifiers." };
        var command = new Command("up", "Start everything with demonstration data and leave it running.") { regions };
        command.SetAction(async (parsed, ct) =>
        {
            var watch = Stopwatch.StartNew();
            var installations = parsed.GetValue(regions) is { } codes ? OfRegions(codes) : [Local()];
            await Regions.Start(installations, step => Console.WriteLine(step + " …"), ct);
            foreach (var installation in installations.Where(i => !i.HasDemonstration))
            {
                Console.WriteLine($"{installation.Region}: Registering the demonstration's people and systems …");
                await Register(installation, ct);
            }

            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Trust runs ({watch.Elapsed.TotalSeconds:F1} s)."));
            foreach (var installation in installations)
            {
                Console.WriteLine(BrowserHelp(installation));
            }

            return 0;
        });
        return command;
    }

    private static async Task Register(Installation installation, CancellationToken ct)
    {
        await using var world = await World.Open(installation, RepositoryRoot(), ct);
        await world.ImportRegistry(ct);
        await world.RegisterClients(ct);
        for (var person = 0; person < 3; person++)
        {
            await world.Enrol(person, ct);
        }

        await world.EnrolSeal(ct);
        await installation.MarkDemonstration(ct);
    }

    private static IReadOnlyList<Installation> OfRegions(string list)
    {
        var codes = list.Split(',', StringSplitOptions.TrimEntries);
        if (codes.Length < 2 || codes.Distinct(StringComparer.Ordinal).Count() != codes.Length)
        {
            throw new CommandFailedException("--regions takes two or more different GB/T 2260 codes, separated by commas.");
        }

        if (codes.FirstOrDefault(c => c.Length != 6 || !c.All(char.IsAsciiDigit) || !File.Exists(World.RegistryFile(RepositoryRoot(), c))) is { } unknown)
        {
            throw new CommandFailedException($"There are no sample people of region {unknown}: samples/ has those of 510000 and 500000.");
        }

        return Regions.On(RegionsFolder, codes, AddressPlan.OfRegion, RepositoryRoot(), Path.Combine(RegionsFolder, "cards"));
    }

    private static string RegionsFolder => Path.Combine(RepositoryRoot(), ".trust", "regions");

    private static readonly string[] Folders = ["installation", "demo"];

    private static IEnumerable<Installation> All() =>
    [
        .. Folders.Select(f => new Installation(Path.Combine(RepositoryRoot(), ".trust", f), AddressPlan.Development, RepositoryRoot())),
        .. (Directory.Exists(RegionsFolder) ? Directory.GetDirectories(RegionsFolder) : []).Where(f => Path.GetFileName(f) is not "cards")
            .Select(f => new Installation(f, AddressPlan.OfRegion(Path.GetFileName(f)), RepositoryRoot(), Path.GetFileName(f))),
    ];

    private static async Task<int> Down(CancellationToken ct)
    {
        foreach (var installation in All())
        {
            await installation.Stop(ct);
        }

        Console.WriteLine("Stopped.");
        return 0;
    }

    private static async Task<int> Reset(CancellationToken ct)
    {
        foreach (var installation in All())
        {
            await installation.Reset(ct);
        }

        if (Directory.Exists(RegionsFolder))
        {
            Directory.Delete(RegionsFolder, recursive: true);
        }

        Console.WriteLine("Stopped and deleted.");
        return 0;
    }

    private static string BrowserHelp(Installation installation) => $"""

        OpenID provider   {installation.Addresses.Idp}/.well-known/openid-configuration
        card login        {installation.Addresses.Card}
        registry, CA      {installation.Addresses.CA}   officers {installation.Addresses.Officers}   CRL, OCSP {installation.Addresses.Public}
        signing           {installation.Addresses.Sign}
        audit ledger      {installation.Addresses.Ledger}/checkpoint   witness {installation.Addresses.Witness}

        Log in with a browser: the doctor's USB key is the SoftHSM token "{installation.CardLabel("card-zhang")}".
          1. Trust the root in the browser's store:
             certutil -d sql:$HOME/.pki/nssdb -A -n trust-demo -t CT,C,C -i {installation.RootFile}
          2. Start the browser with the token (PIN: {Path.Combine(installation.CardDirectory, installation.CardLabel("card-zhang"), "pin")}):
             export SOFTHSM2_CONF={Path.Combine(installation.CardTokens, "softhsm2.conf")}
             modutil -dbdir sql:$HOME/.pki/nssdb -add trust-card -libfile {SoftHsm.InstalledModule} -force && chromium
          3. Open an authorization request of the hospital's workstation:
             {installation.Addresses.Idp}/authorize?response_type=code&client_id=his-shuan&redirect_uri=https%3A%2F%2F127.0.0.10%3A9443%2Fcallback&scope=openid%20profile%20rx.sign&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256
        Stop it with ./trust down
        """;

    private static Command Verb(string name, string description, Func<CancellationToken, Task<int>> run)
    {
        var command = new Command(name, description);
        command.SetAction((_, ct) => run(ct));
        return command;
    }

    private static Command Test()
    {
        var extended = new Option<bool>("--long") { Description = "Add the long fault and mutation runs." };
        var filter = new Option<string?>("--class") { Description = "Only test classes of this full name; * matches anything." };
        var command = new Command("test", "Run every test against real PostgreSQL, SoftHSM2 and Chromium.") { extended, filter };
        command.SetAction((parsed, ct) => TestRun.Run(RepositoryRoot(), parsed.GetValue(extended), parsed.GetValue(filter), ct));
        return command;
    }

    private static Command Conformance()
    {
        var filter = new Option<string?>("--class") { Description = "Only plans of this class name, for example *BasicPlan; * matches anything." };
        var command = new Command("conformance", "Judge the OpenID provider by the modules of the OpenID conformance suite.") { filter };
        command.SetAction((parsed, ct) => ConformanceTable.Run(RepositoryRoot(), parsed.GetValue(filter), ct));
        return command;
    }

    // A program of its own, so that measuring needs nothing that operators and CI do not need.
    private static Command Bench()
    {
        var names = new Argument<string[]>("name") { Description = "Rows to take; all when none is named." };
        var json = new Option<bool>("--json") { Description = "One JSON object a row." };
        var extended = new Option<bool>("--long") { Description = "Measure for longer, and take the rows that need it." };
        var against = new Option<string>("--against") { Description = "A commit to build beside and compare with, five interleaved pairs a row." };
        var command = new Command("bench", "Measure this machine, and say honestly what reached its target.") { names, json, extended, against };
        command.SetAction(async (parsed, ct) =>
        {
            var configuration = AppContext.BaseDirectory.Contains($"{Path.DirectorySeparatorChar}Debug{Path.DirectorySeparatorChar}", StringComparison.Ordinal) ? "Debug" : "Release";
            var program = Path.Combine(RepositoryRoot(), "tools", "Benchmarks", "bin", configuration, "net10.0", "Trust.Benchmarks.dll");
            string[] options = [.. parsed.GetValue(json) ? ["--json"] : Array.Empty<string>(), .. parsed.GetValue(extended) ? ["--long"] : Array.Empty<string>(),
                .. parsed.GetValue(against) is { } commit ? ["--against", commit] : Array.Empty<string>()];
            using var process = Trust.Cli.Local.Command.Start(ServiceProcess.DotnetHost(), [program, .. parsed.GetValue(names) ?? [], .. options], null, redirect: false);
            // Ctrl-C reaches the program too, which stops what it started; this command only waits for it.
            await process.WaitForExitAsync(CancellationToken.None);
            ct.ThrowIfCancellationRequested();
            return process.ExitCode;
        });
        return command;
    }

    // A program of its own: it needs what the services need, which this one, and the verifier in it, must not.
    private static Command Witness()
    {
        var verb = new Argument<string>("verb") { Description = "run or provision.", DefaultValueFactory = _ => "run" };
        var config = new Option<string>("--config") { Description = "The witness's configuration file.", Required = true };
        var command = new Command("witness", "Cosign checkpoints of logs whose entries this witness has recomputed.") { verb, config };
        command.SetAction(async (parsed, ct) =>
        {
            using var process = Trust.Cli.Local.Command.Start(
                ServiceProcess.DotnetHost(), [ServiceProcess.Assembly(RepositoryRoot(), "witness"), parsed.GetValue(verb)!, "--config", parsed.GetRequiredValue(config)], null, redirect: false);
            // Ctrl-C reaches the program too, which ends its requests; this command only waits for it.
            await process.WaitForExitAsync(CancellationToken.None);
            ct.ThrowIfCancellationRequested();
            return process.ExitCode;
        });
        return command;
    }

    private static Command LedgerVerb(string name, string description, string flag, string flagDescription)
    {
        var option = new Option<bool>(flag) { Description = flagDescription };
        var config = new Option<string?>("--config") { Description = "The ledger's configuration file; without it, that of the installation below .trust/." };
        var command = new Command(name, description) { option, config };
        command.SetAction(async (parsed, ct) =>
        {
            var (file, environment) = parsed.GetValue(config) is { } named ? (named, null) : Local().LedgerConfiguration();
            string[] flags = parsed.GetValue(option) ? [flag] : [];
            using var process = Trust.Cli.Local.Command.Start(
                ServiceProcess.DotnetHost(), [ServiceProcess.Assembly(RepositoryRoot(), "ledger"), name, "--config", file, .. flags], environment, redirect: false);
            await process.WaitForExitAsync(CancellationToken.None);
            ct.ThrowIfCancellationRequested();
            return process.ExitCode;
        });
        return command;
    }

    // A PKCS#11 module reads its configuration once a process, so each token directory is prepared by a process of its own.
    private static Command InitToken()
    {
        var directory = new Argument<string>("directory");
        var label = new Argument<string>("label");
        var pinFile = new Argument<string>("pin-file");
        var command = new Command("init-token", "Prepare one token of an installation.") { directory, label, pinFile };
        command.Hidden = true;
        command.SetAction(parsed =>
        {
            SoftHsm.Open(parsed.GetRequiredValue(directory)).InitToken(parsed.GetRequiredValue(label), parsed.GetRequiredValue(pinFile));
            return 0;
        });
        return command;
    }
}

using Trust.Cli.Local;
using Trust.Conformance.Tests.Suite;

namespace Trust.Conformance.Tests.Faults;

/// <summary>The provider built with TRUST_FAULTS from a copy of the sources, everything else as it is; one named check of it can be left out while it runs.</summary>
internal sealed class FaultyBuild : IAsyncDisposable
{
    private static readonly string[] Copied = ["LogFormat", "Crypto", "Pkcs11", "Kernel", "Idp"];
    private static readonly string[] AsTheyAre = ["src/CA", "src/SignService", "src/AuditLedger", "tools/Witness"];

    private readonly string _leftOut;

    private FaultyBuild(ConformanceRun run, string leftOut) => (Run, _leftOut) = (run, leftOut);

    public ConformanceRun Run { get; }

    /// <summary>Builds it and starts an installation with it.</summary>
    public static async Task<FaultyBuild> Start()
    {
        var root = Cli.Program.RepositoryRoot();
        var folder = Path.Combine(root, ".trust", "faulty");
        await Copy(root, folder);
        await Command.Run(ServiceProcess.DotnetHost(), ["build", Path.Combine(folder, "src", "Idp"), "-c", "Release", "-v", "q", "--nologo", "-p:RunAnalyzers=false", "-p:UseSharedCompilation=false"], CancellationToken.None);
        var run = new ConformanceRun(folder);
        await run.InitializeAsync();
        return new FaultyBuild(run, Path.Combine(folder, "src", "Idp", "bin", "Release", "net10.0", "left-out"));
    }

    /// <summary>Leaves a check out; null for none.</summary>
    public void Leave(string? check)
    {
        if (check is null)
        {
            File.Delete(_leftOut);
            return;
        }

        File.WriteAllText(_leftOut + ".next", check);
        File.Move(_leftOut + ".next", _leftOut, overwrite: true);
    }

    public async ValueTask DisposeAsync()
    {
        Leave(null);
        await Run.DisposeAsync();
    }

    private static async Task Copy(string root, string folder)
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        Directory.CreateDirectory(Path.Combine(folder, "src"));
        Directory.CreateDirectory(Path.Combine(folder, "tools"));
        foreach (var project in Copied)
        {
            // Sources only: what is built lies apart from what the other tests run.
            await Command.Run("sh", ["-c", "cd \"$0\" && tar --exclude=./bin --exclude=./obj -cf - . | (mkdir -p \"$1\" && cd \"$1\" && tar xf -)", Path.Combine(root, "src", project), Path.Combine(folder, "src", project)], CancellationToken.None);
        }

        foreach (var file in new[] { "Directory.Build.targets", "Directory.Packages.props", "global.json", "BannedSymbols.txt", ".editorconfig" })
        {
            File.Copy(Path.Combine(root, file), Path.Combine(folder, file));
        }

        var properties = await File.ReadAllTextAsync(Path.Combine(root, "Directory.Build.props"));
        await File.WriteAllTextAsync(
            Path.Combine(folder, "Directory.Build.props"), properties.Replace("<PropertyGroup>", "<PropertyGroup>\n    <DefineConstants>$(DefineConstants);TRUST_FAULTS</DefineConstants>", StringComparison.Ordinal));
        foreach (var service in AsTheyAre)
        {
            Directory.CreateSymbolicLink(Path.Combine(folder, service), Path.Combine(root, service));
        }
    }
}

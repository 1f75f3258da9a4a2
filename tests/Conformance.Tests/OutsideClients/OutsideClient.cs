using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Trust.Cli.Local;
using Trust.Conformance.Tests.Suite;
using Trust.TestKit;

namespace Trust.Conformance.Tests.OutsideClients;

/// <summary>A library that knows nothing of us, unmodified, as a process: it says where a browser must go, hears where the browser was sent back to, and says what it got.</summary>
internal sealed class OutsideClient : IAsyncDisposable
{
    private static readonly Lazy<Task<string>> Packages = new(Install);
    private readonly Process _process;

    private OutsideClient(Process process) => _process = process;

    /// <summary>Starts a kind of <c>client.js</c>.</summary>
    public static async Task<OutsideClient> Node(ConformanceRun run, string kind, JsonObject settings) => new(Command.Start(
        "node", [Path.Combine(await Packages.Value, "client.js"), kind, await Write(run, settings)], new Dictionary<string, string>(StringComparer.Ordinal) { ["NODE_EXTRA_CA_CERTS"] = run.Provider.RootFile }, redirect: true));

    /// <summary>Starts the program of python3-authlib; the distribution's own Python has it.</summary>
    public static async Task<OutsideClient> Authlib(ConformanceRun run, JsonObject settings) => new(Command.Start(
        "/usr/bin/python3", [Path.Combine(Source, "authlib_client.py"), await Write(run, settings)], new Dictionary<string, string>(StringComparer.Ordinal) { ["REQUESTS_CA_BUNDLE"] = run.Provider.RootFile }, redirect: true));

    public static string Source => Path.Combine(AppContext.BaseDirectory, "OutsideClients");

    public async Task<string> Hear() => await _process.StandardOutput.ReadLineAsync() is { } line ? line : throw new Xunit.Sdk.XunitException("The client ended: " + await _process.StandardError.ReadToEndAsync());

    public async Task<JsonElement> HearJson() => JsonElement.Parse(await Hear());

    public async Task Say(string line)
    {
        await _process.StandardInput.WriteLineAsync(line);
        await _process.StandardInput.FlushAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private static async Task<string> Write(ConformanceRun run, JsonObject settings)
    {
        settings["issuer"] = run.Provider.Issuer;
        var file = Path.Combine(Scratch.Directory("outside-client"), "settings.json");
        await File.WriteAllTextAsync(file, settings.ToJsonString());
        return file;
    }

    // Kept between runs as built outputs are; the lock file says when it is old.
    private static async Task<string> Install()
    {
        var folder = Directory.CreateDirectory(Path.Combine(Cli.Program.RepositoryRoot(), ".trust", "outside-clients")).FullName;
        var (wanted, mark) = (Path.Combine(Source, "package-lock.json"), Path.Combine(folder, "installed"));
        File.Copy(Path.Combine(Source, "client.js"), Path.Combine(folder, "client.js"), overwrite: true);
        if (!File.Exists(mark) || await File.ReadAllTextAsync(mark) != await File.ReadAllTextAsync(wanted))
        {
            File.Copy(Path.Combine(Source, "package.json"), Path.Combine(folder, "package.json"), overwrite: true);
            File.Copy(wanted, Path.Combine(folder, "package-lock.json"), overwrite: true);
            await Command.Run("npm", ["ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund"], CancellationToken.None);
            File.Copy(wanted, mark, overwrite: true);
        }

        return folder;
    }
}

using System.Diagnostics;
using Trust.EndToEnd.Tests.StockClient;

namespace Trust.EndToEnd.Tests.Residency;

/// <summary>
/// The whole suite runs once in a network namespace of its own, whose default route and resolver end in a recorder: what any process of it, ours or a
/// library's, wants to reach outside is written down. Nothing may be but what the tests plant.
/// </summary>
internal static class Recorder
{
    private const string Variable = "TRUST_RECORD";

    /// <summary>Destinations that tests plant so that the recorder is seen to work (RFC 5737 TEST-NET-3, RFC 2606).</summary>
    public const string Planted = "203.0.113.";

    /// <summary>Suffix of names that tests plant.</summary>
    public const string PlantedName = "planted.example";

    /// <summary>What was seen so far; null outside of the namespace.</summary>
    public static string? Record => Environment.GetEnvironmentVariable(Variable);

    /// <summary>Runs this program again inside, and fails the run when something undeclared was seen.</summary>
    public static async Task<int> Run(string[] args)
    {
        // npm's registry is reached before: the client under test is installed once, from its lock file.
        await NodeClient.Install(CancellationToken.None);
        var record = Path.Combine(Path.GetTempPath(), "trust-record-" + Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N"));
        var start = new ProcessStartInfo("unshare") { UseShellExecute = false };
        string[] inside = ["--net", "--mount", "--fork", "--kill-child", "--", "sh", Path.Combine(AppContext.BaseDirectory, "Residency", "recorder.sh"), record, Environment.ProcessPath!];
        foreach (var argument in (string[])[.. inside, .. OwnAssembly(), .. args])
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment[Variable] = record;
        using var process = Process.Start(start) ?? throw new InvalidOperationException("unshare did not start.");
        await process.WaitForExitAsync();
        var undeclared = File.Exists(record) ? (await File.ReadAllLinesAsync(record)).Where(l => !IsPlanted(l)).ToList() : ["the recorder did not run"];
        File.Delete(record);
        foreach (var line in undeclared)
        {
            Console.WriteLine("FAILED the recorder saw a connection that nobody declared: " + line);
        }

        return process.ExitCode is 0 && undeclared.Count > 0 ? 1 : process.ExitCode;
    }

    private static bool IsPlanted(string line) => line.Contains(' ' + Planted, StringComparison.Ordinal) || line.EndsWith(PlantedName, StringComparison.Ordinal);

    // `dotnet X.dll` or X itself.
    private static string[] OwnAssembly() =>
        Path.GetFileNameWithoutExtension(Environment.ProcessPath) is "dotnet" ? [typeof(Recorder).Assembly.Location] : [];
}

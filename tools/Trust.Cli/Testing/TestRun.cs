using System.Globalization;
using System.Xml.Linq;
using Trust.Cli.Local;

namespace Trust.Cli.Testing;

/// <summary>Runs every test project and ends with one line of counts, alone, that people and CI read.</summary>
public static class TestRun
{
    /// <summary>Runs the tests.</summary>
    /// <param name="root">Repository root.</param>
    /// <param name="extended">Adds the long fault and mutation runs.</param>
    /// <param name="filter">Class name filter, or null for all.</param>
    /// <param name="ct">Cancels the run and sweeps what it started.</param>
    /// <returns>0 when every test passed and at least one ran.</returns>
    public static async Task<int> Run(string root, bool extended, string? filter, CancellationToken ct)
    {
        var results = Path.Combine(root, ".trust", "test-results");
        if (Directory.Exists(results))
        {
            Directory.Delete(results, recursive: true);
        }

        Directory.CreateDirectory(results);
        var scratch = Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), string.Create(CultureInfo.InvariantCulture, $"trust-test-run-{Environment.ProcessId}"));
        Directory.CreateDirectory(scratch);
        try
        {
            var code = await Dotnet(root, results, scratch, extended, filter, ct);
            return Report(results, code);
        }
        finally
        {
            await Sweep(scratch);
        }
    }

    private static async Task<int> Dotnet(string root, string results, string scratch, bool extended, string? filter, CancellationToken ct)
    {
        List<string> arguments = ["test", "--solution", Path.Combine(root, "Trust.sln"), "-c", "Release", "--no-build", "--report-xunit-trx", "--results-directory", results];
        if (filter is not null)
        {
            arguments.AddRange(["--filter-class", filter, "--ignore-exit-code", "8"]);
        }

        var environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["TRUST_TEST_SCRATCH"] = scratch, ["TRUST_ROOT"] = root };
        if (extended)
        {
            environment["TRUST_TEST_LONG"] = "1";
        }

        using var process = Command.Start(Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet", arguments, environment, redirect: false);
        try
        {
            await process.WaitForExitAsync(ct);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        return process.ExitCode;
    }

    private static int Report(string results, int code)
    {
        int passed = 0, failed = 0, skipped = 0;
        foreach (var file in Directory.EnumerateFiles(results, "*.trx", SearchOption.AllDirectories))
        {
            var run = XDocument.Load(file);
            Name(run);
            var counters = run.Descendants().First(e => e.Name.LocalName == "Counters");
            int Count(string name) => int.Parse(counters.Attribute(name)?.Value ?? "0", CultureInfo.InvariantCulture);
            passed += Count("passed");
            failed += Count("failed") + Count("error") + Count("timeout") + Count("aborted");
            skipped += Count("total") - Count("executed");
        }

        // A runner that crashed has no counters of its own: its exit code must still count as a failure.
        if (failed == 0 && (code != 0 || passed == 0))
        {
            Console.WriteLine($"The test runner ended with {code} and {passed} passed tests.");
            failed = 1;
        }

        Console.WriteLine($"{passed} passed, {failed} failed, {skipped} skipped");
        return failed == 0 ? 0 : 1;
    }

    // The runner's own report of a failure lies far above what the services of the same suite wrote after it.
    private static void Name(XDocument run)
    {
        foreach (var result in run.Descendants().Where(e => e.Name.LocalName == "UnitTestResult" && e.Attribute("outcome")?.Value is not ("Passed" or "NotExecuted")))
        {
            Console.WriteLine($"FAILED {result.Attribute("testName")?.Value}");
            foreach (var text in result.Descendants().Where(e => e.Name.LocalName is "Message" or "StackTrace"))
            {
                Console.WriteLine(text.Value);
            }
        }
    }

    // Each test process has its own folder swept as it ends; what a killed one left is swept here.
    internal static async Task Sweep(string scratch)
    {
        for (var waited = 0; waited < 60 && Directory.EnumerateFileSystemEntries(scratch).Any(); waited++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(500));
        }

        foreach (var pid in Directory.EnumerateFiles(scratch, "postmaster.pid", SearchOption.AllDirectories).ToList())
        {
            await PostgresCluster.Stop(Path.GetDirectoryName(Path.GetDirectoryName(pid))!, immediate: true, CancellationToken.None);
        }

        Directory.Delete(scratch, recursive: true);
    }
}

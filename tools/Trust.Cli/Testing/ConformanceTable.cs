using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Trust.Cli.Local;

namespace Trust.Cli.Testing;

/// <summary>Judges the provider by the modules of the OpenID conformance suite and prints the table: plan, variant, module, verdict, reason.</summary>
public static partial class ConformanceTable
{
    /// <summary>Runs the modules.</summary>
    /// <param name="root">Repository root.</param>
    /// <param name="filter">Class name filter, or null for every plan.</param>
    /// <param name="ct">Cancels the run and sweeps what it started.</param>
    /// <returns>0 when no module failed and at least one passed.</returns>
    public static async Task<int> Run(string root, string? filter, CancellationToken ct)
    {
        var results = Directory.CreateDirectory(Path.Combine(root, ".trust", "conformance")).FullName;
        var trx = Path.Combine(results, "conformance.trx");
        File.Delete(trx);
        var scratch = Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), string.Create(CultureInfo.InvariantCulture, $"trust-conformance-{Environment.ProcessId}"));
        Directory.CreateDirectory(scratch);
        try
        {
            var program = Path.Combine(root, "tests", "Conformance.Tests", "bin", "Release", "net10.0", "Trust.Conformance.Tests.dll");
            await Console.Error.WriteLineAsync("An installation is set up and every module is played against it; some wait for what runs out …");
            var (code, output, error) = await Command.Try(ServiceProcess.DotnetHost(), [program, "-trx", trx, "-noColor", .. filter is null ? (string[])["-class", "*Plan", "-class", "*Plans"] : ["-class", filter]], ct,
                environment: new Dictionary<string, string>(StringComparer.Ordinal) { ["TRUST_TEST_SCRATCH"] = scratch, ["TRUST_ROOT"] = root });
            await File.WriteAllTextAsync(Path.Combine(results, "conformance.log"), output + error, CancellationToken.None);
            if (!File.Exists(trx))
            {
                Console.WriteLine($"The run ended with {code} and no result; what it said is {Path.Combine(results, "conformance.log")}.");
                return 1;
            }

            return Print(XDocument.Load(trx));
        }
        finally
        {
            await TestRun.Sweep(scratch);
        }
    }

    private static int Print(XDocument run)
    {
        var rows = run.Descendants().Where(e => e.Name.LocalName == "UnitTestResult").Select(Row).OfType<(string Plan, string Variant, string Module, string Verdict, string Reason)>()
            .OrderBy(r => r.Plan, StringComparer.Ordinal).ThenBy(r => r.Variant, StringComparer.Ordinal).ThenBy(r => r.Module, StringComparer.Ordinal).ToList();
        int Widest(Func<(string Plan, string Variant, string Module, string Verdict, string Reason), string> column) => rows.Count == 0 ? 0 : rows.Max(r => column(r).Length);
        var (plan, variant, module) = (Widest(r => r.Plan), Widest(r => r.Variant), Widest(r => r.Module));
        foreach (var row in rows)
        {
            Console.WriteLine($"{row.Plan.PadRight(plan)}  {row.Variant.PadRight(variant)}  {row.Module.PadRight(module)}  {row.Verdict,-7}  {row.Reason}".TrimEnd());
        }

        int Count(string verdict) => rows.Count(r => r.Verdict == verdict);
        Console.WriteLine($"{Count("passed")} passed, {Count("FAILED")} failed, {Count("skipped")} skipped");
        return Count("FAILED") == 0 && Count("passed") > 0 ? 0 : 1;
    }

    private static (string, string, string, string, string)? Row(XElement result)
    {
        // The report writes the quotation marks of arguments with a backslash before them.
        var name = ModuleName().Match((result.Attribute("testName")?.Value ?? "").Replace("\\\"", "\"", StringComparison.Ordinal));
        if (!name.Success)
        {
            return null;
        }

        var verdict = result.Attribute("outcome")?.Value switch { "Passed" => "passed", "NotExecuted" => "skipped", _ => "FAILED" };
        var said = result.Descendants().FirstOrDefault(e => e.Name.LocalName is "Message")?.Value ?? result.Descendants().FirstOrDefault(e => e.Name.LocalName is "StdOut")?.Value ?? "";
        return (name.Groups["plan"].Value, name.Groups["variant"].Value, name.Groups["module"].Value, verdict, verdict == "passed" ? "" : Line(said));
    }

    private static string Line(string text) => Space().Replace(text.Trim(), " ") is { Length: > 160 } line ? line[..160] + " …" : Space().Replace(text.Trim(), " ");

    [GeneratedRegex("\\.Module\\(plan: \"(?<plan>[^\"]+)\", variant: \"(?<variant>[^\"]+)\", name: \"(?<module>[^\"]+)\"\\)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ModuleName();

    [GeneratedRegex("\\s+", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Space();
}

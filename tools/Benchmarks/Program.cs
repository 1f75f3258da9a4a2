using System.Runtime.InteropServices;
using Trust.Benchmarks.CA;
using Trust.Benchmarks.Crypto;
using Trust.Benchmarks.Hosting;
using Trust.Benchmarks.Idp;
using Trust.Benchmarks.Ledger;
using Trust.Benchmarks.Load;
using Trust.Benchmarks.Residency;
using Trust.Benchmarks.Sign;

namespace Trust.Benchmarks;

/// <summary>Measures, and says honestly what reached its target. <c>[name…] [--json] [--long] [--against COMMIT]</c>.</summary>
internal static class Program
{
    // In this order: the last row revokes the physician the others work with.
    private static readonly OrderedDictionary<string, Measurement> Rows = new(StringComparer.Ordinal)
    {
        [LedgerAppend.Name] = new("/s", LedgerAppend.Target, (run, ct) => LedgerAppend.Measure(run.Extended, ct)),
        [LedgerSteady.Name] = new("ms", LedgerSteady.Target, LedgerSteady.Measure) { Long = true },
        [LedgerFsck.Name] = new("s", LedgerFsck.Target, LedgerFsck.Measure),
        [LedgerAtScale.AppendName] = new("/s", LedgerAtScale.AppendTarget, LedgerAtScale.Append) { Long = true },
        [LedgerAtScale.ProofName] = new("ms", LedgerAtScale.ProofTarget, LedgerAtScale.Proof) { Long = true },
        [LedgerAtScale.QueryName] = new("ms", LedgerAtScale.QueryTarget, LedgerAtScale.Query) { Long = true },
        [LedgerAtScale.MemoryName] = new("MiB", LedgerAtScale.MemoryTarget, LedgerAtScale.Memory) { Long = true },
        [DecideTime.Name] = new("µs", DecideTime.Target, DecideTime.Measure),
        [PathValidation.Name] = new("/s", PathValidation.Target, PathValidation.Measure),
        [ListWriting.Name] = new("/s", ListWriting.Target, ListWriting.Measure),
        [StartTime.Name] = new("s", StartTime.Target, StartTime.Measure),
        [SealRate.Name] = new("/s", SealRate.Target, SealRate.Measure),
        [IssueRate.Name] = new("/s", IssueRate.Target, IssueRate.Measure),
        [OcspRate.Name] = new("/s", OcspRate.Target, OcspRate.Measure),
        [ClientCredentialsRate.Name] = new("/s", ClientCredentialsRate.Target, ClientCredentialsRate.Measure),
        [TokenRate.Name] = new("/s", TokenRate.Target, TokenRate.Measure),
        [RefreshRate.Name] = new("/s", RefreshRate.Target, RefreshRate.Measure),
        [IntrospectRate.Name] = new("/s", IntrospectRate.Target, IntrospectRate.Measure),
        [CodeRate.Name] = new("/s", CodeRate.Target, CodeRate.Measure),
        [RevocationDelay.Name] = new("s", RevocationDelay.Target, RevocationDelay.Measure),
    };

    // What a change must not make worse, unless rows are named.
    private static readonly IReadOnlyList<string> Compared =
    [
        LedgerAppend.Name, IssueRate.Name, OcspRate.Name, CodeRate.Name, ClientCredentialsRate.Name, SealRate.Name, StartTime.Name, RevocationDelay.Name,
    ];

    public static async Task<int> Main(string[] args)
    {
        if (args is [StaticAnswer.Verb, var size])
        {
            return await StaticAnswer.Serve(int.Parse(size, System.Globalization.CultureInfo.InvariantCulture));
        }

        if (args is [TokenAnswer.Verb, var configuration])
        {
            return await TokenAnswer.Serve(configuration);
        }

        var json = args.Contains("--json", StringComparer.Ordinal);
        var against = Array.IndexOf(args, "--against") is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : null;
        var names = args.Where((a, i) => !a.StartsWith("--", StringComparison.Ordinal) && (i == 0 || args[i - 1] != "--against")).ToList();
        if (names.Find(n => !Rows.ContainsKey(n)) is { } unknown)
        {
            await Console.Error.WriteLineAsync($"No row '{unknown}'. Known: {string.Join(", ", Rows.Keys)}.");
            return 2;
        }

        using var interrupted = new CancellationTokenSource();
        // Whoever ends it, servers and services of its own end with it.
        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            interrupted.Cancel();
        }

        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Stop);
        if (against is not null)
        {
            return await Against.Run(against, names.Count > 0 ? names : [.. Compared], json, interrupted.Token);
        }

        await using var run = new BenchRun(args.Contains("--long", StringComparer.Ordinal));
        foreach (var (name, measurement) in Rows.Where(r => names.Count == 0 ? run.Extended || !r.Value.Long : names.Contains(r.Key, StringComparer.Ordinal)))
        {
            var row = await Measure(name, measurement, run, interrupted.Token);
            if (interrupted.IsCancellationRequested)
            {
                return 130;
            }

            Console.WriteLine(json ? row.ToJson() : row.ToLine());
        }

        return 0;
    }

    // Whatever keeps a figure from being taken belongs into its row: the others are still worth having.
    private static async Task<Row> Measure(string name, Measurement measurement, BenchRun run, CancellationToken ct)
    {
        try
        {
            return await measurement.Take(run, ct);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return Row.Missing(name, measurement.Unit, measurement.Target, e.Message.ReplaceLineEndings(" "));
        }
    }

    private sealed record Measurement(string Unit, string Target, Func<BenchRun, CancellationToken, Task<Row>> Take)
    {
        /// <summary>Taken with <c>--long</c> only, or when named.</summary>
        public bool Long { get; init; }
    }
}

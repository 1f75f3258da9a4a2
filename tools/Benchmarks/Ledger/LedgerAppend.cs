using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Npgsql;
using Trust.Cli.Local;

namespace Trust.Benchmarks.Ledger;

/// <summary><c>ledger.append</c>: durable append of events of up to 1 KB, subject index on, interleaved with the bare engine.</summary>
internal static class LedgerAppend
{
    /// <summary>Name of the row.</summary>
    public const string Name = "ledger.append";

    /// <summary>What it should reach.</summary>
    public const string Target = "≥15,000/s and ≥40 % of the bare engine; ack p99 ≤500 ms";

    private const int BareEvents = 300_000;

    /// <summary>Measures on a ledger of its own, beside whatever else runs.</summary>
    /// <param name="extended">Ten minutes without a pause, the load making its batches meanwhile.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task<Row> Measure(bool extended, CancellationToken ct)
    {
        var directory = BenchLedger.NewFolder();
        try
        {
            if (Assembly() is not { } assembly)
            {
                return Row.Missing(Name, "/s", Target, "the ledger is not built");
            }

            await using var ledger = await BenchLedger.Start(directory, assembly, IntakeLoad.Producers, ct);
            return await (extended ? RunLong(ledger, ct) : Run(ledger, ct));
        }
        catch (Exception e) when (e is CommandFailedException or HttpRequestException or InvalidOperationException or NpgsqlException)
        {
            return Row.Missing(Name, "/s", Target, e.Message);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    /// <summary>The built ledger, of the same configuration as this program; null when it is not there.</summary>
    internal static string? Assembly()
    {
        var configuration = AppContext.BaseDirectory.Contains("/Debug/", StringComparison.Ordinal) ? "Debug" : "Release";
        var assembly = Path.Combine(Cli.Program.RepositoryRoot(), "src", "AuditLedger", "bin", configuration, "net10.0", "Trust.AuditLedger.dll");
        return File.Exists(assembly) ? assembly : null;
    }

    // A/B/A/B: a slice through the intake, a slice of the bare engine, and again, so that both see the same machine.
    private static async Task<Row> Run(BenchLedger ledger, CancellationToken ct)
    {
        const int slices = 2;
        const int batches = 12;
        var load = await IntakeLoad.Begin(ledger, (batches * slices) + 2, ceremony: true, ct);
        await using var bare = await BareEngine.Create(ledger.Database, ct);
        var acks = new ConcurrentBag<TimeSpan>();
        await load.Run(2, null, ct); // Warm-up.
        await bare.Write(IntakeLoad.BatchCount * 8, ct);
        var (intake, engine) = (TimeSpan.Zero, TimeSpan.Zero);
        for (var slice = 0; slice < slices; slice++)
        {
            intake += await load.Run(batches, acks, ct);
            var watch = Stopwatch.StartNew();
            await bare.Write(IntakeLoad.Producers * batches * IntakeLoad.BatchCount, ct);
            engine += watch.Elapsed;
        }

        var events = (double)IntakeLoad.Producers * batches * IntakeLoad.BatchCount * slices;
        return Judge(events / intake.TotalSeconds, events / engine.TotalSeconds, acks, "");
    }

    // The bare engine before, half-way and at the end: ten minutes are long enough for a machine to change.
    private static async Task<Row> RunLong(BenchLedger ledger, CancellationToken ct)
    {
        const int halves = 2;
        var load = await IntakeLoad.Begin(ledger, 2, ceremony: true, ct, Subjects.Recurring);
        await using var bare = await BareEngine.Create(ledger.Database, ct);
        var acks = new ConcurrentBag<TimeSpan>();
        await load.Run(2, null, ct); // Warm-up.
        var engine = await TimeBare(bare, ct);
        var intake = TimeSpan.Zero;
        for (var half = 0; half < halves; half++)
        {
            intake += await load.RunFor(TimeSpan.FromMinutes(5), acks, ct);
            engine += await TimeBare(bare, ct);
        }

        var events = (double)acks.Count * IntakeLoad.BatchCount;
        return Judge(events / intake.TotalSeconds, (halves + 1) * BareEvents / engine.TotalSeconds, acks, string.Create(CultureInfo.InvariantCulture,
            $", longest {acks.Max().TotalMilliseconds:F0} ms; {events / 1e6:F1} million events in twice five minutes, the load making its batches meanwhile: eight events a prescription, 100,000 patients; the service's largest resident set {ledger.PeakMemory():F0} MiB"));
    }

    private static async Task<TimeSpan> TimeBare(BareEngine bare, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        await bare.Write(BareEvents, ct);
        return watch.Elapsed;
    }

    private static Row Judge(double value, double reference, ConcurrentBag<TimeSpan> acks, string more)
    {
        var ordered = acks.Order().ToList();
        var p99 = ordered[(int)(ordered.Count * 0.99)];
        return new Row(
            Name, value, "/s", reference, "bare engine", Target, value >= 15_000 && value >= 0.4 * reference && p99.TotalMilliseconds <= 500,
            string.Create(CultureInfo.InvariantCulture, $"ack and checkpoint p99 {p99.TotalMilliseconds:F0} ms{more}"));
    }
}

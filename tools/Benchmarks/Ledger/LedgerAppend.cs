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

    // Above the target, so that what was late can be made up for.
    private const int SteadyRate = 16_000;

    /// <summary>Measures on a ledger of its own, beside whatever else runs.</summary>
    /// <param name="extended">After ten minutes without a pause.</param>
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
            return await Run(ledger, extended, ct);
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

    // A/B/A/B: a slice through the intake, a slice of the bare engine, and again, so that both see the same machine. In the long run after ten
    // minutes of a load that leaves some room: at full speed the wait for an answer only tells how much was sent at once.
    private static async Task<Row> Run(BenchLedger ledger, bool extended, CancellationToken ct)
    {
        const int slices = 2;
        const int batches = 12;
        var load = await IntakeLoad.Begin(ledger, 2, ceremony: true, ct, extended ? Subjects.Recurring : Subjects.AllNew);
        await using var bare = await BareEngine.Create(ledger.Database, ct);
        await load.Run(2, null, ct); // Warm-up.
        await bare.Write(IntakeLoad.BatchCount * 8, ct);
        var steady = extended ? await SteadyLoad.Run(ledger, load, SteadyRate, ct) : null;
        var memory = ledger.PeakMemory();
        var acks = new ConcurrentBag<TimeSpan>();
        load.Prepare(batches * slices);
        var (intake, engine) = (TimeSpan.Zero, TimeSpan.Zero);
        for (var slice = 0; slice < slices; slice++)
        {
            intake += await load.Run(batches, acks, ct);
            var watch = Stopwatch.StartNew();
            await bare.Write(IntakeLoad.Producers * batches * IntakeLoad.BatchCount, ct);
            engine += watch.Elapsed;
        }

        var events = (double)IntakeLoad.Producers * batches * IntakeLoad.BatchCount * slices;
        var (value, reference, p99) = (events / intake.TotalSeconds, events / engine.TotalSeconds, steady?.P99 ?? acks.Order().ElementAt((int)(acks.Count * 0.99)));
        return new Row(
            Name, value, "/s", reference, "bare engine", Target, value >= 15_000 && value >= 0.4 * reference && p99.TotalMilliseconds <= 500,
            string.Create(CultureInfo.InvariantCulture, $"ack and checkpoint p99 {p99.TotalMilliseconds:F0} ms")
            + (steady is null ? "" : string.Create(CultureInfo.InvariantCulture, $", {steady}; the service's largest resident set {memory:F0} MiB; the rate at full speed after them")));
    }
}

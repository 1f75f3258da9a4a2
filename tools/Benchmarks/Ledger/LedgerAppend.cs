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

    /// <summary>Measures on a ledger of its own, beside whatever else runs.</summary>
    /// <param name="extended">Ten times as long.</param>
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
            return await Run(ledger, extended ? 300 : 12, ct);
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
    private static async Task<Row> Run(BenchLedger ledger, int batches, CancellationToken ct)
    {
        const int slices = 2;
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
        var ordered = acks.Order().ToList();
        var (value, reference, p99) = (events / intake.TotalSeconds, events / engine.TotalSeconds, ordered[(int)(ordered.Count * 0.99)]);
        return new Row(
            Name, value, "/s", reference, "bare engine", Target, value >= 15_000 && value >= 0.4 * reference && p99.TotalMilliseconds <= 500,
            string.Create(CultureInfo.InvariantCulture, $"ack and checkpoint p99 {p99.TotalMilliseconds:F0} ms"));
    }
}

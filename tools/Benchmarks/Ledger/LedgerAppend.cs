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
    private static readonly TimeSpan Steady = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(30);

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
        var acks = new ConcurrentBag<TimeSpan>();
        await load.Run(2, null, ct); // Warm-up.
        await bare.Write(IntakeLoad.BatchCount * 8, ct);
        var steady = extended ? await RunSteady(ledger, load, acks, ct) : "";
        load.Prepare(batches * slices);
        var (intake, engine) = (TimeSpan.Zero, TimeSpan.Zero);
        for (var slice = 0; slice < slices; slice++)
        {
            intake += await load.Run(batches, extended ? null : acks, ct);
            var watch = Stopwatch.StartNew();
            await bare.Write(IntakeLoad.Producers * batches * IntakeLoad.BatchCount, ct);
            engine += watch.Elapsed;
        }

        var events = (double)IntakeLoad.Producers * batches * IntakeLoad.BatchCount * slices;
        var ordered = acks.Order().ToList();
        var (value, reference, p99) = (events / intake.TotalSeconds, events / engine.TotalSeconds, ordered[(int)(ordered.Count * 0.99)]);
        return new Row(
            Name, value, "/s", reference, "bare engine", Target, value >= 15_000 && value >= 0.4 * reference && p99.TotalMilliseconds <= 500,
            string.Create(CultureInfo.InvariantCulture, $"ack and checkpoint p99 {p99.TotalMilliseconds:F0} ms{steady}"));
    }

    private static async Task<string> RunSteady(BenchLedger ledger, IntakeLoad load, ConcurrentBag<TimeSpan> acks, CancellationToken ct)
    {
        // A service that has just started compiles meanwhile, and what it is late by then would be counted for a minute.
        await load.RunPaced(WarmUp, SteadyRate / 2, [], ct);
        await using var disk = new DiskProbe(ledger.Scratch);
        var took = await load.RunPaced(Steady, SteadyRate, acks, ct);
        var (p99, longest) = await disk.Stop();
        var events = (double)acks.Count * IntakeLoad.BatchCount;
        return string.Create(CultureInfo.InvariantCulture,
            $", median {acks.Order().ElementAt(acks.Count / 2).TotalMilliseconds:F0} ms, longest {acks.Max().TotalMilliseconds:F0} ms from when a batch fell due, in {took.TotalMinutes:F1} minutes at {events / took.TotalSeconds:N0}/s, batches made meanwhile, eight events a prescription, 100,000 patients; a flush of 200 bytes on the same disk meanwhile p99 {p99.TotalMilliseconds:F0} ms, longest {longest.TotalMilliseconds:F0} ms; the service's largest resident set {ledger.PeakMemory():F0} MiB; the rate at full speed after them");
    }
}

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Npgsql;
using Trust.Cli.Local;
using Trust.Kernel.Audit;

namespace Trust.Benchmarks.Ledger;

/// <summary><c>ledger.append</c>: durable append of events of up to 1 KB, subject index on, interleaved with the bare engine.</summary>
internal static class LedgerAppend
{
    /// <summary>Name of the row.</summary>
    public const string Name = "ledger.append";

    /// <summary>What it should reach.</summary>
    public const string Target = "≥15,000/s and ≥40 % of the bare engine; ack p99 ≤500 ms";

    /// <summary>Sources that post at once.</summary>
    internal const int Producers = 8;

    private const int BatchCount = 512;

    /// <summary>Measures on a ledger of its own, beside whatever else runs.</summary>
    /// <param name="extended">Ten times as long.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task<Row> Measure(bool extended, CancellationToken ct)
    {
        var directory = Directory.CreateTempSubdirectory("trust-bench-").FullName;
        // The database server may run under another account, which walks down to its folder.
        File.SetUnixFileMode(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        try
        {
            if (Assembly() is not { } assembly)
            {
                return Row.Missing(Name, "/s", Target, "the ledger is not built");
            }

            await using var ledger = await BenchLedger.Start(directory, assembly, Producers, ct);
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

    /// <summary>Fills a fresh ledger through its intake.</summary>
    /// <param name="ledger">The ledger.</param>
    /// <param name="batches">Batches of each producer.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>Events in it.</returns>
    internal static async Task<int> Fill(BenchLedger ledger, int batches, CancellationToken ct)
    {
        await Begin(ledger.Link("ca"), ct);
        await Post(ledger.Link("ca"), BatchMaker.Ceremony(ledger.BatchKey("ca")), 1, ct);
        await Task.WhenAll(ledger.Sources.Skip(1).Take(Producers).Select(async source =>
        {
            var link = ledger.Link(source);
            await Begin(link, ct);
            await Drive(link, BatchMaker.Make(source, ledger.BatchKey(source), batches, BatchCount), null, ct);
        }));
        return (Producers * batches * BatchCount) + 1;
    }

    // A/B/A/B: a slice through the intake, a slice of the bare engine, and again, so that both see the same machine.
    private static async Task<Row> Run(BenchLedger ledger, int batches, CancellationToken ct)
    {
        const int slices = 2;
        await Begin(ledger.Link("ca"), ct);
        await Post(ledger.Link("ca"), BatchMaker.Ceremony(ledger.BatchKey("ca")), 1, ct);
        var producers = new List<(LedgerLink Link, List<byte[]> Frames)>();
        foreach (var source in ledger.Sources.Skip(1).Take(Producers))
        {
            var link = ledger.Link(source);
            await Begin(link, ct);
            producers.Add((link, BatchMaker.Make(source, ledger.BatchKey(source), (batches * slices) + 2, BatchCount)));
        }

        await using var bare = await BareEngine.Create(ledger.Database, ct);
        var acks = new ConcurrentBag<TimeSpan>();
        await Task.WhenAll(producers.Select(p => Drive(p.Link, p.Frames[..2], null, ct))); // Warm-up.
        await bare.Write(BatchCount * 8, ct);
        var (intake, engine) = (TimeSpan.Zero, TimeSpan.Zero);
        for (var slice = 0; slice < slices; slice++)
        {
            var from = 2 + (slice * batches);
            var watch = Stopwatch.StartNew();
            await Task.WhenAll(producers.Select(p => Drive(p.Link, p.Frames[from..(from + batches)], acks, ct)));
            intake += watch.Elapsed;
            watch.Restart();
            await bare.Write(producers.Count * batches * BatchCount, ct);
            engine += watch.Elapsed;
        }

        var events = (double)producers.Count * batches * BatchCount * slices;
        var ordered = acks.Order().ToList();
        var (value, reference, p99) = (events / intake.TotalSeconds, events / engine.TotalSeconds, ordered[(int)(ordered.Count * 0.99)]);
        return new Row(
            Name, value, "/s", reference, "bare engine", Target, value >= 15_000 && value >= 0.4 * reference && p99.TotalMilliseconds <= 500,
            string.Create(CultureInfo.InvariantCulture, $"ack and checkpoint p99 {p99.TotalMilliseconds:F0} ms"));
    }

    private static async Task Begin(LedgerLink link, CancellationToken ct) =>
        _ = await link.OpenEpoch(new string('0', 64), ct) ?? throw new InvalidOperationException("The source is not fresh.");

    private static async Task Drive(LedgerLink link, List<byte[]> frames, ConcurrentBag<TimeSpan>? acks, CancellationToken ct)
    {
        foreach (var frame in frames)
        {
            var started = Stopwatch.GetTimestamp();
            await Post(link, frame, BatchCount, ct);
            acks?.Add(Stopwatch.GetElapsedTime(started));
        }
    }

    private static async Task Post(LedgerLink link, byte[] frame, int count, CancellationToken ct)
    {
        var outcome = await link.Post(frame, count, ct);
        if (outcome is not PostOutcome.Accepted)
        {
            throw new InvalidOperationException($"A batch was answered {outcome}.");
        }
    }
}

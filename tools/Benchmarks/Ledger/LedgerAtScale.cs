using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Trust.AuditLedger.Evidence;
using Trust.AuditLedger.Index;
using Trust.AuditLedger.Proofs;
using Trust.Cli.Local;
using Trust.Cli.Verify;
using Trust.Kernel.Postgres;

namespace Trust.Benchmarks.Ledger;

/// <summary>The <c>ledger.….10m</c> rows: what ten million events and a million subjects cost.</summary>
internal static class LedgerAtScale
{
    public const string AppendName = "ledger.append.10m";
    public const string AppendTarget = "≥90 % of the empty ledger's";
    public const string ProofName = "ledger.proof.10m";
    public const string ProofTarget = "inclusion proof p99 ≤5 ms";
    public const string QueryName = "ledger.query.10m";
    public const string QueryTarget = "100 events of a subject p99 ≤100 ms; 1,000 events proved p99 ≤50 ms, ≤20 KB beyond leaf hashes, verified p99 ≤5 ms";
    public const string MemoryName = "ledger.memory.10m";
    public const string MemoryTarget = "≤1,536 MiB at 10 million events and 1 million subjects";

    private const int Asked = 400;
    private const string ReadTiles = "SELECT count(sha256(hashes)) FROM tiles";

    /// <summary>The same load through the intake of a service on ten million events and of one on an empty log, A/B/A/B.</summary>
    public static async Task<Row> Append(BenchRun run, CancellationToken ct)
    {
        var assembly = LedgerAppend.Assembly() ?? throw new CommandFailedException("the ledger is not built");
        var log = await run.BigLog(ct);
        var service = await log.Service(ct);
        var directory = BenchLedger.NewFolder();
        try
        {
            await using var empty = await BenchLedger.Start(directory, assembly, IntakeLoad.Producers, ct, large: true);
            var (batches, slices) = (run.Extended ? 40 : 24, 3);
            var (a, b) = (await IntakeLoad.Begin(service.Ledger, (batches * slices) + 14, ceremony: false, ct), await IntakeLoad.Begin(empty, (batches * slices) + 4, ceremony: true, ct));
            await a.Run(4, null, ct); // Warm-up.
            await b.Run(4, null, ct);
            var (late, early) = (TimeSpan.Zero, TimeSpan.Zero);
            for (var slice = 0; slice < slices; slice++)
            {
                late += await a.Run(batches, null, ct);
                early += await b.Run(batches, null, ct);
            }

            var events = (double)IntakeLoad.Producers * IntakeLoad.BatchCount * batches * slices;
            var (value, reference) = (events / late.TotalSeconds, events / early.TotalSeconds);
            var seal = await Seal(service.Ledger, a, ct);
            var (engineEarly, engineLate) = log.Rates;
            return new Row(AppendName, value, "/s", reference, "empty ledger", AppendTarget, value >= 0.9 * reference, string.Create(CultureInfo.InvariantCulture,
                $"through the intake, {slices} slices of each in turn, no SM2; bound by processor. Bare engine (3 subjects, 400 B) {engineLate:N0}/s at the end, {engineEarly:N0}/s in the second quarter million. Ready {service.AfterCrash.TotalSeconds:F1} s after a crash, {service.AfterStop.TotalSeconds:F1} s after a stop of {service.Stopping.TotalSeconds:F1} s, {service.CatchingUp.TotalSeconds:F1} s with all entries still unsigned. {seal}"));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    // The next group ends the volume of ten million entries, which is then stored behind the sequencer's back.
    private static async Task<string> Seal(BenchLedger ledger, IntakeLoad load, CancellationToken ct)
    {
        await ledger.Stop(ct);
        await ledger.Resume(TimeSpan.FromMinutes(15), ct, volumeSize: 1 << 20);
        var acks = new ConcurrentBag<TimeSpan>();
        await load.Run(1, acks, ct);
        var first = acks.Max();
        acks.Clear();
        await load.Run(9, acks, ct);
        await ledger.Stop(ct);
        return string.Create(CultureInfo.InvariantCulture,
            $"Sealing the volume: group acknowledged after {first.TotalMilliseconds:F0} ms, those after it within {acks.Max().TotalMilliseconds:F0} ms (median {acks.Order().ElementAt(acks.Count / 2).TotalMilliseconds:F0})");
    }

    /// <summary>Inclusion proofs of random entries under random published sizes.</summary>
    public static async Task<Row> Proof(BenchRun run, CancellationToken ct)
    {
        var log = await run.BigLog(ct);
        await log.Database.Sql(ReadTiles).Execute(ct);
        var times = new List<double>();
        for (var i = -Asked / 4; i < Asked; i++)
        {
            var size = log.Sizes[(int)log.Random(log.Sizes.Count)];
            var began = Stopwatch.GetTimestamp();
            await new TreeReader(log.Database, log.Head.Edge).Inclusion(log.Random(size), size, ct);
            Note(times, i, began);
        }

        return new Row(ProofName, At(times, 0.99), "ms", null, "", ProofTarget, At(times, 0.99) <= 5,
            string.Create(CultureInfo.InvariantCulture, $"median {At(times, 0.5):F1} ms; random entries under random past sizes; one statement a proof; bound by copying its tiles out of the server's memory"));
    }

    /// <summary>Questions of 100 events with their bodies, batches and inclusion proofs, and of 1,000 events proved, at random past sizes.</summary>
    public static async Task<Row> Query(BenchRun run, CancellationToken ct)
    {
        var log = await run.BigLog(ct);
        await log.Database.Sql(ReadTiles).Execute(ct);
        var prover = new CompletenessProver(log.Live, log.Database, NullLogger<CompletenessProver>.Instance);
        // What the system has dropped from its memory since it was written comes from the disk.
        var cold = await Ask(log, prover, 100, bodies: true, ct);
        await log.Warm(ct);
        var hundred = await Ask(log, prover, 100, bodies: true, ct);
        // Bodies have pushed tiles out of the server's memory.
        await log.Database.Sql(ReadTiles).Execute(ct);
        var thousand = await Ask(log, prover, 1000, bodies: false, ct);
        var absent = new List<double>();
        for (var i = -20; i < Asked; i++)
        {
            var size = log.Sizes[(int)log.Random(log.Sizes.Count)];
            var began = Stopwatch.GetTimestamp();
            await prover.Prove(log.Head, LedgerKeys.Of(9, i + 100), 0, size - 1, size, 10, ct);
            Note(absent, i, began);
        }

        var met = At(hundred.Times, 0.99) <= 100 && At(thousand.Times, 0.99) <= 50 && thousand.Largest <= 20_480 && At(thousand.Verified, 0.99) <= 5;
        return new Row(QueryName, At(hundred.Times, 0.99), "ms", null, "", QueryTarget, met, string.Create(CultureInfo.InvariantCulture,
            $"100 events with bodies, batches of 32 and inclusion proofs median {At(hundred.Times, 0.5):F1} ms with the log in memory, p50/p99 {At(cold.Times, 0.5):F1}/{At(cold.Times, 0.99):F1} before, from the disk; proof ≤{hundred.Largest:N0} B; 1,000 events p50/p99 {At(thousand.Times, 0.5):F1}/{At(thousand.Times, 0.99):F1} ms, proof ≤{thousand.Largest:N0} B, verified {At(thousand.Verified, 0.5):F1}/{At(thousand.Verified, 0.99):F1} ms by trust verify's own code; absence {At(absent, 0.5):F1}/{At(absent, 0.99):F1} ms; institutions at random past sizes, tiles in the server's memory; bound by looking up leaf hashes in tiles, and for bodies by the server's work on some 3,000 rows; from the disk by its random reads"));
    }

    /// <summary>Memory of the service on ten million events, and of the process that made them.</summary>
    public static async Task<Row> Memory(BenchRun run, CancellationToken ct)
    {
        var log = await run.BigLog(ct);
        var service = await log.Service(ct);
        var peak = service.Ledger.PeakMemory();
        return new Row(MemoryName, peak, "MiB", null, "", MemoryTarget, peak <= 1536 && log.PeakMemory <= 1536, string.Create(CultureInfo.InvariantCulture,
            $"largest resident set of the service through its restarts and what it was asked; {log.PeakMemory:N0} of the process that filled the log, generator included, {log.LiveMemory:N0} MiB of it live at the end"));
    }

    private static async Task<(List<double> Times, List<double> Verified, int Largest)> Ask(BigLog log, CompletenessProver prover, int events, bool bodies, CancellationToken ct)
    {
        var (times, verified, largest) = (new List<double>(), new List<double>(), 0);
        var store = new EvidenceStore(log.Database);
        for (var i = -Asked / 4; i < Asked; i++)
        {
            var size = log.Sizes[(log.Sizes.Count / 2) + (int)log.Random(log.Sizes.Count / 2)];
            var key = BigLog.Institution(log.Random(200));
            var (from, to) = await Range(log, key, events, size, ct);
            var began = Stopwatch.GetTimestamp();
            var answer = (SubjectAnswer.Proved)await prover.Prove(log.Head, key, from, to, size, events + 10, ct);
            if (bodies)
            {
                var indices = answer.Shown.ConvertAll(p => p.Index);
                var stored = await store.ReadAll(indices, int.MaxValue, ct);
                _ = stored?.All(e => e is not null) == true ? 0 : throw new InvalidOperationException("An entry is missing.");
                await new TreeReader(log.Database, log.Head.Edge).Inclusions(indices, size, ct);
            }

            Note(times, i, began);
            largest = Math.Max(largest, answer.Proof.Length);
            var root = await new TreeReader(log.Database, log.Head.Edge).Root(size, ct);
            var hashes = answer.Shown.ConvertAll(p => p.LeafHash);
            began = Stopwatch.GetTimestamp();
            if (CompletenessProof.TryRead(answer.Proof)?.Holds(size, root, key, from, to, hashes) != true)
            {
                throw new InvalidOperationException("A proof does not hold.");
            }

            Note(verified, i, began);
        }

        return (times, verified, largest);
    }

    // A stretch of the log in which the key has so many events.
    private static async Task<(long From, long To)> Range(BigLog log, byte[] key, int events, long size, CancellationToken ct)
    {
        var at = new VolumeAt(0, 0, size - 1, []);
        var postings = (await log.Live.Bucket(at, (key[0] << 8) | key[1], ct)).Find(k => k.Key.SequenceEqual(key))!;
        var count = postings.CountBelow(size - 1);
        var first = log.Random(Math.Max(1, count - events));
        var indices = postings.Indices(first, Math.Min(count, first + events));
        return (indices[0], indices[^1] + 1);
    }

    private static void Note(List<double> times, int i, long began)
    {
        if (i >= 0)
        {
            times.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        }
    }

    private static double At(List<double> times, double quantile) => times.Order().ElementAt((int)(times.Count * quantile));
}

using System.Collections.Concurrent;
using System.Globalization;

namespace Trust.Benchmarks.Ledger;

/// <summary>Ten minutes at a rate that does not wait for the ledger: each answer is counted from when its batch fell due.</summary>
/// <param name="Took">How long it took.</param>
/// <param name="Rate">Events a second.</param>
/// <param name="Waits">Of each batch, shortest first.</param>
/// <param name="DiskP99">Of a flush of 200 bytes on the same disk meanwhile.</param>
/// <param name="DiskLongest">Of these flushes the longest.</param>
internal sealed record SteadyLoad(TimeSpan Took, double Rate, List<TimeSpan> Waits, TimeSpan DiskP99, TimeSpan DiskLongest)
{
    private static readonly TimeSpan Length = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(30);

    /// <summary>What all but one of a hundred waited at most.</summary>
    public TimeSpan P99 => Waits[(int)(Waits.Count * 0.99)];

    /// <summary>Runs it.</summary>
    /// <param name="ledger">Where the load goes.</param>
    /// <param name="load">Its producers.</param>
    /// <param name="rate">Events a second.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task<SteadyLoad> Run(BenchLedger ledger, IntakeLoad load, int rate, CancellationToken ct)
    {
        // A service that has just started compiles meanwhile, and what it is late by then would be counted for a minute.
        await load.RunPaced(WarmUp, rate / 2, [], ct);
        await using var disk = new DiskProbe(ledger.Scratch);
        var acks = new ConcurrentBag<TimeSpan>();
        var took = await load.RunPaced(Length, rate, acks, ct);
        var (p99, longest) = await disk.Stop();
        return new SteadyLoad(took, (double)acks.Count * IntakeLoad.BatchCount / took.TotalSeconds, [.. acks.Order()], p99, longest);
    }

    /// <summary>In words.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"median {Waits[Waits.Count / 2].TotalMilliseconds:F0} ms, longest {Waits[^1].TotalMilliseconds:F0} ms from when a batch fell due, in {Took.TotalMinutes:F1} minutes at {Rate:N0}/s, batches made meanwhile, eight events a prescription, 100,000 patients; a flush of 200 bytes on the same disk meanwhile p99 {DiskP99.TotalMilliseconds:F0} ms, longest {DiskLongest.TotalMilliseconds:F0} ms");
}

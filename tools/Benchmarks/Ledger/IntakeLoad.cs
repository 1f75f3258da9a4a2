using System.Collections.Concurrent;
using System.Diagnostics;
using Trust.Kernel.Audit;

namespace Trust.Benchmarks.Ledger;

/// <summary>Sources that post to a ledger at once, each one batch after the other.</summary>
internal sealed class IntakeLoad
{
    /// <summary>Sources that post at once.</summary>
    public const int Producers = 8;

    /// <summary>Events of a batch.</summary>
    public const int BatchCount = 512;

    private readonly List<(LedgerLink Link, BatchMaker Maker, Queue<byte[]> Frames)> _producers = [];

    private IntakeLoad() { }

    /// <summary>Makes batches for a ledger to which its sources have posted nothing yet.</summary>
    /// <param name="ledger">The ledger.</param>
    /// <param name="batches">Batches of each producer that are made beforehand, so that a measurement holds the ledger's work alone.</param>
    /// <param name="ceremony">Whether the ledger is empty, so that the ceremony's event must come first.</param>
    /// <param name="ct">Cancels.</param>
    /// <param name="subjects">Whom its events concern.</param>
    public static async Task<IntakeLoad> Begin(BenchLedger ledger, int batches, bool ceremony, CancellationToken ct, Subjects subjects = Subjects.AllNew)
    {
        if (ceremony)
        {
            await Open(ledger.Link("ca"), ct);
            await Post(ledger.Link("ca"), BatchMaker.Ceremony(ledger.BatchKey("ca")), 1, ct);
        }

        var load = new IntakeLoad();
        foreach (var source in ledger.Sources.Skip(1).Take(Producers))
        {
            var link = ledger.Link(source);
            await Open(link, ct);
            var maker = new BatchMaker(source, ledger.BatchKey(source), subjects);
            load._producers.Add((link, maker, new Queue<byte[]>(Enumerable.Range(0, batches).Select(_ => maker.Next(BatchCount)))));
        }

        return load;
    }

    /// <summary>Posts the next batches of every producer.</summary>
    /// <param name="batches">Of each.</param>
    /// <param name="acks">Takes how long each batch waited for its answer.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>Until the last answer.</returns>
    public async Task<TimeSpan> Run(int batches, ConcurrentBag<TimeSpan>? acks, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(_producers.Select(async p =>
        {
            for (var i = 0; i < batches; i++)
            {
                var began = Stopwatch.GetTimestamp();
                await Post(p.Link, p.Frames.Dequeue(), BatchCount, ct);
                acks?.Add(Stopwatch.GetElapsedTime(began));
            }
        }));
        return watch.Elapsed;
    }

    /// <summary>Posts batches for a time, each made when the one before it has been answered.</summary>
    /// <param name="time">How long batches are begun.</param>
    /// <param name="acks">Takes how long each batch waited for its answer.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>Until the last answer.</returns>
    public async Task<TimeSpan> RunFor(TimeSpan time, ConcurrentBag<TimeSpan> acks, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(_producers.Select(p => Task.Run(
            async () =>
            {
                while (watch.Elapsed < time)
                {
                    var frame = p.Maker.Next(BatchCount);
                    var began = Stopwatch.GetTimestamp();
                    await Post(p.Link, frame, BatchCount, ct);
                    acks.Add(Stopwatch.GetElapsedTime(began));
                }
            },
            ct)));
        return watch.Elapsed;
    }

    private static async Task Open(LedgerLink link, CancellationToken ct) =>
        _ = await link.OpenEpoch(new string('0', 64), ct) ?? throw new InvalidOperationException("The source is not fresh.");

    private static async Task Post(LedgerLink link, byte[] frame, int count, CancellationToken ct)
    {
        var outcome = await link.Post(frame, count, ct);
        if (outcome is not PostOutcome.Accepted)
        {
            throw new InvalidOperationException($"A batch was answered {outcome}.");
        }
    }
}

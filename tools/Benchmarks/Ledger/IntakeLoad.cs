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
            load._producers.Add((link, new BatchMaker(source, ledger.BatchKey(source), subjects), []));
        }

        load.Prepare(batches);
        return load;
    }

    /// <summary>Makes the next batches of every producer, for <see cref="Run"/>.</summary>
    public void Prepare(int batches) => _producers.ForEach(p =>
    {
        for (var i = 0; i < batches; i++)
        {
            p.Frames.Enqueue(p.Maker.Next(BatchCount));
        }
    });

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

    /// <summary>Posts at a steady rate, batches that are made meanwhile, once those made beforehand are posted; a source that is late posts at once.</summary>
    /// <param name="time">How long batches fall due.</param>
    /// <param name="perSecond">Events of all sources together.</param>
    /// <param name="acks">Takes how long after it fell due each batch was answered: who is late because the ledger was is not spared.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>Until the last answer.</returns>
    public async Task<TimeSpan> RunPaced(TimeSpan time, int perSecond, ConcurrentBag<TimeSpan> acks, CancellationToken ct)
    {
        var interval = TimeSpan.FromSeconds((double)Producers * BatchCount / perSecond);
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(_producers.Select((p, n) => Task.Run(
            async () =>
            {
                for (var due = interval * n / Producers; due < time; due += interval)
                {
                    var frame = p.Maker.Next(BatchCount);
                    if (due > watch.Elapsed)
                    {
                        await Task.Delay(due - watch.Elapsed, ct);
                    }

                    await Post(p.Link, frame, BatchCount, ct);
                    acks.Add(watch.Elapsed - due);
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

using System.Diagnostics;
using Trust.Kernel.LockStore;

namespace Trust.Benchmarks.Ledger;

/// <summary>Ten times a second writes some bytes beside a load and has them flushed: what the disk makes everybody wait, whatever they do.</summary>
internal sealed class DiskProbe : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private readonly CancellationTokenSource _stop = new();
    private readonly List<TimeSpan> _took = [];
    private readonly Task _running;

    /// <param name="directory">On the disk that is asked.</param>
    public DiskProbe(string directory) => _running = Task.Run(() => Probe(new FileLockStore(directory)));

    /// <summary>Stops, and says how long the slowest of a hundred and the slowest of all took, in order.</summary>
    public async Task<(TimeSpan P99, TimeSpan Longest)> Stop()
    {
        await _stop.CancelAsync();
        await _running;
        var ordered = _took.Order().ToList();
        return (ordered[(int)(ordered.Count * 0.99)], ordered[^1]);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    private async Task Probe(FileLockStore store)
    {
        for (var note = ""; !_stop.IsCancellationRequested;)
        {
            var next = new string((char)('a' + (_took.Count % 26)), 200);
            var began = Stopwatch.GetTimestamp();
            store.Swap(note, next);
            _took.Add(Stopwatch.GetElapsedTime(began));
            note = next;
            await Task.Delay(Interval, CancellationToken.None);
        }
    }
}

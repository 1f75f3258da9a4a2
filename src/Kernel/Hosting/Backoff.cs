using System.Collections.Concurrent;

namespace Trust.Kernel.Hosting;

/// <summary>
/// Who is tried again when, for work on many items of which one may fail for ever: an item that fails waits twice as long each time
/// while the others go on. Kept in memory: after a restart each is tried once more.
/// </summary>
/// <typeparam name="TKey">What names an item.</typeparam>
/// <param name="first">Wait after the first failure.</param>
/// <param name="longest">Longest wait.</param>
/// <param name="clock">Time.</param>
public sealed class Backoff<TKey>(TimeSpan first, TimeSpan longest, TimeProvider clock)
    where TKey : notnull
{
    private readonly ConcurrentDictionary<TKey, (int Failures, DateTimeOffset Next)> _waiting = [];

    /// <summary>True when the item may be tried now.</summary>
    public bool IsDue(TKey item) => !_waiting.TryGetValue(item, out var wait) || clock.GetUtcNow() >= wait.Next;

    /// <summary>The items that must not be tried now, for a query to leave out.</summary>
    public IReadOnlyList<TKey> Waiting
    {
        get
        {
            var now = clock.GetUtcNow();
            return [.. _waiting.Where(w => w.Value.Next > now).Select(w => w.Key)];
        }
    }

    /// <summary>The item failed.</summary>
    public void Failed(TKey item) => _waiting.AddOrUpdate(
        item, _ => (1, clock.GetUtcNow() + first), (_, wait) => (wait.Failures + 1, clock.GetUtcNow() + Pause(wait.Failures + 1)));

    /// <summary>The item is done, or gone.</summary>
    public void Done(TKey item) => _waiting.TryRemove(item, out _);

    private TimeSpan Pause(int failures)
    {
        var pause = first * Math.Pow(2, Math.Min(failures - 1, 30));
        return pause < longest ? pause : longest;
    }
}

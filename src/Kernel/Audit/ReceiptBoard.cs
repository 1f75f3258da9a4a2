using System.Collections.Concurrent;
using Trust.LogFormat;

namespace Trust.Kernel.Audit;

/// <summary>Where confirmed acts wait and the relay of this process posts receipts.</summary>
public sealed class ReceiptBoard
{
    // A relay in another instance records receipts in the database only, so a waiter also looks there, this often; seldom where this process's own relay tells.
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LookBeside = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<EventId, TaskCompletionSource<Receipt>> _waiting = new();

    internal void Post(EventId id, Receipt receipt)
    {
        if (_waiting.TryGetValue(id, out var wait))
        {
            wait.TrySetResult(receipt);
        }
    }

    internal Waiter Await(EventId id)
    {
        var source = new TaskCompletionSource<Receipt>(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting[id] = source;
        return new Waiter(this, id, source.Task);
    }

    internal sealed class Waiter(ReceiptBoard board, EventId id, Task<Receipt> posted) : IDisposable
    {
        public async Task<Receipt?> Receipt(Func<Task<Receipt?>> find, bool told, TimeSpan atMost, TimeProvider clock, CancellationToken ct)
        {
            var started = clock.GetTimestamp();
            while (clock.GetElapsedTime(started) < atMost && !ct.IsCancellationRequested)
            {
                try
                {
                    return await posted.WaitAsync(told ? LookBeside : Look, ct);
                }
                catch (TimeoutException)
                {
                    if (await find() is { } receipt)
                    {
                        return receipt;
                    }
                }
                catch (OperationCanceledException)
                {
                    // The caller hung up; the event is committed all the same, so the answer is "unknown", not an exception.
                    break;
                }
            }

            return null;
        }

        public void Dispose() => board._waiting.TryRemove(id, out _);
    }
}

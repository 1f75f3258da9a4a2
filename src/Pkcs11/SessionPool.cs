namespace Trust.Pkcs11;

/// <summary>
/// Runs native calls on threads of its own, one session each: a slow token blocks these threads and never the thread pool,
/// and no session ever carries two operations at once.
/// </summary>
internal sealed class SessionPool : IAsyncDisposable
{
    private const int MaxQueued = 10_000;

    private readonly TokenConnection _connection;
    // A plain monitor: workers sleep when there is nothing to do, and never spin beside the processors that have.
    private readonly object _gate = new();
    private readonly Queue<IJob> _queue = new();
    private readonly Task[] _workers;
    private bool _closed;

    public SessionPool(TokenConnection connection, int sessions)
    {
        _connection = connection;
        _workers = new Task[sessions];
        for (var i = 0; i < sessions; i++)
        {
            var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _workers[i] = ended.Task;
            new Thread(() => Work(ended)) { IsBackground = true, Name = $"token {connection.Label} {i}" }.Start();
        }
    }

    private interface IJob
    {
        bool MayReplay { get; }

        bool Begin();

        void Run(ulong session, LiveToken live);

        void Fail(Exception e);
    }

    /// <summary>Queues one operation.</summary>
    /// <param name="work">Gets a session and the live token; runs on a worker thread.</param>
    /// <param name="replay">True when it may run a second time after the token came back: nothing it did was released.</param>
    /// <param name="ct">Honoured until the token starts on it; what has started is awaited, so that no result is lost.</param>
    public Task<T> Run<T>(Func<ulong, LiveToken, T> work, bool replay, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        var job = new Job<T>(work, replay, ct);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            if (_queue.Count >= MaxQueued)
            {
                throw new TokenException("TOKEN_BUSY", $"{MaxQueued} operations wait for token {_connection.Label}: it is too slow or stuck.");
            }

            _queue.Enqueue(job);
            Monitor.Pulse(_gate);
        }

        return job.Task;
    }

    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            _closed = true;
            Monitor.PulseAll(_gate);
        }

        await Task.WhenAll(_workers);
    }

    // What was queued before the end is still done.
    private IJob? Next()
    {
        lock (_gate)
        {
            IJob? job;
            while (!_queue.TryDequeue(out job) && !_closed)
            {
                _ = Monitor.Wait(_gate);
            }

            return job;
        }
    }

    private void Work(TaskCompletionSource ended)
    {
        LiveToken? live = null;
        SessionHandle? session = null;
        while (Next() is { } job)
        {
            if (!job.Begin())
            {
                continue;
            }

            // At most two rounds: as it is, and once more on new sessions when the token had gone.
            for (var round = 0; round < 2; round++)
            {
                try
                {
                    var current = _connection.Current ?? _connection.Reopen(null);
                    if (!ReferenceEquals(live, current))
                    {
                        // The old one went with the token; its number may by now be another's, so it is not closed.
                        session?.SetHandleAsInvalid();
                        live = null;
                        session = current.Module.OpenSession(current.Slot);
                        live = current;
                    }

                    job.Run(session!.Value, current);
                    break;
                }
                catch (TokenException e) when (round == 0 && e.IsTokenLost)
                {
                    // The token is asked for again in any case; only what released nothing runs a second time.
                    if (!TryReopen(ref live, session) || !job.MayReplay)
                    {
                        job.Fail(e);
                        break;
                    }
                }
                catch (Exception e) when (Deliver(job, e))
                {
                    if (e is TokenException { IsTokenLost: true })
                    {
                        live = null;
                    }

                    break;
                }
            }
        }

        if (live is null)
        {
            session?.SetHandleAsInvalid();
        }

        session?.Dispose();
        ended.SetResult();
    }

    // The caller waits for this exception; the worker thread goes on.
    private static bool Deliver(IJob job, Exception e)
    {
        job.Fail(e);
        return true;
    }

    private bool TryReopen(ref LiveToken? live, SessionHandle? session)
    {
        var failed = live ?? _connection.Current;
        session?.Dispose();
        live = null;

        try
        {
            _ = _connection.Reopen(failed);
            return true;
        }
        catch (TokenException)
        {
            // Still away: the caller gets the first error, the next operation tries again.
            return false;
        }
    }

    private sealed class Job<T>(Func<ulong, LiveToken, T> work, bool replay, CancellationToken ct) : IJob
    {
        private readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<T> Task => _done.Task;

        public bool MayReplay => replay;

        public bool Begin()
        {
            if (!ct.IsCancellationRequested)
            {
                return true;
            }

            _ = _done.TrySetCanceled(ct);
            return false;
        }

        public void Run(ulong session, LiveToken live) => _ = _done.TrySetResult(work(session, live));

        public void Fail(Exception e) => _ = _done.TrySetException(e);
    }
}

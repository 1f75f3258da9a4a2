namespace Trust.Pkcs11;

/// <summary>
/// Runs native calls on threads of its own, one session each: a slow token blocks these threads and never the thread pool, and no session
/// ever carries two operations at once. A call that does not return within its time is given up together with its thread, and another thread
/// takes the place; when as many are given up as the pool has sessions, it refuses at once until one of them returns.
/// </summary>
internal sealed class SessionPool : IAsyncDisposable
{
    private const int GenerationPatience = 6;

    private readonly TokenConnection _connection;
    private readonly TimeProvider _clock;
    private readonly TimeSpan _callTimeout;
    private readonly string _name;
    private readonly int _sessions;
    private readonly int _maxQueued;

    // A plain monitor: threads sleep when there is nothing to do, and never spin beside the processors that have.
    private readonly object _gate = new();
    private readonly LinkedList<TokenJob> _queue = new();
    private readonly HashSet<SessionThread> _threads = [];
    private readonly HashSet<SessionThread> _givenUp = [];
    private readonly ITimer _watch;
    private volatile bool _isSilent;
    private bool _closed;

    /// <summary>Starts the threads; sessions are opened by the first operation of each.</summary>
    /// <param name="connection">The token.</param>
    /// <param name="name">Shown in the names of the threads.</param>
    /// <param name="sessions">Operations in flight.</param>
    /// <param name="maxQueued">Operations that may wait.</param>
    /// <param name="callTimeout">Longest time for one call.</param>
    /// <param name="clock">Measures it.</param>
    public SessionPool(TokenConnection connection, string name, int sessions, int maxQueued, TimeSpan callTimeout, TimeProvider clock)
    {
        (_connection, _name, _sessions, _maxQueued, _callTimeout, _clock) = (connection, name, sessions, maxQueued, callTimeout, clock);
        lock (_gate)
        {
            FillUp();
        }

        // Ten looks in a call's time: it is given up at most a tenth late.
        _watch = clock.CreateTimer(static pool => ((SessionPool)pool!).GiveUpLate(), this, callTimeout / 10, callTimeout / 10);
    }

    /// <summary>Whether a call was given up and neither has returned nor another been answered since.</summary>
    public bool IsSilent => _isSilent;

    /// <summary>Queues one operation.</summary>
    /// <param name="work">Gets a session and the live token; runs on a session's thread.</param>
    /// <param name="rules">How it may be treated.</param>
    /// <param name="ct">Heeded until the token starts on it; what has started is awaited, so that no result is lost.</param>
    /// <exception cref="TokenException">TOKEN_BUSY, TOKEN_SILENT: at once. Other faults come with the task.</exception>
    public Task<T> Run<T>(Func<TokenSession, LiveToken, T> work, JobRules rules, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        var job = new TokenJob<T>(work, rules, ct);
        job.Registration = ct.UnsafeRegister(static (state, _) => Withdraw(((SessionPool, TokenJob))state!), (this, (TokenJob)job));
        try
        {
            lock (_gate)
            {
                Admit(job);
            }
        }
        catch
        {
            _ = job.Registration.Unregister();
            throw;
        }

        return job.Task;
    }

    /// <summary>Ends the threads when what is queued is done; a call that is given up is not waited for.</summary>
    public async ValueTask DisposeAsync()
    {
        List<Task> left;
        lock (_gate)
        {
            _closed = true;
            Monitor.PulseAll(_gate);
            left = [.. _threads.Select(t => t.Left)];
        }

        await Task.WhenAll(left);
        await _watch.DisposeAsync();
    }

    /// <summary>The next operation for a thread; null when it shall end.</summary>
    internal TokenJob? Next(SessionThread thread)
    {
        TokenJob job;
        lock (_gate)
        {
            while (_queue.Count == 0 && !_closed && !thread.IsGivenUp)
            {
                _ = Monitor.Wait(_gate);
            }

            if (thread.IsGivenUp || _queue.First is not { } first)
            {
                return null;
            }

            _queue.RemoveFirst();
            job = first.Value;
            job.Place = null;
            thread.Begin(job, Due(job.Rules));
        }

        _ = job.Registration.Unregister();
        return job;
    }

    /// <summary>The instant by which a call that begins now has to return.</summary>
    internal long Due(JobRules rules) =>
        _clock.GetTimestamp() + (long)((rules.IsGeneration ? GenerationPatience : 1) * _callTimeout.TotalSeconds * _clock.TimestampFrequency);

    /// <summary>Hears of an operation that the token answered.</summary>
    internal void Heard(TokenJob job)
    {
        if (_isSilent && !job.Rules.IsProbe)
        {
            _isSilent = false;
        }
    }

    /// <summary>Hears of a thread that ended; where it had been given up its call has returned, and another may take a place that was left empty.</summary>
    internal void Ended(SessionThread thread)
    {
        lock (_gate)
        {
            _ = _threads.Remove(thread);
            if (_givenUp.Remove(thread) && _givenUp.Count == 0)
            {
                _isSilent = false;
            }

            FillUp();
        }
    }

    private static void Withdraw((SessionPool Pool, TokenJob Job) leaving)
    {
        var (pool, job) = leaving;
        lock (pool._gate)
        {
            job.IsWithdrawn = true;
            if (job.Place is not { } place)
            {
                // Not queued yet, and then it never will be; or begun, and then it is awaited.
                return;
            }

            pool._queue.Remove(place);
            job.Place = null;
        }

        job.Cancel();
    }

    private void Admit(TokenJob job)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        if (job.IsWithdrawn)
        {
            job.Cancel();
            return;
        }

        if (_threads.Count == 0)
        {
            throw Silence();
        }

        if (_queue.Count >= _maxQueued)
        {
            throw new TokenException(TokenException.Busy, $"{_maxQueued} operations wait for token {_connection.Label}: it is too slow or stuck.");
        }

        job.Place = _queue.AddLast(job);
        Monitor.Pulse(_gate);
    }

    private void GiveUpLate()
    {
        List<TokenJob> failed = [];
        lock (_gate)
        {
            var now = _clock.GetTimestamp();
            foreach (var late in _threads.Where(t => t.IsLate(now)).ToList())
            {
                _ = _threads.Remove(late);
                _ = _givenUp.Add(late);
                failed.Add(late.GiveUp());
                _isSilent = true;
            }

            FillUp();
            if (_threads.Count == 0)
            {
                failed.AddRange(_queue);
                foreach (var job in _queue)
                {
                    job.Place = null;
                }

                _queue.Clear();
            }
        }

        foreach (var job in failed)
        {
            job.Fail(Silence());
        }
    }

    // Threads that hang are replaced as long as they are no more than the sessions: what a module does with its threads is not ours to bound otherwise.
    private void FillUp()
    {
        while (!_closed && _threads.Count < _sessions && _threads.Count + _givenUp.Count < 2 * _sessions)
        {
            var thread = new SessionThread(this, _connection, _name);
            try
            {
                thread.Start();
            }
            catch (OutOfMemoryException)
            {
                // The machine has no thread left to give. Tried again at the next look.
                return;
            }

            _ = _threads.Add(thread);
        }
    }

    private TokenException Silence() => new(
        TokenException.Silent,
        $"Token {_connection.Label} does not answer: a call has not returned within {_callTimeout.TotalSeconds} s. Check the device and the network to it.");
}

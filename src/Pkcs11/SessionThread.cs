namespace Trust.Pkcs11;

/// <summary>A thread with a session of its own. It outlives every fault of token and module; only <see cref="SessionPool.Next"/> ends it.</summary>
internal sealed class SessionThread(SessionPool pool, TokenConnection connection, string name)
{
    private readonly TaskCompletionSource _left = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile TokenJob? _job;
    private volatile bool _isGivenUp;
    private long _due = long.MaxValue;
    private TokenSession? _session;
    private LiveToken? _live;

    /// <summary>Completes when the thread has ended or was given up.</summary>
    public Task Left => _left.Task;

    /// <summary>Whether a call of its did not return in time. It ends when that call returns.</summary>
    public bool IsGivenUp => _isGivenUp;

    /// <summary>Starts it.</summary>
    public void Start() => new Thread(Work) { IsBackground = true, Name = name }.Start();

    /// <summary>Notes what it does from now on, and until when a call has to return.</summary>
    public void Begin(TokenJob job, long due)
    {
        _job = job;
        Volatile.Write(ref _due, due);
    }

    /// <summary>Whether its call should have returned by now.</summary>
    public bool IsLate(long now) => now >= Volatile.Read(ref _due);

    /// <summary>Gives it up; answers the operation whose caller is to be told.</summary>
    public TokenJob GiveUp()
    {
        _isGivenUp = true;
        _ = _left.TrySetResult();
        return _job ?? throw new InvalidOperationException("A thread is late with an operation only.");
    }

    private void Work()
    {
        while (pool.Next(this) is { } job)
        {
            Run(job);
            Volatile.Write(ref _due, long.MaxValue);
        }

        CloseSession();
        pool.Ended(this);
        _ = _left.TrySetResult();
    }

    // At most two rounds: as it is, and once more on a new session when the old one, or the token, had gone. A late round's faults nobody hears.
    private void Run(TokenJob job)
    {
        for (var isFirst = true; ; isFirst = false)
        {
            try
            {
                job.Run(Session(out var live), live);
                // Before the caller has its answer: what it asks next finds a token that answers.
                pool.Heard(job);
                job.Succeed();
                return;
            }
            catch (TokenException e) when (e.IsTokenLost)
            {
                // The token is asked for again in any case; only what released nothing runs a second time.
                if (!isFirst || !TryRenew(e) || !job.Rules.MayReplay || IsGivenUp)
                {
                    DropSession();
                    job.Fail(e);
                    return;
                }
            }
#pragma warning disable CA1031 // The caller waits for this exception, whatever it is; the thread goes on.
            catch (Exception e)
#pragma warning restore CA1031
            {
                job.Fail(e);
                return;
            }
        }
    }

    private TokenSession Session(out LiveToken live)
    {
        live = connection.Current ?? connection.Reopen(null, Progress);
        if (!ReferenceEquals(_live, live))
        {
            // The old one went with the token; its number may by now be another's, so it is not closed.
            _session?.Abandon();
            (_session, _live) = (null, live);
        }

        return _session ??= live.Module.OpenSession(live.Slot);
    }

    // Reading a token's objects is many short calls.
    private void Progress()
    {
        if (_job is { } job)
        {
            Volatile.Write(ref _due, pool.Due(job.Rules));
        }
    }

    private bool TryRenew(TokenException why)
    {
        var failed = _live ?? connection.Current;
        DropSession();
        if (ReturnCode.IsSessionOutOfStep(why.ReturnValue))
        {
            // Only this session is out of step: closing it ends whatever operation it held.
            return true;
        }

        _live = null;
        try
        {
            _ = connection.Reopen(failed, Progress);
            return true;
        }
        catch (TokenException)
        {
            // Still away: the caller gets the first error, the next operation tries again.
            return false;
        }
    }

    private void DropSession()
    {
        _session?.Dispose();
        _session = null;
    }

    private void CloseSession()
    {
        if (ReferenceEquals(_live, connection.Current))
        {
            _session?.Dispose();
        }
        else
        {
            _session?.Abandon();
        }
    }
}

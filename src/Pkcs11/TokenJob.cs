namespace Trust.Pkcs11;

/// <summary>How an operation may be treated.</summary>
/// <param name="MayReplay">It may run a second time on a new session: nothing it did was released.</param>
/// <param name="IsGeneration">It makes a key, for which cards take half a minute: it may take six times as long as another call.</param>
/// <param name="IsProbe">Modules answer it without asking the token, so that its success says nothing of one that hangs.</param>
internal readonly record struct JobRules(bool MayReplay, bool IsGeneration = false, bool IsProbe = false);

/// <summary>One operation on its way through a <see cref="SessionPool"/>.</summary>
internal abstract class TokenJob(JobRules rules)
{
    public JobRules Rules => rules;

    /// <summary>Its place in the queue; null before it is queued and once it has left. Guarded by the pool's gate.</summary>
    public LinkedListNode<TokenJob>? Place { get; set; }

    /// <summary>Its caller has left. Guarded by the pool's gate.</summary>
    public bool IsWithdrawn { get; set; }

    /// <summary>Listens for the caller's leaving while it is queued.</summary>
    public CancellationTokenRegistration Registration { get; set; }

    /// <summary>Does the work.</summary>
    public abstract void Run(TokenSession session, LiveToken live);

    /// <summary>Hands the result to the caller, unless he was answered before.</summary>
    public abstract void Succeed();

    /// <summary>Hands a fault to the caller, unless he was answered before.</summary>
    public abstract void Fail(Exception e);

    /// <summary>Tells the caller that his leaving was heeded.</summary>
    public abstract void Cancel();
}

/// <summary>One operation with a result.</summary>
internal sealed class TokenJob<T>(Func<TokenSession, LiveToken, T> work, JobRules rules, CancellationToken ct) : TokenJob(rules)
{
    private readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private T? _result;

    public Task<T> Task => _done.Task;

    public override void Run(TokenSession session, LiveToken live) => _result = work(session, live);

    public override void Succeed() => _ = _done.TrySetResult(_result!);

    public override void Fail(Exception e) => _ = _done.TrySetException(e);

    public override void Cancel() => _ = _done.TrySetCanceled(ct);
}

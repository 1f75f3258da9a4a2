namespace Trust.AuditLedger.Evidence;

/// <summary>How many evidence files are made at once, so that a few large questions do not take all memory.</summary>
internal sealed class EvidenceDesk(AuditLedgerOptions options) : IDisposable
{
    private readonly SemaphoreSlim _free = new(options.Evidence.AtOnce);

    /// <summary>A place until it is disposed; null when none is free: whoever waits would hold memory and a connection for it.</summary>
    public IDisposable? TryEnter() => _free.Wait(0, CancellationToken.None) ? new Place(() => _free.Release()) : null;

    /// <inheritdoc/>
    public void Dispose() => _free.Dispose();

    private sealed class Place(Action leave) : IDisposable
    {
        private Action? _leave = leave;

        public void Dispose() => Interlocked.Exchange(ref _leave, null)?.Invoke();
    }
}

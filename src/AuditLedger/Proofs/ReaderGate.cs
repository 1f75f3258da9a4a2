namespace Trust.AuditLedger.Proofs;

/// <summary>
/// How many connections of the database those may hold at once who read hashes, proofs and anchors: anyone may. The sequencer, the look at standbys before a
/// signature and the sealing of data keys take theirs from the same pool, and never wait for a reader.
/// </summary>
internal sealed class ReaderGate : IDisposable
{
    /// <summary>Most at once, of a pool of a hundred.</summary>
    public const int Most = 16;

    private readonly SemaphoreSlim _free = new(Most);

    /// <summary>Reads when there is a place.</summary>
    /// <param name="read">Holds one connection at a time.</param>
    /// <param name="ct">The caller hangs up.</param>
    public async Task<T> Read<T>(Func<Task<T>> read, CancellationToken ct)
    {
        await _free.WaitAsync(ct);
        try
        {
            return await read();
        }
        finally
        {
            _free.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _free.Dispose();
}

namespace Trust.Idp.Access;

/// <summary>
/// Counts what this process has ended: sessions, families, tokens, clients. Whoever keeps an answer about tokens for a moment compares the count, so that an end is known
/// here at once; another instance knows of it when its moment is over.
/// </summary>
public sealed class Endings
{
    private long _count;

    /// <summary>How many there were.</summary>
    public long Count => Volatile.Read(ref _count);

    /// <summary>Something has ended, and is committed.</summary>
    public void Note() => Interlocked.Increment(ref _count);
}

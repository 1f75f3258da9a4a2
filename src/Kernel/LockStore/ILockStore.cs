namespace Trust.Kernel.LockStore;

/// <summary>
/// Holds the last signed checkpoint outside the database's cluster, so that no restore of the database can make the log sign a second history.
/// Contract: <see cref="TryAcquire"/> gives at most one holder at a time; <see cref="Swap"/> is atomic, durable before it returns, and
/// changes nothing unless what is stored equals what the caller believes. Any exception means "unknown": the holder must let go and load again.
/// </summary>
public interface ILockStore
{
    /// <summary>Becomes the holder; null when another process is.</summary>
    IDisposable? TryAcquire();

    /// <summary>The stored signed note; empty when none was ever stored.</summary>
    /// <exception cref="LockStoreException">The store exists but neither of its copies is whole.</exception>
    string Read();

    /// <summary>Replaces the stored note.</summary>
    /// <param name="expected">What <see cref="Read"/> or the last swap gave.</param>
    /// <param name="note">The new signed note.</param>
    /// <exception cref="LockStoreException">Something else is stored.</exception>
    void Swap(string expected, string note);
}

/// <summary>The lock store is not in the state its holder believes.</summary>
public sealed class LockStoreException(string message) : Exception(message);

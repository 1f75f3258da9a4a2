using System.Collections.Concurrent;

namespace Trust.Pkcs11;

/// <summary>A key's handle, valid for one login of one token.</summary>
/// <param name="Key">What callers see.</param>
/// <param name="Handle">Private or secret key object.</param>
internal sealed record KeyEntry(TokenKey Key, ulong Handle);

/// <summary>
/// The keys of one login by name. All are read at open, because searching is linear in the number of objects; a name that is not among them
/// may be of a key that another instance made since, and is searched for.
/// </summary>
internal sealed class KeyDirectory(TimeProvider clock)
{
    // Whoever can make us ask for names that do not exist would otherwise have the token searched as often as he likes.
    private static readonly TimeSpan SearchAgainAfter = TimeSpan.FromSeconds(1);
    private const int MaxMisses = 1000;

    private readonly ConcurrentDictionary<string, KeyEntry> _keys = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, long> _misses = new(StringComparer.Ordinal);

    /// <summary>Held while a key is made, so that two threads of this process do not make one name twice.</summary>
    public Lock Making { get; } = new();

    /// <summary>The instant, to mark a key that is being made.</summary>
    public DateTimeOffset Now => clock.GetUtcNow();

    /// <summary>The keys known.</summary>
    public IEnumerable<KeyEntry> All => _keys.Values;

    /// <summary>Number of keys known.</summary>
    public int Count => _keys.Count;

    /// <summary>The key, where no search is needed to tell: it is known, or was searched for in vain less than a second ago.</summary>
    /// <returns>False when the token has to be searched.</returns>
    public bool TryTell(string label, out KeyEntry? entry)
    {
        if (_keys.TryGetValue(label, out entry))
        {
            return true;
        }

        return _misses.TryGetValue(label, out var missed) && clock.GetElapsedTime(missed) < SearchAgainAfter;
    }

    /// <summary>The key; the token is searched where <see cref="TryTell"/> cannot tell.</summary>
    public KeyEntry? Find(TokenSession session, string label) => TryTell(label, out var entry) ? entry : Search(session, label);

    /// <summary>Searches the token for a key of that name.</summary>
    public KeyEntry? Search(TokenSession session, string label)
    {
        if (KeyReader.Read(session, label, Now, static () => { }) is [var found, ..])
        {
            Add(found);
            return found;
        }

        if (_misses.Count >= MaxMisses)
        {
            _misses.Clear();
        }

        _misses[label] = clock.GetTimestamp();
        return null;
    }

    /// <summary>Takes up a key.</summary>
    public void Add(KeyEntry entry)
    {
        _keys[entry.Key.Ref.Label] = entry;
        _ = _misses.TryRemove(entry.Key.Ref.Label, out _);
    }

    /// <summary>Forgets a key.</summary>
    public void Remove(string label) => _ = _keys.TryRemove(label, out _);
}

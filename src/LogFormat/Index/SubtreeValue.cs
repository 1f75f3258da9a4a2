namespace Trust.LogFormat.Index;

/// <summary>How many keys a subtree of the trie holds, as far as its hash depends on it.</summary>
public enum SubtreeKind
{
    /// <summary>None: 32 zero bytes.</summary>
    Empty = 0,

    /// <summary>One: its trie leaf, wherever the subtree begins.</summary>
    Single = 1,

    /// <summary>Several: the hash of both halves.</summary>
    Many = 2,
}

/// <summary>
/// S(set, depth) of docs/LEDGER-FORMAT.md with what is needed to join two of them: a key alone in a subtree stands at its top, so the value
/// depends on the set of keys only.
/// </summary>
/// <param name="Kind">Number of keys as far as it matters.</param>
/// <param name="Hash">32 bytes.</param>
public readonly record struct SubtreeValue(SubtreeKind Kind, byte[] Hash)
{
    /// <summary>No key.</summary>
    public static SubtreeValue None { get; } = new(SubtreeKind.Empty, new byte[IndexHash.Size]);

    /// <summary>Value of the subtree whose halves these are.</summary>
    public static SubtreeValue Join(SubtreeValue left, SubtreeValue right)
    {
        if (left.Kind == SubtreeKind.Empty && right.Kind != SubtreeKind.Many)
        {
            return right;
        }

        if (right.Kind == SubtreeKind.Empty && left.Kind != SubtreeKind.Many)
        {
            return left;
        }

        var hash = new byte[IndexHash.Size];
        IndexHash.TrieNode(left.Hash, right.Hash, hash);
        return new SubtreeValue(SubtreeKind.Many, hash);
    }

    /// <summary>Equal kind and hash.</summary>
    public bool Same(SubtreeValue other) => Kind == other.Kind && Hash.AsSpan().SequenceEqual(other.Hash);
}

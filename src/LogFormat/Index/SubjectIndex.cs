using System.Security.Cryptography;

namespace Trust.LogFormat.Index;

/// <summary>A volume whose trie never changes again.</summary>
/// <param name="Start">Index at which it begins.</param>
/// <param name="End">Index of the commit entry that ended it; the next volume begins there.</param>
/// <param name="TrieRoot">Root of its trie, 32 bytes.</param>
public sealed record SealedVolume(long Start, long End, byte[] TrieRoot)
{
    /// <summary>Leaf of the tree of sealed volumes.</summary>
    public byte[] Leaf()
    {
        var leaf = new byte[IndexHash.Size];
        IndexHash.SealedLeaf(Start, End, TrieRoot, leaf);
        return leaf;
    }
}

/// <summary>
/// The subject index as the log's entries determine it (docs/LEDGER-FORMAT.md): fed every entry in order it yields, or checks, every commit
/// entry. Pure: sequencer, witness and auditor run the same code. Not safe for concurrent use.
/// </summary>
public sealed class SubjectIndex
{
    private readonly List<SealedVolume> _sealed = [];
    private readonly PendingPostings _pending = new();
    private (IndexVolume Volume, long Size, CommitEntry? Last)? _before;
    private readonly IndexVolume? _ended;
    private readonly bool _canUndo;
    private byte[] _sealedRoot = SHA256.HashData([]);

    /// <summary>An index before the first entry.</summary>
    /// <param name="canUndo">False for one that only follows a log: <see cref="RevertCommit"/> has its price at every commit.</param>
    /// <param name="byActor">Whether its events are of type 3, where the first one will not tell.</param>
    public SubjectIndex(bool canUndo = true, bool byActor = false)
    {
        _canUndo = canUndo;
        ByActor = byActor;
        Volume = new IndexVolume(0, 0, canUndo);
    }

    /// <summary>Takes up again behind a logged commit entry.</summary>
    /// <param name="sealedVolumes">Volumes that were sealed before it.</param>
    /// <param name="last">The commit entry, as logged.</param>
    /// <param name="volume">Its volume, from an image; null when the volume ends with it, so that nothing of it is needed.</param>
    /// <param name="canUndo">False for one that only follows a log.</param>
    public SubjectIndex(IEnumerable<SealedVolume> sealedVolumes, CommitEntry last, IndexVolume? volume, bool canUndo = true)
    {
        _canUndo = canUndo;
        _sealed.AddRange(sealedVolumes);
        _sealedRoot = SealedRootOf(_sealed);
        Volume = volume ?? new IndexVolume(last.Volume, last.VolumeStart, canUndo);
        _ended = volume is null ? Volume : null;
        Last = last;
        Size = last.Covered + 1;
        ByActor = last.ByActor;
    }

    /// <summary>Every event from the first entry on is found by who acted: as the first one is.</summary>
    public bool ByActor { get; private set; }

    /// <summary>The live volume, as of the last commit.</summary>
    public IndexVolume Volume { get; private set; }

    /// <summary>Sealed volumes, in order.</summary>
    public IReadOnlyList<SealedVolume> Sealed => _sealed;

    /// <summary>Number of entries taken: the index of the next one.</summary>
    public long Size { get; private set; }

    /// <summary>The last commit entry; null before the first.</summary>
    public CommitEntry? Last { get; private set; }

    /// <summary>True when events were taken since the last commit entry.</summary>
    public bool HasPending => Size > (Last?.Covered + 1 ?? 0);

    /// <summary>Takes an event.</summary>
    /// <param name="index">Its index: the next one.</param>
    /// <param name="leafHash">RFC 6962 leaf hash.</param>
    /// <param name="keys">Keys of 32 bytes, rising, none twice.</param>
    /// <param name="byActor">Whether the actor's key is among them by the entry's type; null where that is not known, and of another entry than the first.</param>
    /// <exception cref="ArgumentException">Out of order.</exception>
    public void Append(long index, ReadOnlySpan<byte> leafHash, ReadOnlySpan<byte> keys, bool? byActor = null)
    {
        if (index != Size || leafHash.Length != IndexHash.Size || !EventLeaf.Rises(keys))
        {
            throw new ArgumentException($"Entry {index} cannot follow {Size} entries, or its keys do not rise.", nameof(index));
        }

        ByActor = index == 0 ? byActor ?? ByActor : ByActor;
        _pending.Add(index, leafHash, keys);
        Size++;
    }

    /// <summary>Takes the commit entry that the events before it make necessary.</summary>
    /// <param name="index">Its index: the next one.</param>
    /// <param name="volumeSize">The volume is over when its last commit entry lies at least so far behind its start.</param>
    /// <returns>The entry to log.</returns>
    public CommitEntry Commit(long index, long volumeSize)
    {
        var entry = Advance(index, ReferenceEquals(Volume, _ended) || (Last is { } last && last.Covered - last.VolumeStart >= volumeSize));
        _pending.Clear();
        return entry;
    }

    /// <summary>Takes a logged commit entry: false when entries before it give another, and then the log or this index is wrong.</summary>
    /// <remarks>Whether a volume ends is the log's choice, so it is taken from the entry; what follows from it is checked.</remarks>
    public bool Follow(CommitEntry logged)
    {
        if (logged.Covered != Size)
        {
            return false;
        }

        var given = Advance(logged.Covered, Last is { } last && logged.Volume == last.Volume + 1);
        _pending.Clear();
        if (logged.Covered < Volume.ConsistentFrom)
        {
            // Slices of an image that were written at different commits have not met yet; what follows from them is checked when they have.
            Last = logged;
            return true;
        }

        return given.Equals(logged);
    }

    /// <summary>
    /// Takes a logged commit entry of which only the leaf hash is left; false when that is not the hash of the one that the entries before it give:
    /// then it is none, or the log or this index is wrong, and it can still be taken as an event. Needs an index that can <see cref="RevertCommit"/>.
    /// </summary>
    /// <param name="index">Its index: the next one.</param>
    /// <param name="leafHash">RFC 6962 leaf hash.</param>
    /// <param name="beginsVolume">Whether the volume ended with the commit entry before.</param>
    public bool TryFollow(long index, ReadOnlySpan<byte> leafHash, bool beginsVolume)
    {
        if (MerkleProof.LeafHash(Advance(index, beginsVolume).Write()).AsSpan().SequenceEqual(leafHash))
        {
            _pending.Clear();
            return true;
        }

        RestoreBeforeCommit();
        Size = index;
        return false;
    }

    /// <summary>Takes back the last commit and the events it covered; possible once, and not after a further <see cref="Append"/>.</summary>
    /// <exception cref="InvalidOperationException">There is nothing to take back.</exception>
    public void RevertCommit()
    {
        RestoreBeforeCommit();
        _pending.Clear();
    }

    /// <summary>Root of the tree of sealed volumes.</summary>
    public static byte[] SealedRootOf(IReadOnlyList<SealedVolume> volumes) =>
        volumes.Count == 0 ? SHA256.HashData([]) : Fold([.. volumes.Select(v => v.Leaf())]);

    /// <summary>Hashes that join sealed volumes [from, to) to the root of their tree, left to right.</summary>
    public static List<byte[]> SealedProof(IReadOnlyList<SealedVolume> volumes, int from, int to)
    {
        var leaves = volumes.Select(v => v.Leaf()).ToArray();
        var proof = new List<byte[]>();
        Outside(0, leaves.Length);
        return proof;

        void Outside(int low, int high)
        {
            if (high <= from || low >= to)
            {
                proof.Add(Fold(leaves.AsSpan(low, high - low)));
            }
            else if (high - low > 1)
            {
                var middle = low + Split(high - low);
                Outside(low, middle);
                Outside(middle, high);
            }
        }
    }

    private void RestoreBeforeCommit()
    {
        var (volume, size, last) = _before ?? throw new InvalidOperationException("No commit can be taken back.");
        if (ReferenceEquals(volume, Volume))
        {
            Volume.RevertCommit();
        }
        else
        {
            _sealed.RemoveAt(_sealed.Count - 1);
            _sealedRoot = SealedRootOf(_sealed);
            Volume = volume;
        }

        (Size, Last, _before) = (size, last, null);
    }

    private CommitEntry Advance(long index, bool seal)
    {
        if (index != Size)
        {
            throw new ArgumentException($"A commit entry at {index} cannot follow {Size} entries.", nameof(index));
        }

        _before = _canUndo ? (Volume, Last?.Covered + 1 ?? 0, Last) : null;
        if (seal)
        {
            var last = Last!;
            _sealed.Add(new SealedVolume(last.VolumeStart, last.Covered, last.TrieRoot));
            _sealedRoot = SealedRootOf(_sealed);
            Volume = new IndexVolume(last.Volume + 1, last.Covered, _canUndo);
        }

        Volume.BeginCommit();
        _pending.AddTo(Volume);
        Volume.HashTouched();
        Size++;
        return Last = new CommitEntry(Volume.Number, Volume.Start, index, Volume.KeyCount, Volume.Root.Hash, _sealedRoot, ByActor);
    }

    private static byte[] Fold(ReadOnlySpan<byte[]> leaves)
    {
        if (leaves.Length == 1)
        {
            return leaves[0];
        }

        var split = Split(leaves.Length);
        var node = new byte[IndexHash.Size];
        IndexHash.SealedNode(Fold(leaves[..split]), Fold(leaves[split..]), node);
        return node;
    }

    private static int Split(int n) => 1 << System.Numerics.BitOperations.Log2((uint)n - 1);
}

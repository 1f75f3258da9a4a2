using System.Buffers;

namespace Trust.LogFormat.Index;

/// <summary>
/// One volume of the subject index in memory: the trie of keys with each key's tree of postings. Depths 0 to 16 of the trie are a fixed array
/// of values, deeper nodes hang below their bucket, the 16-bit prefix. Items lie in a few arrays, some 250 bytes a key; a posting takes one to
/// three bytes, because hashes of single postings are recomputed from leaf hashes where a proof needs them. Not safe for concurrent use.
/// </summary>
public sealed class IndexVolume
{
    /// <summary>Depth of the buckets.</summary>
    public const int BucketDepth = 16;

    /// <summary>Number of buckets.</summary>
    public const int Buckets = 1 << BucketDepth;

    private readonly VolumeKeys _keys;
    private readonly BucketTries _tries;
    private readonly UpperTrie _upper = new();
    private readonly List<int> _touched = [];
    private readonly ArrayBufferWriter<byte> _slice = new();
    private readonly VolumeUndo? _undo;
    private long[]? _imaged;

    internal IndexVolume(long number, long start, bool canUndo)
    {
        Number = number;
        Start = start;
        _keys = new VolumeKeys(start);
        _tries = new BucketTries(_keys);
        _undo = canUndo ? new VolumeUndo() : null;
    }

    /// <summary>Number of the volume, from 0.</summary>
    public long Number { get; }

    /// <summary>Index at which it begins.</summary>
    public long Start { get; }

    /// <summary>Keys in the trie.</summary>
    public long KeyCount => _keys.Count;

    /// <summary>Value of the whole trie.</summary>
    public SubtreeValue Root => _upper[1];

    /// <summary>Buckets that the last commit touched, rising.</summary>
    public IReadOnlyList<int> Touched => _touched;

    /// <summary>Value at depth 16.</summary>
    public SubtreeValue Bucket(int bucket) => _upper[Buckets + bucket];

    /// <summary>Value at depth 8.</summary>
    public SubtreeValue FanRoot(int fan) => _upper[256 + fan];

    /// <summary>Hash and kind at depth 16, not copied: they hold until the next commit.</summary>
    public ReadOnlySpan<byte> Bucket(int bucket, out SubtreeKind kind) => _upper.Read(Buckets + bucket, out kind);

    /// <summary>Hash and kind at depth 8, not copied: they hold until the next commit.</summary>
    public ReadOnlySpan<byte> FanRoot(int fan, out SubtreeKind kind) => _upper.Read(256 + fan, out kind);

    /// <summary>What the volume holds of each key of a bucket, in key order: copies.</summary>
    public List<KeyPostings> Read(int bucket)
    {
        var found = new List<KeyPostings>();
        _tries.Visit(bucket, (id, leaf) => found.Add(_keys.Read(id, leaf.ToArray())), _upper.Hash(Buckets + bucket));
        return found;
    }

    /// <summary>
    /// Commit from which on a volume read from an image is consistent: its slices were written as of different commits, and each takes only
    /// later events until all have met.
    /// </summary>
    public long ConsistentFrom { get; private set; }

    /// <summary>Begins a volume from an image: every slice is added, then <see cref="EndImage"/> called.</summary>
    public static IndexVolume BeginImage(long number, long start)
    {
        var volume = new IndexVolume(number, start, canUndo: true) { _imaged = new long[VolumeImage.Slices] };
        volume.BeginCommit();
        return volume;
    }

    /// <summary>Adds a slice of an image; false when its bytes are damaged. Whether they are true shows when a commit entry is followed.</summary>
    /// <param name="slice">First 12 bits of the keys.</param>
    /// <param name="parts">All of its parts, from the first.</param>
    public bool TryAddSlice(int slice, IReadOnlyList<SlicePart> parts)
    {
        if (VolumeImage.Join(parts, Start) is not { } keys || keys.Exists(k => SliceOf(k.Bytes) != slice))
        {
            return false;
        }

        _imaged![slice] = parts[^1].Commit;
        ConsistentFrom = Math.Max(ConsistentFrom, parts[^1].Commit);
        ApplyChanges(new ImagedKeys(keys), keys.Count);
        return true;
    }

    /// <summary>Hashes what the slices hold.</summary>
    public void EndImage() => HashTouched();

    /// <summary>Keys and postings of a slice as bytes, a part for <see cref="TryAddSlice"/>.</summary>
    /// <param name="slice">First 12 bits of the keys.</param>
    /// <param name="since">Commit of the part before, whose keys are left out unless they were given a posting since; the volume's start for all keys.</param>
    /// <returns>They hold until the next are written: an image can be hundreds of megabytes that nobody keeps.</returns>
    public ReadOnlyMemory<byte> WriteSlice(int slice, long since)
    {
        _slice.ResetWrittenCount();
        var first = checked((uint)(since - Start));
        for (var bucket = slice * VolumeImage.BucketsOfSlice; bucket < (slice + 1) * VolumeImage.BucketsOfSlice; bucket++)
        {
            _tries.Visit(bucket, (id, _) => _keys.WriteSince(id, first, _slice), []);
        }

        VolumeImage.Seal(_slice);
        return _slice.WrittenMemory;
    }

    internal void BeginCommit()
    {
        _keys.BeginCommit();
        _touched.Clear();
        _undo?.BeginCommit(_keys.Count, _tries.Count);
    }

    /// <summary>True when the volume was read from an image that holds this posting.</summary>
    internal bool Holds(ReadOnlySpan<byte> key, long index) => _imaged is not null && index < _imaged[SliceOf(key)];

    /// <summary>Takes changes in key order and hashes the buckets anew that they fall into.</summary>
    internal void ApplyChanges<T>(T changes, int count)
        where T : struct, IKeyChanges
    {
        for (int from = 0, warm = 0; from < count;)
        {
            if (from >= warm)
            {
                warm = Math.Min(count, from + BucketTries.WarmAtOnce);
                _tries.Warm(changes, from, warm);
            }

            var bucket = BucketOf(changes.Key(from));
            var to = from + 1;
            while (to < count && BucketOf(changes.Key(to)) == bucket)
            {
                to++;
            }

            ref var hash = ref _upper.Change(Buckets + bucket, _undo);
            var many = _tries.Change(changes, from, to, bucket, ref hash, _undo);
            _upper.SetKind(Buckets + bucket, many ? SubtreeKind.Many : SubtreeKind.Single);
            _touched.Add(bucket);
            from = to;
        }
    }

    /// <summary>Hashes what lies above the touched buckets.</summary>
    internal void HashTouched()
    {
        // A commit of very many postings comes in several runs, each of them sorted.
        _touched.Sort();
        var distinct = 0;
        for (var i = 0; i < _touched.Count; i++)
        {
            if (i == 0 || _touched[i] != _touched[distinct - 1])
            {
                _touched[distinct++] = _touched[i];
            }
        }

        _touched.RemoveRange(distinct, _touched.Count - distinct);
        _upper.JoinAbove(_touched, _undo);
    }

    /// <summary>Takes back everything since <see cref="BeginCommit"/>.</summary>
    internal void RevertCommit()
    {
        var undo = _undo ?? throw new InvalidOperationException("This index only follows a log.");
        _upper.Undo(undo);
        _tries.Undo(undo);
        _keys.Undo(undo);
        _touched.Clear();
        undo.BeginCommit(_keys.Count, _tries.Count);
    }

    internal static int BucketOf(ReadOnlySpan<byte> key) => (key[0] << 8) | key[1];

    private static int SliceOf(ReadOnlySpan<byte> key) => BucketOf(key) / VolumeImage.BucketsOfSlice;

    private readonly struct ImagedKeys(List<ImageKey> keys) : IKeyChanges
    {
        public ReadOnlySpan<byte> Key(int i) => keys[i].Bytes;

        public void Apply(VolumeKeys to, int id, int from, int end, VolumeUndo? undo) => to.Restore(id, keys[from]);
    }
}

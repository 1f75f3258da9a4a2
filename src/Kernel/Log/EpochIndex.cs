using System.Buffers;
using System.Runtime.InteropServices;

namespace Trust.Kernel.Log;

/// <summary>
/// One epoch of the subject index in memory: the trie of keys with each key's tree of postings. Depths 0 to 16 of the trie are a fixed array
/// of values, deeper nodes hang below their bucket, the 16-bit prefix. Items lie in a few arrays, some 250 bytes a key; a posting takes one to
/// three bytes, because hashes of single postings are recomputed from leaf hashes where a proof needs them. Not safe for concurrent use.
/// </summary>
public sealed class EpochIndex
{
    /// <summary>Depth of the buckets.</summary>
    public const int BucketDepth = 16;

    /// <summary>Number of buckets.</summary>
    public const int Buckets = 1 << BucketDepth;

    private readonly Upper _upper = new();
    private readonly int[] _roots = new int[Buckets];
    private readonly PagedList<Key> _keys = new();
    private readonly PagedList<Node> _nodes = new();
    private readonly BlockPool _blocks = new();
    private readonly Dictionary<int, List<PostingChunk>> _chunks = [];
    private readonly List<int> _touchedBuckets = [];
    private readonly List<int> _touchedKeys = [];
    private readonly EpochUndo _undo = new();
    private readonly ArrayBufferWriter<byte> _slice = new();
    private uint _round;
    private long[]? _imaged;

    internal EpochIndex(long number, long start)
    {
        Number = number;
        Start = start;
    }

    /// <summary>Number of the epoch, from 0.</summary>
    public long Number { get; }

    /// <summary>Index at which it begins.</summary>
    public long Start { get; }

    /// <summary>Keys in the trie.</summary>
    public long KeyCount => _keys.Count;

    /// <summary>Value of the whole trie.</summary>
    public SubtreeValue Root => _upper[1];

    /// <summary>Buckets that the last commit touched, rising.</summary>
    public IReadOnlyList<int> Touched => _touchedBuckets;

    /// <summary>Value at depth 16.</summary>
    public SubtreeValue Bucket(int bucket) => _upper[Buckets + bucket];

    /// <summary>Value at depth 8.</summary>
    public SubtreeValue Tile(int tile) => _upper[256 + tile];

    /// <summary>What the epoch holds of each key of a bucket, in key order: copies.</summary>
    public List<KeyPostings> Read(int bucket)
    {
        var found = new List<KeyPostings>();
        Collect(_roots[bucket], found);
        return found;
    }

    /// <summary>
    /// Commit from which on an epoch read from an image is consistent: its slices were written as of different commits, and each takes only
    /// later events until all have met.
    /// </summary>
    public long ConsistentFrom { get; private set; }

    /// <summary>Begins an epoch from an image: every slice is added, then <see cref="EndImage"/> called.</summary>
    public static EpochIndex BeginImage(long number, long start)
    {
        var epoch = new EpochIndex(number, start) { _imaged = new long[EpochImage.Slices] };
        epoch.Begin();
        return epoch;
    }

    /// <summary>Adds a slice of an image; false when its bytes are damaged. Whether they are true shows when a commit entry is followed.</summary>
    /// <param name="slice">First 12 bits of the keys.</param>
    /// <param name="commit">Commit that it was written as of.</param>
    /// <param name="bytes">What <see cref="WriteSlice"/> wrote.</param>
    public bool TryAddSlice(int slice, long commit, ReadOnlySpan<byte> bytes)
    {
        if (EpochImage.Read(bytes) is not { } keys || keys.Exists(k => BucketOf(k.Bytes) / EpochImage.BucketsOfSlice != slice))
        {
            return false;
        }

        _imaged![slice] = commit;
        ConsistentFrom = Math.Max(ConsistentFrom, commit);
        keys.ForEach(Restore);
        return true;
    }

    /// <summary>Hashes what the slices hold.</summary>
    public void EndImage() => Finish();

    /// <summary>Keys and postings of a slice as bytes, for <see cref="TryAddSlice"/>.</summary>
    /// <param name="slice">First 12 bits of the keys.</param>
    public byte[] WriteSlice(int slice)
    {
        _slice.ResetWrittenCount();
        for (var bucket = slice * EpochImage.BucketsOfSlice; bucket < (slice + 1) * EpochImage.BucketsOfSlice; bucket++)
        {
            Write(_roots[bucket], _slice);
        }

        return EpochImage.Seal(_slice.WrittenSpan);
    }

    internal void Begin()
    {
        _blocks.Keep();
        _touchedBuckets.Clear();
        _touchedKeys.Clear();
        _undo.Begin(_keys.Count, _nodes.Count);
        _round++;
    }

    internal void Add(ReadOnlySpan<byte> key, long index, ReadOnlySpan<byte> leafHash)
    {
        if (_imaged is not null && index < _imaged[BucketOf(key) / EpochImage.BucketsOfSlice])
        {
            return; // The image holds it.
        }

        var id = FindOrInsert(key);
        ref var k = ref _keys[id];
        if (k.Round != _round)
        {
            k.Round = _round;
            _touchedKeys.Add(id);
        }

        Push(id, ref k, index, leafHash);
    }

    // Hashes what Add changed, each node once.
    internal void Finish()
    {
        Span<byte> root = stackalloc byte[IndexHash.Size];
        foreach (var id in _touchedKeys)
        {
            ref var k = ref _keys[id];
            Fold(k, root);
            IndexHash.TrieLeaf(k.Bytes, k.Count, root, k.Leaf);
        }

        _touchedBuckets.Sort();
        var distinct = _touchedBuckets.Distinct().ToArray();
        _touchedBuckets.Clear();
        _touchedBuckets.AddRange(distinct);
        foreach (var bucket in _touchedBuckets)
        {
            var top = _roots[bucket];
            _upper.Set(Buckets + bucket, top > 0 ? SubtreeKind.Many : SubtreeKind.Single, Rehash(top), _undo);
        }

        _upper.Rise(_touchedBuckets, _undo);
    }

    // Takes back everything since Begin.
    internal void Undo()
    {
        _upper.Undo(_undo);
        foreach (var (id, hash) in _undo.NodeHashes)
        {
            _nodes[id].Hash = hash;
        }

        foreach (var (id, right, value) in Enumerable.Reverse(_undo.Links))
        {
            if (id < 0)
            {
                _roots[~id] = value;
            }
            else
            {
                (right ? ref _nodes[id].Right : ref _nodes[id].Left) = value;
            }
        }

        foreach (var id in Enumerable.Reverse(_undo.Chunks))
        {
            var chunks = _chunks[id];
            chunks.RemoveAt(chunks.Count - 1);
            if (chunks.Count == 0)
            {
                _chunks.Remove(id);
            }
        }

        foreach (var (id, key, frontier) in _undo.Keys)
        {
            _keys[id] = key;
            frontier.CopyTo(_blocks[key.Frontier, key.FrontierClass]);
        }

        _keys.Truncate(_undo.KeyCount);
        _nodes.Truncate(_undo.NodeCount);
        _blocks.Forget();
        _touchedBuckets.Clear();
        _touchedKeys.Clear();
        _undo.Begin(_keys.Count, _nodes.Count);
    }

    private static int BucketOf(ReadOnlySpan<byte> key) => (key[0] << 8) | key[1];

    private static bool BitOf(ReadOnlySpan<byte> key, int depth) => (key[depth >> 3] >> (7 - (depth & 7)) & 1) != 0;

    private int FindOrInsert(ReadOnlySpan<byte> key)
    {
        var bucket = BucketOf(key);
        if (_touchedBuckets.Count == 0 || _touchedBuckets[^1] != bucket)
        {
            _touchedBuckets.Add(bucket);
        }

        var (depth, parent, right) = (BucketDepth, ~bucket, false);
        var at = _roots[bucket];
        while (at > 0)
        {
            Mark(at - 1);
            (parent, right) = (at - 1, BitOf(key, depth++));
            at = right ? _nodes[parent].Right : _nodes[parent].Left;
        }

        if (at < 0 && ((ReadOnlySpan<byte>)_keys[~at].Bytes).SequenceEqual(key))
        {
            Save(~at);
            return ~at;
        }

        var id = _keys.Add(new Key { Bytes = new Hash32(key) });
        Link(parent, right, at == 0 ? ~id : Split(~at, id, depth));
        return id;
    }

    // Nodes from a depth on until two keys part; returns the topmost.
    private int Split(int existing, int added, int depth)
    {
        ReadOnlySpan<byte> a = _keys[existing].Bytes;
        ReadOnlySpan<byte> b = _keys[added].Bytes;
        var parts = depth;
        while (BitOf(a, parts) == BitOf(b, parts))
        {
            parts++;
        }

        var below = BitOf(b, parts) ? NewNode(~existing, ~added) : NewNode(~added, ~existing);
        for (var d = parts - 1; d >= depth; d--)
        {
            below = BitOf(b, d) ? NewNode(0, below) : NewNode(below, 0);
        }

        return below;
    }

    private int NewNode(int left, int right) => _nodes.Add(new Node { Left = left, Right = right, Round = _round }) + 1;

    private void Link(int parent, bool right, int value)
    {
        ref var slot = ref parent < 0 ? ref _roots[~parent] : ref right ? ref _nodes[parent].Right : ref _nodes[parent].Left;
        _undo.Links.Add((parent, right, slot));
        slot = value;
    }

    private void Mark(int id)
    {
        ref var node = ref _nodes[id];
        if (node.Round != _round)
        {
            node.Round = _round;
            _undo.NodeHashes.Add((id, node.Hash));
        }
    }

    private void Save(int id)
    {
        ref var k = ref _keys[id];
        if (k.Round != _round)
        {
            _undo.Keys.Add((id, k, _blocks[k.Frontier, k.FrontierClass].ToArray()));
        }
    }

    private void Push(int id, ref Key k, long index, ReadOnlySpan<byte> leafHash)
    {
        Span<byte> hash = stackalloc byte[IndexHash.Size];
        IndexHash.Posting(index, leafHash, hash);
        var relative = checked((uint)(index - Start));
        WriteTail(ref k, relative);
        var level = 0;
        for (; (k.Count >> level & 1) != 0; level++)
        {
            IndexHash.KeyNode(FrontierOf(k, level), hash, hash);
            if (1 << (level + 1) == PostingChunk.Length)
            {
                CloseChunk(id, ref k, relative, hash);
            }
        }

        var needed = BlockPool.ClassFor((level + 1) * IndexHash.Size);
        if (k.Count == 0 || needed > k.FrontierClass)
        {
            var grown = _blocks.Take(needed);
            if (k.Count > 0)
            {
                _blocks[k.Frontier, k.FrontierClass].CopyTo(_blocks[grown, needed]);
                _blocks.Return(k.Frontier, k.FrontierClass);
            }

            (k.Frontier, k.FrontierClass) = (grown, needed);
        }

        hash.CopyTo(FrontierOf(k, level));
        k.Count++;
        k.Last = relative;
    }

    private void WriteTail(ref Key k, uint relative)
    {
        Span<byte> code = stackalloc byte[PostingCode.MaxBytes];
        var length = PostingCode.Write(code, k.TailBytes == 0 ? relative : relative - k.Last);
        var needed = BlockPool.ClassFor(k.TailBytes + length);
        if (k.TailBytes == 0 || needed > k.TailClass)
        {
            var grown = _blocks.Take(needed);
            if (k.TailBytes > 0)
            {
                _blocks[k.Tail, k.TailClass][..k.TailBytes].CopyTo(_blocks[grown, needed]);
                _blocks.Return(k.Tail, k.TailClass);
            }

            (k.Tail, k.TailClass) = (grown, needed);
        }

        code[..length].CopyTo(_blocks[k.Tail, k.TailClass][k.TailBytes..]);
        k.TailBytes += (ushort)length;
    }

    private void CloseChunk(int id, ref Key k, uint last, ReadOnlySpan<byte> root)
    {
        var postings = _blocks[k.Tail, k.TailClass][..k.TailBytes].ToArray();
        var first = new List<long>(PostingChunk.Length);
        PostingCode.Read(postings, 0, first);
        (CollectionsMarshal.GetValueRefOrAddDefault(_chunks, id, out _) ??= []).Add(new PostingChunk((uint)first[0], last, postings, root.ToArray()));
        _undo.Chunks.Add(id);
        _blocks.Return(k.Tail, k.TailClass);
        k.TailBytes = 0;
    }

    private Span<byte> FrontierOf(in Key k, int level) => _blocks[k.Frontier, k.FrontierClass].Slice(level * IndexHash.Size, IndexHash.Size);

    // Root of a key's tree from its complete subtrees, smallest first.
    private void Fold(in Key k, Span<byte> root)
    {
        var level = System.Numerics.BitOperations.TrailingZeroCount(k.Count);
        FrontierOf(k, level).CopyTo(root);
        for (level++; k.Count >> level != 0; level++)
        {
            if ((k.Count >> level & 1) != 0)
            {
                IndexHash.KeyNode(FrontierOf(k, level), root, root);
            }
        }
    }

    private ReadOnlySpan<byte> Rehash(int at)
    {
        if (at == 0)
        {
            return IndexHash.Empty;
        }

        if (at < 0)
        {
            return _keys[~at].Leaf;
        }

        ref var node = ref _nodes[at - 1];
        if (node.Round == _round)
        {
            // Something below it was touched in this round.
            IndexHash.TrieNode(Rehash(node.Left), Rehash(node.Right), node.Hash);
        }

        return node.Hash;
    }

    private void Restore(ImageKey image)
    {
        var id = FindOrInsert(image.Bytes);
        ref var k = ref _keys[id];
        (k.Round, k.Count, k.Last) = (_round, image.Count, image.Last);
        _touchedKeys.Add(id);
        k.FrontierClass = BlockPool.ClassFor((System.Numerics.BitOperations.Log2(image.Count) + 1) * IndexHash.Size);
        k.Frontier = _blocks.Take(k.FrontierClass);
        var next = 0;
        for (var level = 0; image.Count >> level != 0; level++)
        {
            if ((image.Count >> level & 1) != 0)
            {
                image.Frontier[next++].CopyTo(FrontierOf(k, level));
            }
        }

        if (image.Chunks.Length > 0)
        {
            _chunks[id] = [.. image.Chunks];
        }

        if (image.Tail.Length > 0)
        {
            (k.TailBytes, k.TailClass) = ((ushort)image.Tail.Length, BlockPool.ClassFor(image.Tail.Length));
            k.Tail = _blocks.Take(k.TailClass);
            image.Tail.CopyTo(_blocks[k.Tail, k.TailClass]);
        }
    }

    private void Write(int at, ArrayBufferWriter<byte> to)
    {
        if (at > 0)
        {
            Write(_nodes[at - 1].Left, to);
            Write(_nodes[at - 1].Right, to);
        }
        else if (at < 0)
        {
            ref var k = ref _keys[~at];
            EpochImage.WriteKey(to, k.Bytes, k.Count, k.Last);
            for (var level = 0; k.Count >> level != 0; level++)
            {
                if ((k.Count >> level & 1) != 0)
                {
                    to.Write(FrontierOf(k, level));
                }
            }

            EpochImage.WritePostings(
                to, _chunks.TryGetValue(~at, out var chunks) ? CollectionsMarshal.AsSpan(chunks) : [],
                k.TailBytes == 0 ? [] : _blocks[k.Tail, k.TailClass][..k.TailBytes]);
        }
    }

    private PostingChunk[] ChunksOf(int id) => _chunks.TryGetValue(id, out var list) ? list.ToArray() : [];

    private byte[] TailOf(in Key k) => k.TailBytes == 0 ? [] : _blocks[k.Tail, k.TailClass][..k.TailBytes].ToArray();

    private void Collect(int at, List<KeyPostings> found)
    {
        if (at > 0)
        {
            Collect(_nodes[at - 1].Left, found);
            Collect(_nodes[at - 1].Right, found);
        }
        else if (at < 0)
        {
            ref var k = ref _keys[~at];
            found.Add(new KeyPostings(Start, ((ReadOnlySpan<byte>)k.Bytes).ToArray(), ((ReadOnlySpan<byte>)k.Leaf).ToArray(), k.Count, ChunksOf(~at), TailOf(k)));
        }
    }
}

/// <summary>A key and where its parts lie.</summary>
internal struct Key
{
    public Hash32 Bytes;
    public Hash32 Leaf;
    public uint Count;

    /// <summary>Last posting, counted from the epoch's start.</summary>
    public uint Last;

    /// <summary>Complete subtrees of the key's tree by level; a level counts when its bit of <see cref="Count"/> is set.</summary>
    public int Frontier;

    /// <summary>Postings since the last complete chunk.</summary>
    public int Tail;

    /// <summary>Commit that touched it last.</summary>
    public uint Round;

    public ushort TailBytes;
    public byte FrontierClass;
    public byte TailClass;
}

/// <summary>A node below the buckets. A link is 0 for nothing, n + 1 for node n, ~k for key k.</summary>
internal struct Node
{
    public Hash32 Hash;
    public int Left;
    public int Right;
    public uint Round;
}

/// <summary>What a commit changed, as it was before: a database that refuses a group must not cost a reload of millions of entries.</summary>
internal sealed class EpochUndo
{
    public int KeyCount { get; private set; }

    public int NodeCount { get; private set; }

    public List<(int Id, Key Key, byte[] Frontier)> Keys { get; } = [];

    public List<(int Id, Hash32 Hash)> NodeHashes { get; } = [];

    /// <summary>Parent node, or the bucket's complement, and what the link was.</summary>
    public List<(int Parent, bool Right, int Value)> Links { get; } = [];

    public List<int> Chunks { get; } = [];

    public List<(int Place, byte Kind, Hash32 Hash)> Upper { get; } = [];

    public void Begin(int keys, int nodes)
    {
        (KeyCount, NodeCount) = (keys, nodes);
        Keys.Clear();
        NodeHashes.Clear();
        Links.Clear();
        Chunks.Clear();
        Upper.Clear();
    }
}

/// <summary>Values at depths 0 to 16: the root at place 1, halves of place p at 2p and 2p + 1.</summary>
internal sealed class Upper
{
    private readonly Hash32[] _hashes = new Hash32[2 * EpochIndex.Buckets];
    private readonly byte[] _kinds = new byte[2 * EpochIndex.Buckets];

    public SubtreeValue this[int place] => new((SubtreeKind)_kinds[place], ((ReadOnlySpan<byte>)_hashes[place]).ToArray());

    public void Set(int place, SubtreeKind kind, ReadOnlySpan<byte> hash, EpochUndo undo)
    {
        undo.Upper.Add((place, _kinds[place], _hashes[place]));
        _kinds[place] = (byte)kind;
        hash.CopyTo(_hashes[place]);
    }

    /// <summary>Joins again all that lies above these buckets.</summary>
    public void Rise(IReadOnlyList<int> buckets, EpochUndo undo)
    {
        var places = buckets.Select(b => EpochIndex.Buckets + b).ToArray();
        var count = places.Length;
        for (var depth = EpochIndex.BucketDepth; depth > 0; depth--)
        {
            var above = 0;
            for (var i = 0; i < count; i++)
            {
                var parent = places[i] >> 1;
                if (above == 0 || places[above - 1] != parent)
                {
                    places[above++] = parent;
                    Join(parent, undo);
                }
            }

            count = above;
        }
    }

    public void Undo(EpochUndo undo)
    {
        foreach (var (place, kind, hash) in undo.Upper)
        {
            _kinds[place] = kind;
            _hashes[place] = hash;
        }
    }

    private SubtreeKind KindOf(int place) => (SubtreeKind)_kinds[place];

    private void Join(int place, EpochUndo undo)
    {
        var (left, right) = (2 * place, (2 * place) + 1);
        if (KindOf(left) == SubtreeKind.Empty && KindOf(right) != SubtreeKind.Many)
        {
            Set(place, KindOf(right), _hashes[right], undo);
        }
        else if (KindOf(right) == SubtreeKind.Empty && KindOf(left) != SubtreeKind.Many)
        {
            Set(place, KindOf(left), _hashes[left], undo);
        }
        else
        {
            Span<byte> hash = stackalloc byte[IndexHash.Size];
            IndexHash.TrieNode(_hashes[left], _hashes[right], hash);
            Set(place, SubtreeKind.Many, hash, undo);
        }
    }
}

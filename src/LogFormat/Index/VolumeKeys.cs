using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Trust.LogFormat.Index;

/// <summary>The keys of a volume, each with its tree of postings: the complete subtrees at its right edge and the postings themselves.</summary>
/// <param name="start">Start of the volume.</param>
internal sealed class VolumeKeys(long start)
{
    private readonly PagedList<Key> _keys = new();
    private readonly BlockPool _blocks = new();
    private readonly Dictionary<int, List<PostingChunk>> _chunks = [];

    /// <summary>Number of keys.</summary>
    public int Count => _keys.Count;

    /// <summary>From here on <see cref="Undo"/> takes back.</summary>
    public void BeginCommit() => _blocks.KeepChanges();

    /// <summary>The key.</summary>
    public ReadOnlySpan<byte> Bytes(int id) => _keys[id].Bytes;

    /// <summary>Adds a key without postings and returns its number.</summary>
    public int Add(ReadOnlySpan<byte> key) => _keys.Add(new Key { Bytes = new Hash32(key) });

    /// <summary>Notes a key as it is, before it is changed.</summary>
    public void Save(int id, VolumeUndo undo)
    {
        if (id < undo.KeyCount)
        {
            ref var k = ref _keys[id];
            undo.Save(id, k, _blocks[k.Frontier, k.FrontierClass]);
        }
    }

    /// <summary>Adds a posting to a key.</summary>
    public void Push(int id, long index, ReadOnlySpan<byte> leafHash, VolumeUndo? undo)
    {
        ref var k = ref _keys[id];
        Span<byte> hash = stackalloc byte[IndexHash.Size];
        IndexHash.Posting(index, leafHash, hash);
        var relative = checked((uint)(index - start));
        WriteTail(ref k, relative);
        var level = 0;
        for (; (k.Count >> level & 1) != 0; level++)
        {
            IndexHash.KeyNode(FrontierOf(k, level), hash, hash);
            if (1 << (level + 1) == PostingChunk.Length)
            {
                CloseChunk(id, ref k, relative, hash);
                undo?.Chunks.Add(id);
            }
        }

        var needed = BlockPool.ClassFor((level + 1) * IndexHash.Size);
        if (k.Count == 0 || needed > k.FrontierClass)
        {
            var grown = _blocks.TakeBlock(needed);
            if (k.Count > 0)
            {
                _blocks[k.Frontier, k.FrontierClass].CopyTo(_blocks[grown, needed]);
                _blocks.ReturnBlock(k.Frontier, k.FrontierClass);
            }

            (k.Frontier, k.FrontierClass) = (grown, needed);
        }

        hash.CopyTo(FrontierOf(k, level));
        k.Count++;
        k.Last = relative;
    }

    /// <summary>Trie leaf of a key.</summary>
    public void Leaf(int id, Span<byte> leaf)
    {
        ref var k = ref _keys[id];
        Span<byte> root = stackalloc byte[IndexHash.Size];
        // The root of the key's tree, from its complete subtrees, smallest first.
        var level = BitOperations.TrailingZeroCount(k.Count);
        FrontierOf(k, level).CopyTo(root);
        for (level++; k.Count >> level != 0; level++)
        {
            if ((k.Count >> level & 1) != 0)
            {
                IndexHash.KeyNode(FrontierOf(k, level), root, root);
            }
        }

        IndexHash.TrieLeaf(k.Bytes, k.Count, root, leaf);
    }

    /// <summary>Reads ahead what a change of the key needs.</summary>
    public void Warm(int id)
    {
        ref var k = ref _keys[id];
        _ = Volatile.Read(ref k.Bytes[0]);
        _ = Volatile.Read(ref _blocks[k.Frontier, k.FrontierClass][0]);
    }

    /// <summary>What is held of a key: copies.</summary>
    public KeyPostings Read(int id, byte[] leaf)
    {
        ref var k = ref _keys[id];
        return new KeyPostings(start, Bytes(id).ToArray(), leaf, k.Count, ChunksOf(id), TailOf(k));
    }

    /// <summary>Writes a key to an image, if its last posting does not lie before another, counted from the volume's start.</summary>
    public void WriteSince(int id, uint first, IBufferWriter<byte> to)
    {
        ref var k = ref _keys[id];
        if (k.Last < first)
        {
            return;
        }

        VolumeImage.WriteKey(to, k.Bytes, k.Count, k.Last);
        for (var level = 0; k.Count >> level != 0; level++)
        {
            if ((k.Count >> level & 1) != 0)
            {
                to.Write(FrontierOf(k, level));
            }
        }

        VolumeImage.WritePostings(
            to, _chunks.TryGetValue(id, out var chunks) ? CollectionsMarshal.AsSpan(chunks) : [],
            k.TailBytes == 0 ? [] : _blocks[k.Tail, k.TailClass][..k.TailBytes]);
    }

    /// <summary>Gives a new key what an image holds of it.</summary>
    public void Restore(int id, ImageKey image)
    {
        ref var k = ref _keys[id];
        (k.Count, k.Last) = (image.Count, image.Last);
        k.FrontierClass = BlockPool.ClassFor((BitOperations.Log2(image.Count) + 1) * IndexHash.Size);
        k.Frontier = _blocks.TakeBlock(k.FrontierClass);
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
            k.Tail = _blocks.TakeBlock(k.TailClass);
            image.Tail.CopyTo(_blocks[k.Tail, k.TailClass]);
        }
    }

    /// <summary>Takes back what was noted.</summary>
    public void Undo(VolumeUndo undo)
    {
        for (var i = undo.Chunks.Count - 1; i >= 0; i--)
        {
            var chunks = _chunks[undo.Chunks[i]];
            chunks.RemoveAt(chunks.Count - 1);
            if (chunks.Count == 0)
            {
                _chunks.Remove(undo.Chunks[i]);
            }
        }

        for (var i = undo.Keys.Count - 1; i >= 0; i--)
        {
            var (id, key, at) = undo.Keys[i];
            _keys[id] = key;
            var frontier = _blocks[key.Frontier, key.FrontierClass];
            undo.Frontier(at, frontier.Length).CopyTo(frontier);
        }

        _keys.Truncate(undo.KeyCount);
        _blocks.RevertChanges();
    }

    private void WriteTail(ref Key k, uint relative)
    {
        Span<byte> code = stackalloc byte[PostingCode.MaxBytes];
        var length = PostingCode.Write(code, k.TailBytes == 0 ? relative : relative - k.Last);
        var needed = BlockPool.ClassFor(k.TailBytes + length);
        if (k.TailBytes == 0 || needed > k.TailClass)
        {
            var grown = _blocks.TakeBlock(needed);
            if (k.TailBytes > 0)
            {
                _blocks[k.Tail, k.TailClass][..k.TailBytes].CopyTo(_blocks[grown, needed]);
                _blocks.ReturnBlock(k.Tail, k.TailClass);
            }

            (k.Tail, k.TailClass) = (grown, needed);
        }

        code[..length].CopyTo(_blocks[k.Tail, k.TailClass][k.TailBytes..]);
        k.TailBytes += (ushort)length;
    }

    private void CloseChunk(int id, ref Key k, uint last, ReadOnlySpan<byte> root)
    {
        var postings = TailOf(k);
        var first = new List<long>(PostingChunk.Length);
        PostingCode.Read(postings, 0, first);
        (CollectionsMarshal.GetValueRefOrAddDefault(_chunks, id, out _) ??= []).Add(new PostingChunk((uint)first[0], last, postings, root.ToArray()));
        _blocks.ReturnBlock(k.Tail, k.TailClass);
        k.TailBytes = 0;
    }

    private Span<byte> FrontierOf(in Key k, int level) => _blocks[k.Frontier, k.FrontierClass].Slice(level * IndexHash.Size, IndexHash.Size);

    private PostingChunk[] ChunksOf(int id) => _chunks.TryGetValue(id, out var list) ? list.ToArray() : [];

    private byte[] TailOf(in Key k) => k.TailBytes == 0 ? [] : _blocks[k.Tail, k.TailClass][..k.TailBytes].ToArray();
}

/// <summary>A key and where its parts lie.</summary>
internal struct Key
{
    public Hash32 Bytes;
    public uint Count;

    /// <summary>Last posting, counted from the volume's start.</summary>
    public uint Last;

    /// <summary>Complete subtrees of the key's tree by level; a level counts when its bit of <see cref="Count"/> is set.</summary>
    public int Frontier;

    /// <summary>Postings since the last complete chunk.</summary>
    public int Tail;

    public ushort TailBytes;
    public byte FrontierClass;
    public byte TailClass;
}

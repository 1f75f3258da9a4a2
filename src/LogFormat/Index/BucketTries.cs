namespace Trust.LogFormat.Index;

/// <summary>Changes to keys in key order, those of one key side by side.</summary>
internal interface IKeyChanges
{
    /// <summary>The key that a change is of.</summary>
    ReadOnlySpan<byte> Key(int i);

    /// <summary>Applies changes from one to before another, all of one key.</summary>
    void Apply(VolumeKeys to, int id, int from, int end, VolumeUndo? undo);
}

/// <summary>
/// The trie below its buckets. A node holds the hashes of both its sides, so that a change reads the nodes on its path and no others: they lie
/// scattered over hundreds of megabytes, and each read is a wait for memory that hashing a node takes no longer than.
/// </summary>
internal sealed class BucketTries(VolumeKeys keys)
{
    /// <summary>Changes whose paths are read ahead at once; their nodes fit the first-level cache.</summary>
    public const int WarmAtOnce = 24;

    private readonly int[] _roots = new int[IndexVolume.Buckets];
    private readonly PagedList<Node> _nodes = new();

    /// <summary>Number of nodes.</summary>
    public int Count => _nodes.Count;

    /// <summary>Brings changes into one bucket.</summary>
    /// <param name="changes">The changes.</param>
    /// <param name="from">First that falls into the bucket.</param>
    /// <param name="to">First that does not.</param>
    /// <param name="bucket">The bucket.</param>
    /// <param name="hash">Its hash, before and after.</param>
    /// <param name="undo">Notes what was there; null when nothing is ever taken back.</param>
    /// <returns>True when it holds several keys now.</returns>
    public bool Change<T>(T changes, int from, int to, int bucket, ref Hash32 hash, VolumeUndo? undo)
        where T : struct, IKeyChanges
    {
        undo?.Roots.Add((bucket, _roots[bucket]));
        _roots[bucket] = Change(changes, from, to, _roots[bucket], IndexVolume.BucketDepth, ref hash, undo);
        return _roots[bucket] > 0;
    }

    /// <summary>Walks down to the places of changes, all of them step by step, so that the waits for memory overlap.</summary>
    public void Warm<T>(T changes, int from, int to)
        where T : struct, IKeyChanges
    {
        Span<int> links = stackalloc int[WarmAtOnce];
        for (var i = from; i < to; i++)
        {
            links[i - from] = _roots[IndexVolume.BucketOf(changes.Key(i))];
        }

        var deeper = true;
        for (var depth = IndexVolume.BucketDepth; deeper; depth++)
        {
            deeper = false;
            for (var i = from; i < to; i++)
            {
                ref var link = ref links[i - from];
                if (link > 0)
                {
                    ref var node = ref _nodes[link - 1];
                    link = BitOf(changes.Key(i), depth) ? node.Right : node.Left;
                    // The first half of the node's hashes, on another line than its links.
                    _ = Volatile.Read(ref node.LeftHash[0]);
                    deeper = true;
                }
            }
        }

        for (var i = 0; i < to - from; i++)
        {
            if (links[i] < 0)
            {
                keys.Warm(~links[i]);
            }
        }
    }

    /// <summary>Visits the keys of a bucket in order, each with its trie leaf.</summary>
    /// <param name="bucket">The bucket.</param>
    /// <param name="visit">Told each key's number and leaf.</param>
    /// <param name="hash">The bucket's hash.</param>
    public void Visit(int bucket, Action<int, ReadOnlySpan<byte>> visit, ReadOnlySpan<byte> hash) => Walk(_roots[bucket], visit, hash);

    /// <summary>Takes back what was noted.</summary>
    public void Undo(VolumeUndo undo)
    {
        for (var i = undo.Nodes.Count - 1; i >= 0; i--)
        {
            _nodes[undo.Nodes[i].Id] = undo.Nodes[i].Node;
        }

        for (var i = undo.Roots.Count - 1; i >= 0; i--)
        {
            _roots[undo.Roots[i].Bucket] = undo.Roots[i].Link;
        }

        _nodes.Truncate(undo.NodeCount);
    }

    private static bool BitOf(ReadOnlySpan<byte> key, int depth) => (key[depth >> 3] >> (7 - (depth & 7)) & 1) != 0;

    // The subtree at a link that begins at a depth, as it is with the changes: its link, and its hash in place.
    private int Change<T>(T changes, int from, int to, int link, int depth, ref Hash32 hash, VolumeUndo? undo)
        where T : struct, IKeyChanges
    {
        var first = changes.Key(from);
        if (link <= 0 && (to - from == 1 || first.SequenceEqual(changes.Key(to - 1))) && (link == 0 || first.SequenceEqual(keys.Bytes(~link))))
        {
            var id = link == 0 ? keys.Add(first) : ~link;
            changes.Apply(keys, id, from, to, undo);
            keys.Leaf(id, hash);
            return ~id;
        }

        link = link > 0 ? link : Divide(link, depth, hash);
        ref var node = ref _nodes[link - 1];
        undo?.Save(link - 1, node);
        var middle = from;
        while (middle < to && !BitOf(changes.Key(middle), depth))
        {
            middle++;
        }

        if (middle > from)
        {
            node.Left = Change(changes, from, middle, node.Left, depth + 1, ref node.LeftHash, undo);
        }

        if (middle < to)
        {
            node.Right = Change(changes, middle, to, node.Right, depth + 1, ref node.RightHash, undo);
        }

        IndexHash.TrieNode(node.LeftHash, node.RightHash, hash);
        return link;
    }

    // A node in the place of a single key or of nothing: more keys are coming.
    private int Divide(int link, int depth, in Hash32 hash)
    {
        var made = default(Node);
        if (link < 0 && BitOf(keys.Bytes(~link), depth))
        {
            (made.Right, made.RightHash) = (link, hash);
        }
        else if (link < 0)
        {
            (made.Left, made.LeftHash) = (link, hash);
        }

        return _nodes.Add(made) + 1;
    }

    private void Walk(int link, Action<int, ReadOnlySpan<byte>> visit, ReadOnlySpan<byte> hash)
    {
        if (link > 0)
        {
            ref var node = ref _nodes[link - 1];
            Walk(node.Left, visit, node.LeftHash);
            Walk(node.Right, visit, node.RightHash);
        }
        else if (link < 0)
        {
            visit(~link, hash);
        }
    }
}

/// <summary>A node below the buckets: both sides with their hashes. A link is 0 for nothing, n + 1 for node n, ~k for key k.</summary>
internal struct Node
{
    public Hash32 LeftHash;
    public Hash32 RightHash;
    public int Left;
    public int Right;
}

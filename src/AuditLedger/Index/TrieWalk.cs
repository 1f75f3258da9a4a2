using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Index;

/// <summary>A key as a commit left it.</summary>
/// <param name="Postings">Its postings, later ones included.</param>
/// <param name="Count">How many of them count.</param>
/// <param name="Leaf">Its leaf of the trie.</param>
internal sealed record KeyAt(KeyPostings Postings, long Count, byte[] Leaf);

/// <summary>Where the way of a key through the trie ends.</summary>
/// <param name="Siblings">What lies beside the way, from the root on; empty ones are zeros.</param>
/// <param name="Found">The key that stands there, which may be another; null when nothing does.</param>
internal sealed record TrieSlot(List<SubtreeValue> Siblings, KeyAt? Found);

/// <summary>
/// Walks the trie as a commit left it: depth 8, then depth 16 under one prefix, then the keys of one bucket. Each level is checked against
/// the value above it, so that what is shown hangs under the logged root or is not shown.
/// </summary>
internal sealed class TrieWalk(IndexReader reader, VolumeAt volume, CancellationToken ct)
{
    private const int FanDepth = 8;

    /// <summary>Follows a key.</summary>
    /// <exception cref="IndexFaultException">A level does not give the value above it.</exception>
    public async Task<TrieSlot> Find(ReadOnlyMemory<byte> key)
    {
        var siblings = new List<SubtreeValue>();
        var top = await Heap(FanHistory.Top);
        Check(top[1].Hash.AsSpan().SequenceEqual(volume.TrieRoot), "depth 8");
        var place = Descend(top, key.Span, siblings);
        var fan = top[place].Kind switch
        {
            SubtreeKind.Empty => -1,
            SubtreeKind.Many => key.Span[0],
            _ => Lone(top, place),
        };
        if (fan < 0)
        {
            return new TrieSlot(siblings, null);
        }

        var heap = await Heap(fan);
        Check(heap[1].Same(top[FanHistory.Width + fan]), $"fan {fan}");
        // A key alone above depth 8 is found, not walked to.
        place = top[place].Kind == SubtreeKind.Many ? Descend(heap, key.Span[1..], siblings) : 1;
        if (heap[place].Kind == SubtreeKind.Empty)
        {
            return new TrieSlot(siblings, null);
        }

        var slot = heap[place].Kind == SubtreeKind.Many ? key.Span[1] : Lone(heap, place);
        var keys = await Keys((fan * FanHistory.Width) + slot);
        Check(Value(keys, IndexVolume.BucketDepth).Same(heap[FanHistory.Width + slot]), $"bucket {(fan * FanHistory.Width) + slot}");
        for (var depth = IndexVolume.BucketDepth; keys.Count > 1; depth++)
        {
            var mine = BitOf(key.Span, depth);
            siblings.Add(Value(keys.FindAll(k => BitOf(k.Postings.Key, depth) != mine), depth + 1));
            keys = keys.FindAll(k => BitOf(k.Postings.Key, depth) == mine);
        }

        return new TrieSlot(siblings, keys.Count == 0 ? null : keys[0]);
    }

    /// <summary>Bit of a key, most significant first.</summary>
    public static bool BitOf(ReadOnlySpan<byte> key, int depth) => (key[depth >> 3] >> (7 - (depth & 7)) & 1) != 0;

    // Down eight levels as long as there are several keys.
    private static int Descend(SubtreeValue[] heap, ReadOnlySpan<byte> key, List<SubtreeValue> siblings)
    {
        var place = 1;
        for (var depth = 0; depth < FanDepth && heap[place].Kind == SubtreeKind.Many; depth++)
        {
            place = (2 * place) + (BitOf(key, depth) ? 1 : 0);
            siblings.Add(heap[place ^ 1]);
        }

        return place;
    }

    // Which of the 256 values holds the only key below a place.
    private static int Lone(SubtreeValue[] heap, int place)
    {
        while (place < FanHistory.Width)
        {
            place = heap[2 * place].Kind == SubtreeKind.Empty ? (2 * place) + 1 : 2 * place;
        }

        return place - FanHistory.Width;
    }

    private static SubtreeValue Value(List<KeyAt> keys, int depth) => keys.Count switch
    {
        0 => SubtreeValue.None,
        1 => new SubtreeValue(SubtreeKind.Single, keys[0].Leaf),
        _ => SubtreeValue.Join(
            Value(keys.FindAll(k => !BitOf(k.Postings.Key, depth)), depth + 1), Value(keys.FindAll(k => BitOf(k.Postings.Key, depth)), depth + 1)),
    };

    private async Task<SubtreeValue[]> Heap(int fan)
    {
        var heap = new SubtreeValue[2 * FanHistory.Width];
        (await reader.Values(volume, fan, ct)).CopyTo(heap, FanHistory.Width);
        for (var place = FanHistory.Width - 1; place > 0; place--)
        {
            heap[place] = SubtreeValue.Join(heap[2 * place], heap[(2 * place) + 1]);
        }

        return heap;
    }

    private async Task<List<KeyAt>> Keys(int bucket)
    {
        var known = (await reader.Bucket(volume, bucket, ct)).ConvertAll(k => (Key: k, Count: k.CountBelow(volume.Commit)));
        known.RemoveAll(k => k.Count == 0);
        // Keys without a later posting have their leaf; the others are hashed as they were.
        var older = known.FindAll(k => k.Count < k.Key.Count);
        var hashes = await reader.LeafHashes([.. older.SelectMany(k => KeyTree.Needed(k.Key, k.Count, default))], ct);
        return known.ConvertAll(k => new KeyAt(k.Key, k.Count, k.Count == k.Key.Count ? k.Key.Leaf.ToArray() : LeafOf(k.Key, k.Count, hashes)));
    }

    private static byte[] LeafOf(KeyPostings key, long count, Dictionary<long, byte[]> hashes)
    {
        var leaf = new byte[IndexHash.Size];
        IndexHash.TrieLeaf(key.Key, count, new KeyTree(key, count, default, hashes).Root(), leaf);
        return leaf;
    }

    private void Check(bool holds, string what)
    {
        if (!holds)
        {
            throw new IndexFaultException($"{what} of volume {volume.Number} does not give what was logged at {volume.Commit}");
        }
    }
}

using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;

namespace Trust.LogFormat.Index;

/// <summary>
/// One key as an image holds it: <c>key ‖ u32 count ‖ u32 last ‖ frontier ‖ chunks × (u32 first ‖ u32 last ‖ u16 length ‖ postings ‖ root) ‖
/// u16 length ‖ tail</c>, big-endian, indices counted from the volume's start. The frontier holds the roots of complete subtrees, one for each
/// set bit of the count, smallest first; there is a chunk for each 256 postings.
/// </summary>
internal sealed record ImageKey(byte[] Bytes, uint Count, uint Last, byte[][] Frontier, PostingChunk[] Chunks, byte[] Tail)
{
    /// <summary>Root of the key's tree.</summary>
    public byte[] Root()
    {
        var root = Frontier[0].ToArray();
        foreach (var larger in Frontier.AsSpan(1))
        {
            IndexHash.KeyNode(larger, root, root);
        }

        return root;
    }
}

/// <summary>One part of a slice: the keys that were given a posting since the part before it, each whole as it was by then.</summary>
/// <param name="Commit">Commit that it is as of.</param>
/// <param name="Keys">What <see cref="IndexVolume.WriteSlice"/> wrote.</param>
public readonly record struct SlicePart(long Commit, byte[] Keys);

/// <summary>
/// A slice of a volume's keys, those that share their first 12 bits, as bytes that end in their SHA-256. An image is a shortcut and never
/// believed: it is bound to a logged root before anything is proved from it, and the entries can replace it.
/// </summary>
public static class VolumeImage
{
    /// <summary>Slices of a volume.</summary>
    public const int Slices = 1 << 12;

    internal const int BucketsOfSlice = IndexVolume.Buckets / Slices;

    /// <summary>Reads the keys of one bucket; those of other buckets are passed over.</summary>
    /// <param name="slice">What <see cref="IndexVolume.WriteSlice"/> wrote.</param>
    /// <param name="start">Start of the volume.</param>
    /// <param name="bucket">First 16 bits of the keys.</param>
    /// <returns>In key order; null when the bytes are damaged.</returns>
    public static List<KeyPostings>? ReadBucket(ReadOnlySpan<byte> slice, long start, int bucket) =>
        Read(slice)?.FindAll(key => IndexVolume.BucketOf(key.Bytes) == bucket).ConvertAll(key => Postings(key, start));

    /// <summary>Reads the keys of a slice.</summary>
    /// <param name="slice">What <see cref="IndexVolume.WriteSlice"/> wrote.</param>
    /// <param name="start">Start of the volume.</param>
    /// <returns>In key order; null when the bytes are damaged.</returns>
    public static List<KeyPostings>? ReadSlice(ReadOnlySpan<byte> slice, long start) => Read(slice)?.ConvertAll(key => Postings(key, start));

    private static KeyPostings Postings(ImageKey key, long start)
    {
        var leaf = new byte[IndexHash.Size];
        IndexHash.TrieLeaf(key.Bytes, key.Count, key.Root(), leaf);
        return new KeyPostings(start, key.Bytes, leaf, key.Count, key.Chunks, key.Tail);
    }

    /// <summary>Writes a key up to its frontier, which follows.</summary>
    internal static void WriteKey(IBufferWriter<byte> to, ReadOnlySpan<byte> key, uint count, uint last)
    {
        to.Write(key);
        U32(to, count);
        U32(to, last);
    }

    /// <summary>Writes what follows a key's frontier.</summary>
    internal static void WritePostings(IBufferWriter<byte> to, ReadOnlySpan<PostingChunk> chunks, ReadOnlySpan<byte> tail)
    {
        foreach (var chunk in chunks)
        {
            U32(to, chunk.First);
            U32(to, chunk.Last);
            U16(to, chunk.Postings.Length);
            to.Write(chunk.Postings);
            to.Write(chunk.Root);
        }

        U16(to, tail.Length);
        to.Write(tail);
    }

    internal static void Seal(ArrayBufferWriter<byte> keys)
    {
        SHA256.HashData(keys.WrittenSpan, keys.GetSpan(IndexHash.Size));
        keys.Advance(IndexHash.Size);
    }

    /// <summary>All keys of a slice in parts, each as its last part has it, in order; null when the parts are damaged or not of one slice.</summary>
    internal static List<ImageKey>? Join(IReadOnlyList<SlicePart> parts, long start)
    {
        List<ImageKey> joined = [];
        var since = start;
        foreach (var part in parts)
        {
            if (Read(part.Keys) is not { } keys || keys.Exists(k => start + k.Last < since || start + k.Last >= part.Commit) || Join(joined, keys) is not { } both)
            {
                return null;
            }

            (joined, since) = (both, part.Commit);
        }

        return joined;
    }

    // Both in key order. A key that comes again has gone on: it has more postings than it had.
    private static List<ImageKey>? Join(List<ImageKey> before, List<ImageKey> after)
    {
        var joined = new List<ImageKey>(before.Count + after.Count);
        var next = 0;
        foreach (var key in after)
        {
            for (; next < before.Count && before[next].Bytes.AsSpan().SequenceCompareTo(key.Bytes) < 0; next++)
            {
                joined.Add(before[next]);
            }

            if (next < before.Count && before[next].Bytes.AsSpan().SequenceEqual(key.Bytes) && before[next++].Count >= key.Count)
            {
                return null;
            }

            joined.Add(key);
        }

        joined.AddRange(before[next..]);
        return joined;
    }

    /// <summary>All keys of a slice, in order; null when the bytes are damaged.</summary>
    internal static List<ImageKey>? Read(ReadOnlySpan<byte> slice)
    {
        if (slice.Length < IndexHash.Size || !SHA256.HashData(slice[..^IndexHash.Size]).AsSpan().SequenceEqual(slice[^IndexHash.Size..]))
        {
            return null;
        }

        var reader = new Reader(slice[..^IndexHash.Size]);
        var keys = new List<ImageKey>();
        while (!reader.AtEnd)
        {
            if (ReadKey(ref reader) is not { } key || (keys.Count > 0 && keys[^1].Bytes.AsSpan().SequenceCompareTo(key.Bytes) >= 0))
            {
                return null;
            }

            keys.Add(key);
        }

        return reader.Failed ? null : keys;
    }

    private static ImageKey? ReadKey(ref Reader reader)
    {
        var bytes = reader.Take(IndexHash.Size).ToArray();
        var (count, last) = (reader.U32(), reader.U32());
        var frontier = new byte[BitOperations.PopCount(count)][];
        for (var i = 0; i < frontier.Length; i++)
        {
            frontier[i] = reader.Take(IndexHash.Size).ToArray();
        }

        var chunks = new List<PostingChunk>();
        for (var i = 0u; i < count / PostingChunk.Length && !reader.Failed; i++)
        {
            chunks.Add(new PostingChunk(reader.U32(), reader.U32(), reader.Take(reader.U16()).ToArray(), reader.Take(IndexHash.Size).ToArray()));
        }

        var tail = reader.Take(reader.U16()).ToArray();
        return reader.Failed || count == 0 || !Rises(chunks, tail, count, last) ? null : new ImageKey(bytes, count, last, frontier, [.. chunks], tail);
    }

    // The checksum of a slice is no signature: whoever can write one can make it over anything. Whether postings are the logged ones shows when they
    // are proved; that they are postings at all must be certain before, or whoever reads or continues them would fall over them.
    private static bool Rises(List<PostingChunk> chunks, byte[] tail, uint count, uint last)
    {
        var before = -1L;
        foreach (var chunk in chunks)
        {
            if (chunk.First <= before || !PostingCode.TryEnds(chunk.Postings, PostingChunk.Length, out var begins, out var ends)
                || (begins, ends) != (chunk.First, chunk.Last))
            {
                return false;
            }

            before = ends;
        }

        var rest = (int)(count % PostingChunk.Length);
        return PostingCode.TryEnds(tail, rest, out var first, out var end) && (rest == 0 ? before == last : first > before && end == last);
    }

    private static void U32(IBufferWriter<byte> to, uint value)
    {
        BinaryPrimitives.WriteUInt32BigEndian(to.GetSpan(sizeof(uint)), value);
        to.Advance(sizeof(uint));
    }

    private static void U16(IBufferWriter<byte> to, int value)
    {
        BinaryPrimitives.WriteUInt16BigEndian(to.GetSpan(sizeof(ushort)), checked((ushort)value));
        to.Advance(sizeof(ushort));
    }

    private ref struct Reader(ReadOnlySpan<byte> bytes)
    {
        private ReadOnlySpan<byte> _rest = bytes;

        public bool Failed { get; private set; }

        public readonly bool AtEnd => Failed || _rest.Length == 0;

        public ReadOnlySpan<byte> Take(int length)
        {
            if (length > _rest.Length)
            {
                Failed = true;
                return new byte[length];
            }

            var taken = _rest[..length];
            _rest = _rest[length..];
            return taken;
        }

        public uint U32() => BinaryPrimitives.ReadUInt32BigEndian(Take(sizeof(uint)));

        public int U16() => BinaryPrimitives.ReadUInt16BigEndian(Take(sizeof(ushort)));
    }
}

using System.Numerics;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Index;

/// <summary>
/// Tree of one key's postings as a commit left it (RFC 6962 shape). Complete chunks count by their kept roots; those that hold shown
/// postings, and the last one, are hashed again from leaf hashes, so that a wrong index or chunk is noticed before it is shown.
/// </summary>
internal sealed class KeyTree
{
    private readonly KeyPostings _key;
    private readonly Dictionary<long, byte[]> _leafHashes;
    private readonly Dictionary<long, List<long>> _open = [];

    /// <param name="key">The key's postings.</param>
    /// <param name="count">How many of them count.</param>
    /// <param name="shown">Postings that will be shown, in the key's own numbering.</param>
    /// <param name="leafHashes">By index of the log, at least those that <see cref="Needed"/> names.</param>
    public KeyTree(KeyPostings key, long count, (long From, long To) shown, Dictionary<long, byte[]> leafHashes)
    {
        _key = key;
        _leafHashes = leafHashes;
        Count = count;
        foreach (var chunk in OpenChunks(count, shown))
        {
            _open[chunk] = Indices(key, count, chunk);
        }
    }

    /// <summary>Number of postings.</summary>
    public long Count { get; }

    /// <summary>Indices of the log whose leaf hashes a tree needs.</summary>
    public static IEnumerable<long> Needed(KeyPostings key, long count, (long From, long To) shown) =>
        OpenChunks(count, shown).SelectMany(chunk => Indices(key, count, chunk));

    /// <summary>Root of the tree.</summary>
    public byte[] Root() => Range(0, Count);

    /// <summary>Hashes that join postings [from, to) to the root, left to right.</summary>
    public List<byte[]> RangeProof(long from, long to)
    {
        var proof = new List<byte[]>();
        Outside(0, Count);
        return proof;

        void Outside(long low, long high)
        {
            if (high <= from || low >= to)
            {
                proof.Add(Range(low, high));
            }
            else if (high - low > 1)
            {
                var middle = low + Split(high - low);
                Outside(low, middle);
                Outside(middle, high);
            }
        }
    }

    private static long Split(long n) => 1L << BitOperations.Log2((ulong)(n - 1));

    private static IEnumerable<long> OpenChunks(long count, (long From, long To) shown)
    {
        var open = new SortedSet<long>();
        for (var chunk = shown.From / PostingChunk.Length; chunk * PostingChunk.Length < shown.To; chunk++)
        {
            open.Add(chunk);
        }

        if (count % PostingChunk.Length != 0)
        {
            open.Add(count / PostingChunk.Length);
        }

        return open;
    }

    private static List<long> Indices(KeyPostings key, long count, long chunk) =>
        key.Indices(chunk * PostingChunk.Length, Math.Min(count, (chunk + 1) * PostingChunk.Length));

    private byte[] Range(long low, long high)
    {
        var chunk = low / PostingChunk.Length;
        if (high - low <= PostingChunk.Length && _open.TryGetValue(chunk, out var indices))
        {
            return Hashed(indices, (int)(low % PostingChunk.Length), (int)(high - (chunk * PostingChunk.Length)));
        }

        if (high - low == PostingChunk.Length)
        {
            return _key.Chunks[(int)chunk].Root;
        }

        var middle = low + Split(high - low);
        return Node(Range(low, middle), Range(middle, high));
    }

    private byte[] Hashed(List<long> indices, int from, int to)
    {
        if (to - from > 1)
        {
            var middle = from + (int)Split(to - from);
            return Node(Hashed(indices, from, middle), Hashed(indices, middle, to));
        }

        if (!_leafHashes.TryGetValue(indices[from], out var leafHash))
        {
            throw new IndexFaultException($"entry {indices[from]}, which the subject index names, is not stored");
        }

        var hash = new byte[IndexHash.Size];
        IndexHash.Posting(indices[from], leafHash, hash);
        return hash;
    }

    private static byte[] Node(byte[] left, byte[] right)
    {
        var hash = new byte[IndexHash.Size];
        IndexHash.KeyNode(left, right, hash);
        return hash;
    }
}

/// <summary>What the index keeps does not give the hashes that were logged: it is damaged, and nothing is proved from it.</summary>
/// <param name="message">Names the place.</param>
public sealed class IndexFaultException(string message) : Exception(message);

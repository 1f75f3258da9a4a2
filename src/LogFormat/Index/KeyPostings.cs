namespace Trust.LogFormat.Index;

/// <summary>256 postings of one key, complete and never changed again: first index, differences, root of their subtree (level 8 of the key's tree).</summary>
/// <param name="First">First index, counted from the volume's start.</param>
/// <param name="Last">Last index, counted from the volume's start.</param>
/// <param name="Postings">As <see cref="PostingCode"/> writes them.</param>
/// <param name="Root">32 bytes.</param>
public sealed record PostingChunk(uint First, uint Last, byte[] Postings, byte[] Root)
{
    /// <summary>Postings in a chunk.</summary>
    public const int Length = 256;
}

/// <summary>Postings as differences in 7-bit groups, least significant first; the first one counts from the volume's start.</summary>
public static class PostingCode
{
    /// <summary>Most bytes a posting takes.</summary>
    public const int MaxBytes = 5;

    /// <summary>Writes a difference and returns how many bytes it took.</summary>
    public static int Write(Span<byte> to, uint difference)
    {
        var at = 0;
        for (; difference >= 0x80; difference >>= 7)
        {
            to[at++] = (byte)(difference | 0x80);
        }

        to[at] = (byte)difference;
        return at + 1;
    }

    /// <summary>Where postings begin and end, counted from the volume's start.</summary>
    /// <param name="bytes">What <see cref="Write"/> is said to have written.</param>
    /// <param name="count">How many.</param>
    /// <param name="first">The first one.</param>
    /// <param name="last">The last one.</param>
    /// <returns>False when the bytes are not exactly so many postings, each behind the one before.</returns>
    public static bool TryEnds(ReadOnlySpan<byte> bytes, int count, out uint first, out uint last)
    {
        (first, last) = (0, 0);
        var at = 0;
        for (var n = 0; n < count; n++)
        {
            ulong difference = 0;
            for (var shift = 0; ; shift += 7)
            {
                if (at == bytes.Length || shift == 7 * MaxBytes)
                {
                    return false;
                }

                difference |= (ulong)(bytes[at] & 0x7f) << shift;
                if (bytes[at++] < 0x80)
                {
                    break;
                }
            }

            if ((n > 0 && difference == 0) || last + difference > uint.MaxValue)
            {
                return false;
            }

            last += (uint)difference;
            first = n == 0 ? last : first;
        }

        return at == bytes.Length;
    }

    /// <summary>Reads postings as indices of the log.</summary>
    /// <param name="bytes">What <see cref="Write"/> wrote.</param>
    /// <param name="start">Start of the volume.</param>
    /// <param name="to">Receives the indices.</param>
    public static void Read(ReadOnlySpan<byte> bytes, long start, List<long> to)
    {
        uint index = 0;
        for (var at = 0; at < bytes.Length;)
        {
            uint difference = 0;
            for (var shift = 0; ; shift += 7)
            {
                var b = bytes[at++];
                difference |= (uint)(b & 0x7f) << shift;
                if (b < 0x80)
                {
                    break;
                }
            }

            index += difference;
            to.Add(start + index);
        }
    }
}

/// <summary>What a volume holds of one key: a copy taken at one moment, later appends do not change it.</summary>
public sealed class KeyPostings
{
    private readonly PostingChunk[] _chunks;
    private readonly byte[] _tail;
    private readonly byte[] _leaf;
    private readonly byte[] _key;

    /// <summary>Makes one from its parts.</summary>
    /// <param name="start">Start of the volume.</param>
    /// <param name="key">32 bytes.</param>
    /// <param name="leaf">Trie leaf over all of <paramref name="count"/> postings.</param>
    /// <param name="count">Number of postings.</param>
    /// <param name="chunks">Complete chunks.</param>
    /// <param name="tail">Postings after the last complete chunk.</param>
    public KeyPostings(long start, byte[] key, byte[] leaf, long count, PostingChunk[] chunks, byte[] tail)
    {
        Start = start;
        _key = key;
        _leaf = leaf;
        Count = count;
        _chunks = chunks;
        _tail = tail;
    }

    /// <summary>Start of the volume.</summary>
    public long Start { get; }

    /// <summary>The key, 32 bytes.</summary>
    public ReadOnlySpan<byte> Key => _key;

    /// <summary>Trie leaf over all postings that are here.</summary>
    public ReadOnlySpan<byte> Leaf => _leaf;

    /// <summary>Number of postings.</summary>
    public long Count { get; }

    /// <summary>Complete chunks.</summary>
    public IReadOnlyList<PostingChunk> Chunks => _chunks;

    /// <summary>Postings after the last complete chunk, encoded.</summary>
    public ReadOnlySpan<byte> Tail => _tail;

    /// <summary>How many postings lie below an index of the log.</summary>
    public long CountBelow(long index)
    {
        var chunk = 0;
        for (var high = _chunks.Length; chunk < high;)
        {
            var middle = (chunk + high) / 2;
            if (Start + _chunks[middle].Last < index)
            {
                chunk = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return ((long)chunk * PostingChunk.Length) + Decode(chunk).Count(i => i < index);
    }

    /// <summary>Indices of postings <paramref name="from"/> to <paramref name="to"/>, exclusive, in the key's own numbering.</summary>
    public List<long> Indices(long from, long to)
    {
        var indices = new List<long>();
        for (var n = from; n < to;)
        {
            var chunk = (int)(n / PostingChunk.Length);
            var skip = (int)(n % PostingChunk.Length);
            var take = (int)Math.Min(PostingChunk.Length - skip, to - n);
            indices.AddRange(Decode(chunk).GetRange(skip, take));
            n += take;
        }

        return indices;
    }

    private List<long> Decode(int chunk)
    {
        var indices = new List<long>(PostingChunk.Length);
        PostingCode.Read(chunk < _chunks.Length ? _chunks[chunk].Postings : _tail, Start, indices);
        return indices;
    }
}

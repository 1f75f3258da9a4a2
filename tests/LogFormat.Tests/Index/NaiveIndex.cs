using System.Buffers.Binary;
using System.Security.Cryptography;
using Trust.LogFormat.Index;

namespace Trust.LogFormat.Tests.Index;

/// <summary>The subject index by its definition (docs/LEDGER-FORMAT.md), as plainly as it can be written: nothing is kept but the postings.</summary>
internal sealed class NaiveIndex
{
    private readonly List<(long Index, byte[] Hash, List<byte[]> Keys)> _events = [];
    private readonly List<(long Start, long End, byte[] Root)> _sealed = [];

    public long Volume => _sealed.Count;

    public long VolumeStart { get; private set; }

    public void Append(long index, byte[] leafHash, List<byte[]> keys) => _events.Add((index, leafHash, keys));

    public CommitEntry Commit(long index)
    {
        var trie = Trie(VolumeStart, index);
        return new CommitEntry(Volume, VolumeStart, index, trie.Count, S([.. trie], 0), Tree(0x15, [.. _sealed.Select(e => H(0x14, U64(e.Start), U64(e.End), e.Root))]));
    }

    public void Seal(CommitEntry last)
    {
        _sealed.Add((VolumeStart, last.Covered, last.TrieRoot));
        VolumeStart = last.Covered;
    }

    public static byte[] H(byte tag, params byte[][] parts) => SHA256.HashData([tag, .. parts.SelectMany(p => p)]);

    public static byte[] U64(long value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, value);
        return bytes;
    }

    // Key bytes and trie leaf of every key with an event in [start, end).
    private List<(byte[] Key, byte[] Leaf)> Trie(long start, long end) =>
    [
        .. _events.Where(e => e.Index >= start && e.Index < end)
            .SelectMany(e => e.Keys.Select(k => (Key: Convert.ToHexString(k), e.Index, e.Hash)))
            .GroupBy(p => p.Key, StringComparer.Ordinal)
            .Select(g => (Key: Convert.FromHexString(g.Key), Postings: g.OrderBy(p => p.Index).Select(p => H(0x10, U64(p.Index), p.Hash)).ToList()))
            .Select(k => (k.Key, H(0x12, k.Key, U64(k.Postings.Count), Tree(0x11, k.Postings)))),
    ];

    private static byte[] S(List<(byte[] Key, byte[] Leaf)> set, int depth) => set.Count switch
    {
        0 => new byte[32],
        1 => set[0].Leaf,
        _ => H(0x13, S(set.FindAll(k => !Bit(k.Key, depth)), depth + 1), S(set.FindAll(k => Bit(k.Key, depth)), depth + 1)),
    };

    private static bool Bit(byte[] key, int i) => (key[i / 8] >> (7 - (i % 8)) & 1) == 1;

    private static byte[] Tree(byte tag, List<byte[]> leaves)
    {
        if (leaves.Count < 2)
        {
            return leaves.Count == 0 ? SHA256.HashData([]) : leaves[0];
        }

        var split = 1;
        while (split * 2 < leaves.Count)
        {
            split *= 2;
        }

        return H(tag, Tree(tag, leaves[..split]), Tree(tag, leaves[split..]));
    }
}

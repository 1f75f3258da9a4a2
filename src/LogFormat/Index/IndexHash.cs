using System.Buffers.Binary;
using System.Security.Cryptography;
using Trust.Crypto;

namespace Trust.LogFormat.Index;

/// <summary>Hashes of the subject index, each with a tag of its own so that none can pass for another (docs/LEDGER-FORMAT.md).</summary>
public static class IndexHash
{
    /// <summary>Bytes of a hash.</summary>
    public const int Size = SHA256.HashSizeInBytes;

    /// <summary>What an empty subtree of the trie counts as: 32 zero bytes.</summary>
    public static ReadOnlySpan<byte> Empty => new byte[Size];

    /// <summary>H(0x10 ‖ u64 index ‖ leaf hash): one event under one of its keys.</summary>
    public static void Posting(long index, ReadOnlySpan<byte> leafHash, Span<byte> to)
    {
        Span<byte> number = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(number, index);
        TaggedSha256.Hash(0x10, number, leafHash, to);
    }

    /// <summary>H(0x11 ‖ left ‖ right): node of a key's tree, which has the shape of RFC 6962.</summary>
    public static void KeyNode(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right, Span<byte> to) => TaggedSha256.Hash(0x11, left, right, to);

    /// <summary>H(0x12 ‖ key ‖ u64 size ‖ root of the key's tree): leaf of the trie.</summary>
    public static void TrieLeaf(ReadOnlySpan<byte> key, long size, ReadOnlySpan<byte> keyRoot, Span<byte> to)
    {
        Span<byte> state = stackalloc byte[sizeof(long) + Size];
        BinaryPrimitives.WriteInt64BigEndian(state, size);
        keyRoot.CopyTo(state[sizeof(long)..]);
        TaggedSha256.Hash(0x12, key, state, to);
    }

    /// <summary>H(0x13 ‖ left ‖ right): node of the trie; an empty side is 32 zero bytes.</summary>
    public static void TrieNode(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right, Span<byte> to) => TaggedSha256.Hash(0x13, left, right, to);

    /// <summary>H(0x14 ‖ u64 start ‖ u64 end ‖ trie root): a sealed volume.</summary>
    public static void SealedLeaf(long start, long end, ReadOnlySpan<byte> trieRoot, Span<byte> to)
    {
        Span<byte> range = stackalloc byte[2 * sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(range, start);
        BinaryPrimitives.WriteInt64BigEndian(range[sizeof(long)..], end);
        TaggedSha256.Hash(0x14, range, trieRoot, to);
    }

    /// <summary>H(0x15 ‖ left ‖ right): node of the tree of sealed volumes, which has the shape of RFC 6962.</summary>
    public static void SealedNode(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right, Span<byte> to) => TaggedSha256.Hash(0x15, left, right, to);
}

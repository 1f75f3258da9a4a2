using System.Security.Cryptography;
using Trust.Crypto;

namespace Trust.LogFormat;

/// <summary>RFC 6962 hashes and the verification of RFC 9162 §2.1.3.2 and §2.1.4.2.</summary>
public static class MerkleProof
{
    /// <summary>Most hashes a proof can need for a tree of 2^63 leaves, both kinds.</summary>
    public const int MaxLength = 64;

    /// <summary>Root of the empty tree: SHA-256 of nothing.</summary>
    public static byte[] EmptyRoot => SHA256.HashData([]);

    /// <summary>H(0x00 ‖ data).</summary>
    public static byte[] LeafHash(ReadOnlySpan<byte> data)
    {
        var hash = new byte[Envelope.HashSize];
        LeafHash(data, hash);
        return hash;
    }

    /// <summary>H(0x00 ‖ data) into a buffer of 32 bytes.</summary>
    public static void LeafHash(ReadOnlySpan<byte> data, Span<byte> hash) => TaggedSha256.Hash(0, data, hash);

    /// <summary>H(0x01 ‖ left ‖ right).</summary>
    public static byte[] NodeHash(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        var hash = new byte[Envelope.HashSize];
        NodeHash(left, right, hash);
        return hash;
    }

    /// <summary>H(0x01 ‖ left ‖ right) into a buffer of 32 bytes, which may be one of the inputs.</summary>
    public static void NodeHash(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right, Span<byte> hash) => TaggedSha256.Hash(1, left, right, hash);

    /// <summary>True when the leaf stands at that index of the tree with that size and root.</summary>
    public static bool VerifyInclusion(long index, long size, byte[] leafHash, IReadOnlyList<byte[]> proof, byte[] root)
    {
        if (index < 0 || index >= size || proof.Count > MaxLength)
        {
            return false;
        }

        var (fn, sn, r) = (index, size - 1, leafHash);
        foreach (var p in proof)
        {
            if (sn == 0)
            {
                return false;
            }

            if ((fn & 1) == 1 || fn == sn)
            {
                r = NodeHash(p, r);
                while ((fn & 1) == 0 && fn != 0)
                {
                    (fn, sn) = (fn >> 1, sn >> 1);
                }
            }
            else
            {
                r = NodeHash(r, p);
            }

            (fn, sn) = (fn >> 1, sn >> 1);
        }

        return sn == 0 && r.AsSpan().SequenceEqual(root);
    }

    /// <summary>True when the tree of the second size and root extends the tree of the first.</summary>
    public static bool VerifyConsistency(long first, byte[] firstRoot, long second, byte[] secondRoot, IReadOnlyList<byte[]> proof)
    {
        if (first < 0 || first > second || proof.Count > MaxLength)
        {
            return false;
        }

        if (first == 0 || first == second)
        {
            return proof.Count == 0 && (first == 0 || firstRoot.AsSpan().SequenceEqual(secondRoot));
        }

        var path = long.IsPow2(first) ? [firstRoot, .. proof] : proof.ToList();
        return path.Count > 0 && FoldConsistency(first, firstRoot, second, secondRoot, path);
    }

    private static bool FoldConsistency(long first, byte[] firstRoot, long second, byte[] secondRoot, List<byte[]> path)
    {
        var (fn, sn) = (first - 1, second - 1);
        while ((fn & 1) == 1)
        {
            (fn, sn) = (fn >> 1, sn >> 1);
        }

        var (fr, sr) = (path[0], path[0]);
        foreach (var c in path.Skip(1))
        {
            if (sn == 0)
            {
                return false;
            }

            if ((fn & 1) == 1 || fn == sn)
            {
                (fr, sr) = (NodeHash(c, fr), NodeHash(c, sr));
                while ((fn & 1) == 0 && fn != 0)
                {
                    (fn, sn) = (fn >> 1, sn >> 1);
                }
            }
            else
            {
                sr = NodeHash(sr, c);
            }

            (fn, sn) = (fn >> 1, sn >> 1);
        }

        return sn == 0 && fr.AsSpan().SequenceEqual(firstRoot) && sr.AsSpan().SequenceEqual(secondRoot);
    }
}

using System.Numerics;
using System.Security.Cryptography;
using static Trust.Cli.Verify.ProofRule;

namespace Trust.Cli.Verify;

/// <summary>Folds shown leaves and the hashes beside them, left to right, to the root of a tree of RFC 6962 shape.</summary>
internal sealed class RangeFold(byte tag, long first, List<byte[]> leaves, List<byte[]> hashes)
{
    /// <summary>Most hashes of a range proof: two edges of a tree of 2^63 leaves.</summary>
    public const int MaxHashes = 126;

    private int _used;

    /// <summary>Root of the tree of that size.</summary>
    public byte[] Root(long size)
    {
        Require(first >= 0 && first <= size - leaves.Count);
        var root = Fold(0, size);
        Require(_used == hashes.Count);
        return root;
    }

    /// <summary>H(tag ‖ left ‖ right).</summary>
    public static byte[] Node(byte tag, ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        Span<byte> message = stackalloc byte[1 + (2 * Hash)];
        message[0] = tag;
        left.CopyTo(message[1..]);
        right.CopyTo(message[(1 + Hash)..]);
        return SHA256.HashData(message);
    }

    private byte[] Fold(long lo, long hi)
    {
        if (hi <= first || lo >= first + leaves.Count)
        {
            Require(_used < hashes.Count);
            return hashes[_used++];
        }

        if (hi - lo == 1)
        {
            return leaves[(int)(lo - first)];
        }

        var middle = lo + (1L << BitOperations.Log2((ulong)(hi - lo - 1)));
        var left = Fold(lo, middle);
        return Node(tag, left, Fold(middle, hi));
    }
}

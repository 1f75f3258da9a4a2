using System.Numerics;

namespace Trust.AuditLedger.Checkpoints;

/// <summary>Hash of an inner node from its two children.</summary>
internal delegate byte[] NodeHash(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right);

/// <summary>Right edge of an RFC 6962 tree under any hash of 32 bytes: one root for each set bit of the size. Appending is amortised one hash.</summary>
internal sealed class Frontier
{
    private const int Hash = 32;

    private readonly NodeHash _node;
    private readonly List<byte[]> _peaks = [];

    public Frontier(NodeHash node) => _node = node;

    /// <summary>Takes up where <see cref="ToBytes"/> left off.</summary>
    /// <exception cref="InvalidDataException">The bytes are not those of a tree of that size.</exception>
    public Frontier(NodeHash node, long size, ReadOnlySpan<byte> bytes)
    {
        _node = node;
        Size = size;
        if (bytes.Length != BitOperations.PopCount((ulong)size) * Hash)
        {
            throw new InvalidDataException($"A frontier of {bytes.Length} bytes is not that of {size} leaves.");
        }

        for (var at = 0; at < bytes.Length; at += Hash)
        {
            _peaks.Add(bytes.Slice(at, Hash).ToArray());
        }
    }

    /// <summary>Number of leaves.</summary>
    public long Size { get; private set; }

    /// <summary>Appends a leaf hash.</summary>
    public void Append(byte[] leafHash)
    {
        var hash = leafHash;
        for (var rest = Size; (rest & 1) == 1; rest >>= 1)
        {
            hash = _node(_peaks[^1], hash);
            _peaks.RemoveAt(_peaks.Count - 1);
        }

        _peaks.Add(hash);
        Size++;
    }

    /// <summary>Root of the tree; null when it is empty.</summary>
    public byte[]? Root()
    {
        byte[]? root = null;
        for (var i = _peaks.Count - 1; i >= 0; i--)
        {
            root = root is null ? _peaks[i] : _node(_peaks[i], root);
        }

        return root;
    }

    /// <summary>The peaks, from the widest to the narrowest.</summary>
    public byte[] ToBytes() => [.. _peaks.SelectMany(p => p)];
}

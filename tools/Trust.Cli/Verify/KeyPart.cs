using System.Buffers.Binary;
using System.Security.Cryptography;
using static Trust.Cli.Verify.ProofRule;

namespace Trust.Cli.Verify;

/// <summary>A key's path in one volume's trie, and what stands at its end.</summary>
internal sealed class KeyPart
{
    private readonly byte[][] _siblings;
    private readonly int _kind;
    private readonly byte[] _otherKey = [];
    private readonly byte[] _otherRoot = [];
    private readonly long _total;
    private readonly long _first;
    private readonly List<byte[]> _hashes = [];

    /// <param name="reader">Stands at the part's first byte, and then behind its last.</param>
    public KeyPart(ref ProofReader reader)
    {
        var depth = reader.U8();
        var bitmap = reader.Take((depth + 7) / 8);
        Require(depth % 8 == 0 || (bitmap[^1] & (0xFF >> (depth % 8))) == 0);
        _siblings = new byte[depth][];
        for (var i = 0; i < depth; i++)
        {
            _siblings[i] = Bit(bitmap, i) ? reader.Take(Hash).ToArray() : new byte[Hash];
            Require(!Bit(bitmap, i) || _siblings[i].AsSpan().ContainsAnyExcept((byte)0)); // An empty one has one spelling.
        }

        _kind = reader.U8();
        Require(_kind <= 2);
        if (_kind == 1)
        {
            _otherKey = reader.Take(Hash).ToArray();
            _total = reader.I64();
            _otherRoot = reader.Take(Hash).ToArray();
        }
        else if (_kind == 2)
        {
            _total = reader.I64();
            _first = reader.I64();
            Indices = reader.Indices();
            _hashes = reader.Hashes(RangeFold.MaxHashes);
        }
    }

    /// <summary>Indices of the postings shown, in order.</summary>
    public long[] Indices { get; } = [];

    /// <summary>Whether the indices lie within the volume, and each edge of the range is shown.</summary>
    public bool CheckRange(long start, long end, long from, long to)
    {
        if (_kind != 2)
        {
            return true;
        }

        for (var i = 0; i < Indices.Length; i++)
        {
            if (Indices[i] >= end || Indices[i] <= (i == 0 ? start - 1 : Indices[i - 1]))
            {
                return false;
            }
        }

        // An edge is shown by a neighbour outside the range, or because the key's tree ends there. And no more than that.
        return Indices.Length > 0 && _first >= 0 && _first <= _total - Indices.Length
            && (_first == 0 || Indices[0] < from) && (_first + Indices.Length == _total || Indices[^1] >= to)
            && (Indices.Length == 1 || (Indices[1] >= from && Indices[^2] < to));
    }

    /// <summary>Root of the volume that the part gives.</summary>
    public byte[] TrieRoot(ReadOnlySpan<byte> key, List<byte[]> leafHashes)
    {
        var node = _kind switch
        {
            0 => new byte[Hash],
            1 => OtherLeaf(key),
            _ => TrieLeaf(key, _total, new RangeFold(0x11, _first, Postings(leafHashes), _hashes).Root(_total)),
        };
        for (var i = _siblings.Length - 1; i >= 0; i--)
        {
            node = Bit(key, i) ? RangeFold.Node(0x13, _siblings[i], node) : RangeFold.Node(0x13, node, _siblings[i]);
        }

        return node;
    }

    private byte[] OtherLeaf(ReadOnlySpan<byte> key)
    {
        Require(!key.SequenceEqual(_otherKey));
        for (var i = 0; i < _siblings.Length; i++)
        {
            Require(Bit(_otherKey, i) == Bit(key, i));
        }

        return TrieLeaf(_otherKey, _total, _otherRoot);
    }

    private List<byte[]> Postings(List<byte[]> leafHashes)
    {
        var postings = new List<byte[]>(Indices.Length);
        Span<byte> message = stackalloc byte[1 + 8 + Hash];
        message[0] = 0x10;
        for (var i = 0; i < Indices.Length; i++)
        {
            BinaryPrimitives.WriteInt64BigEndian(message[1..], Indices[i]);
            leafHashes[i].CopyTo(message[9..]);
            postings.Add(SHA256.HashData(message));
        }

        return postings;
    }

    private static byte[] TrieLeaf(ReadOnlySpan<byte> key, long size, ReadOnlySpan<byte> root)
    {
        Require(size > 0);
        Span<byte> message = stackalloc byte[1 + Hash + 8 + Hash];
        message[0] = 0x12;
        key.CopyTo(message[1..]);
        BinaryPrimitives.WriteInt64BigEndian(message[(1 + Hash)..], size);
        root.CopyTo(message[(9 + Hash)..]);
        return SHA256.HashData(message);
    }

    private static bool Bit(ReadOnlySpan<byte> key, int i) => (key[i / 8] & (0x80 >> (i % 8))) != 0;
}

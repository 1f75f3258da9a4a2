using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;

namespace Trust.Cli.Verify;

/// <summary>
/// A SIX2 proof (docs/LEDGER-FORMAT.md §8): that the events shown are all events of one key in a range of indices, under one
/// checkpoint. The commit entry at the end of the tree carries the root of the subject index; under one root a key has exactly one path,
/// whoever built it, so nothing can be left out, added or moved. Whether the root was built rightly is what a witness vouches for.
/// </summary>
public sealed class CompletenessProof
{
    /// <summary>Largest proof read, bytes.</summary>
    public const int MaxBytes = 4 << 20;

    private const int Hash = 32;
    private const int CommitSize = 101;

    /// <summary>Most hashes of a range proof: two edges of a tree of 2^63 leaves.</summary>
    private const int MaxRangeHashes = 126;

    private readonly long _size;
    private readonly Commit _commit;
    private readonly List<byte[]> _path;
    private readonly long _firstVolume;
    private readonly List<Volume> _volumes = [];
    private readonly List<byte[]> _volumeHashes = [];
    private readonly List<KeyPart> _parts = [];

    private CompletenessProof(ref Reader reader)
    {
        Require(reader.Take(4).SequenceEqual("SIX2"u8));
        _size = reader.I64();
        _commit = new Commit(reader.Take(CommitSize));
        _path = reader.Hashes(64);
        var sealedCount = reader.U32();
        if (sealedCount > 0)
        {
            _firstVolume = reader.U32();
            for (var i = 0; i < sealedCount; i++)
            {
                _volumes.Add(new Volume(reader.I64(), reader.I64(), reader.Take(Hash).ToArray()));
            }

            _volumeHashes = reader.Hashes(MaxRangeHashes);
        }

        for (var i = 0; i <= sealedCount; i++)
        {
            _parts.Add(new KeyPart(ref reader));
        }

        Require(reader.AtEnd);
    }

    /// <summary>Indices of the postings shown, in order; nothing is known of them until <see cref="Holds"/>.</summary>
    public IEnumerable<long> Indices => _parts.SelectMany(p => p.Indices);

    /// <summary>Reads a proof; null when its form is not that of SIX2.</summary>
    /// <param name="bytes">Untrusted.</param>
    public static CompletenessProof? TryRead(ReadOnlySpan<byte> bytes)
    {
        try
        {
            Require(bytes.Length <= MaxBytes);
            var reader = new Reader(bytes);
            return new CompletenessProof(ref reader);
        }
        catch (RefusedException)
        {
            return null;
        }
    }

    /// <summary>Whether the log has events that are found by who acted, and no others.</summary>
    public bool ByActor => _commit.ByActor;

    /// <summary>
    /// True when the postings shown are all of the key in the range, and at most one neighbour on each side within each volume.
    /// </summary>
    /// <param name="size">Size of the verified checkpoint.</param>
    /// <param name="root">Its RFC 6962 root.</param>
    /// <param name="key">Subject key, 32 bytes.</param>
    /// <param name="from">First index asked for.</param>
    /// <param name="to">First index after those asked for.</param>
    /// <param name="leafHashes">Leaf hashes of the events shown, one for each of <see cref="Indices"/>.</param>
    public bool Holds(long size, byte[] root, ReadOnlySpan<byte> key, long from, long to, IReadOnlyList<byte[]> leafHashes)
    {
        try
        {
            Check(size, root, key, from, to, leafHashes);
            return true;
        }
        catch (RefusedException)
        {
            return false;
        }
    }

    private void Check(long size, byte[] root, ReadOnlySpan<byte> key, long from, long to, IReadOnlyList<byte[]> leafHashes)
    {
        Require(size > 0 && _size == size && key.Length == Hash && leafHashes.All(h => h.Length == Hash) && leafHashes.Count == Indices.Count());
        Require(_commit.IsKnownMap && _commit.Volume >= 0 && _commit.VolumeStart >= 0 && _commit.VolumeStart <= _commit.Covered
            && (_commit.Volume == 0) == (_commit.VolumeStart == 0));
        Require(_commit.Covered == size - 1 && from >= 0 && from <= to && to <= _commit.Covered);
        Require(LogProof.InTree(size - 1, size, _commit.LeafHash, _path, root));
        CheckVolumes(from, to);
        var used = 0;
        for (var i = 0; i < _parts.Count; i++)
        {
            var (start, end, trieRoot) = i < _volumes.Count ? _volumes[i] : new Volume(_commit.VolumeStart, _commit.Covered, _commit.TrieRoot);
            var hashes = leafHashes.Skip(used).Take(_parts[i].Indices.Length).ToList();
            used += hashes.Count;
            Require(_parts[i].CheckRange(start, end, from, to));
            Require(_parts[i].TrieRoot(key, hashes).AsSpan().SequenceEqual(trieRoot));
        }
    }

    private void CheckVolumes(long from, long to)
    {
        Require(_commit.Volume > 0 || _commit.SealedRoot.AsSpan().SequenceEqual(SHA256.HashData([])));
        // Every sealed volume that overlaps the range has to be shown, and no other; the live one always is.
        Require(_volumes.Count > 0 == (from < to && from < _commit.VolumeStart));
        if (_volumes.Count == 0)
        {
            return;
        }

        for (var i = 0; i < _volumes.Count; i++)
        {
            Require(_volumes[i].Start >= 0 && _volumes[i].Start < _volumes[i].End && (i == 0 || _volumes[i - 1].End == _volumes[i].Start));
        }

        var (first, last) = (_volumes[0], _volumes[^1]);
        Require(first.Start <= from && first.End > from && last.Start < to);
        Require(to > _commit.VolumeStart ? last.End == _commit.VolumeStart : last.End >= to);
        var fold = new RangeFold(0x15, _firstVolume, [.. _volumes.Select(v => v.LeafHash)], _volumeHashes);
        Require(fold.Root(_commit.Volume).AsSpan().SequenceEqual(_commit.SealedRoot));
    }

    private static void Require(bool holds)
    {
        if (!holds)
        {
            throw new RefusedException();
        }
    }

    private static byte[] Node(byte tag, ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        Span<byte> message = stackalloc byte[1 + (2 * Hash)];
        message[0] = tag;
        left.CopyTo(message[1..]);
        right.CopyTo(message[(1 + Hash)..]);
        return SHA256.HashData(message);
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

    private sealed class RefusedException : Exception;

    private sealed record Volume(long Start, long End, byte[] TrieRoot)
    {
        public byte[] LeafHash
        {
            get
            {
                Span<byte> message = stackalloc byte[1 + 16 + Hash];
                message[0] = 0x14;
                BinaryPrimitives.WriteInt64BigEndian(message[1..], Start);
                BinaryPrimitives.WriteInt64BigEndian(message[9..], End);
                TrieRoot.CopyTo(message[17..]);
                return SHA256.HashData(message);
            }
        }
    }

    private sealed record Commit
    {
        public Commit(ReadOnlySpan<byte> bytes)
        {
            IsKnownMap = bytes[0] == 2 && BinaryPrimitives.ReadUInt32BigEndian(bytes[1..]) is (1 or 2);
            ByActor = IsKnownMap && BinaryPrimitives.ReadUInt32BigEndian(bytes[1..]) == 2;
            Volume = BinaryPrimitives.ReadInt64BigEndian(bytes[5..]);
            VolumeStart = BinaryPrimitives.ReadInt64BigEndian(bytes[13..]);
            Covered = BinaryPrimitives.ReadInt64BigEndian(bytes[21..]);
            TrieRoot = bytes[37..69].ToArray();
            SealedRoot = bytes[69..].ToArray();
            LeafHash = SHA256.HashData([0, .. bytes]);
        }

        /// <summary>Whether the leaf is a commit entry, under one of the two map functions.</summary>
        public bool IsKnownMap { get; }

        /// <summary>Whether there are events of type 3 only: map function 2.</summary>
        public bool ByActor { get; }

        public long Volume { get; }

        public long VolumeStart { get; }

        public long Covered { get; }

        public byte[] TrieRoot { get; }

        public byte[] SealedRoot { get; }

        public byte[] LeafHash { get; }
    }

    /// <summary>A key's path in one volume's trie, and what stands at its end.</summary>
    private sealed class KeyPart
    {
        private readonly byte[][] _siblings;
        private readonly int _kind;
        private readonly byte[] _otherKey = [];
        private readonly byte[] _otherRoot = [];
        private readonly long _total;
        private readonly long _first;
        private readonly List<byte[]> _hashes = [];

        public KeyPart(ref Reader reader)
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
                _hashes = reader.Hashes(MaxRangeHashes);
            }
        }

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
                node = Bit(key, i) ? Node(0x13, _siblings[i], node) : Node(0x13, node, _siblings[i]);
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
    }

    /// <summary>Folds shown leaves and the hashes beside them, left to right, to the root of a tree of RFC 6962 shape.</summary>
    private sealed class RangeFold(byte tag, long first, List<byte[]> leaves, List<byte[]> hashes)
    {
        private int _used;

        public byte[] Root(long size)
        {
            Require(first >= 0 && first <= size - leaves.Count);
            var root = Fold(0, size);
            Require(_used == hashes.Count);
            return root;
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

    private ref struct Reader(ReadOnlySpan<byte> bytes)
    {
        private ReadOnlySpan<byte> _rest = bytes;

        public readonly bool AtEnd => _rest.IsEmpty;

        public ReadOnlySpan<byte> Take(int length)
        {
            Require(_rest.Length >= length);
            var taken = _rest[..length];
            _rest = _rest[length..];
            return taken;
        }

        public int U8() => Take(1)[0];

        public uint U32() => BinaryPrimitives.ReadUInt32BigEndian(Take(4));

        // Numbers end below 2^63: nothing in a log is counted beyond that.
        public long I64()
        {
            var value = BinaryPrimitives.ReadInt64BigEndian(Take(8));
            Require(value >= 0);
            return value;
        }

        // The bytes have to be there before room is made for them.
        public long[] Indices()
        {
            var count = U32();
            Require(count <= _rest.Length / 8);
            var indices = new long[count];
            for (var i = 0; i < indices.Length; i++)
            {
                indices[i] = I64();
            }

            return indices;
        }

        public List<byte[]> Hashes(int atMost)
        {
            var count = U8();
            Require(count <= atMost);
            var list = new List<byte[]>(count);
            for (var i = 0; i < count; i++)
            {
                list.Add(Take(Hash).ToArray());
            }

            return list;
        }
    }
}

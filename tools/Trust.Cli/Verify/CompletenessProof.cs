using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;

namespace Trust.Cli.Verify;

/// <summary>One posting that a completeness proof shows.</summary>
/// <param name="Index">Index in the log.</param>
/// <param name="LeafHash">RFC 6962 leaf hash of the event.</param>
public readonly record struct ShownPosting(long Index, ReadOnlyMemory<byte> LeafHash);

/// <summary>
/// Verifies a SIX2 proof (docs/LEDGER-FORMAT.md §9): that the events shown are all events of one key in a range of indices, under one
/// checkpoint. The commit entry at the end of the tree carries the root of the subject index; under one root a key has exactly one path,
/// whoever built it, so nothing can be left out, added or moved. Whether the root was built rightly is what a witness vouches for.
/// </summary>
public static class CompletenessProof
{
    /// <summary>Largest proof read, bytes.</summary>
    public const int MaxBytes = 4 << 20;

    private const int Hash = 32;
    private const int CommitSize = 101;

    /// <summary>Most hashes of a range proof: two edges of a tree of 2^63 leaves.</summary>
    private const int MaxRangeHashes = 126;

    /// <summary>Verifies.</summary>
    /// <param name="proof">Untrusted bytes.</param>
    /// <param name="size">Size of the verified checkpoint.</param>
    /// <param name="root">Its RFC 6962 root.</param>
    /// <param name="key">Subject key, 32 bytes.</param>
    /// <param name="from">First index asked for.</param>
    /// <param name="to">First index after those asked for.</param>
    /// <param name="leafHashes">Leaf hashes of the events shown, in the order of their indices.</param>
    /// <returns>The postings shown: all of the range, and at most one neighbour on each side within each epoch; null when anything is wrong.</returns>
    public static IReadOnlyList<ShownPosting>? Verify(
        ReadOnlySpan<byte> proof, long size, ReadOnlySpan<byte> root, ReadOnlySpan<byte> key, long from, long to, IReadOnlyList<byte[]> leafHashes)
    {
        try
        {
            return Check(proof, size, root, key, from, to, leafHashes);
        }
        catch (RefusedException)
        {
            return null;
        }
    }

    private static List<ShownPosting> Check(
        ReadOnlySpan<byte> proof, long size, ReadOnlySpan<byte> root, ReadOnlySpan<byte> key, long from, long to, IReadOnlyList<byte[]> leafHashes)
    {
        Require(proof.Length <= MaxBytes && size > 0 && key.Length == Hash && leafHashes.All(h => h.Length == Hash));
        var reader = new Reader(proof);
        Require(reader.Take(4).SequenceEqual("SIX2"u8) && reader.I64() == size);
        var commitBytes = reader.Take(CommitSize);
        var commit = new Commit(commitBytes);
        Require(commit.Covered == size - 1 && from >= 0 && from <= to && to <= commit.Covered);
        var path = reader.Hashes(reader.U8());
        Require(path.Count <= 64);
        Span<byte> leaf = stackalloc byte[1 + CommitSize];
        leaf[0] = 0;
        commitBytes.CopyTo(leaf[1..]);
        Require(EvidenceVerifier.InTree(size - 1, size, SHA256.HashData(leaf), path, root.ToArray()));

        var sealedEpochs = SealedEpochs(ref reader, commit, from, to);
        var shown = new List<ShownPosting>(leafHashes.Count);
        foreach (var epoch in sealedEpochs)
        {
            KeyPart(ref reader, epoch.TrieRoot, key, epoch.Start, epoch.End, from, to, leafHashes, shown);
        }

        KeyPart(ref reader, commit.TrieRoot, key, commit.EpochStart, commit.Covered, from, to, leafHashes, shown);
        Require(reader.AtEnd && shown.Count == leafHashes.Count);
        return shown;
    }

    private static List<Epoch> SealedEpochs(ref Reader reader, in Commit commit, long from, long to)
    {
        var count = reader.U32();
        // Every sealed epoch that overlaps the range has to be shown; the live one always is.
        var needed = from < to && from < commit.EpochStart;
        Require(needed == (count > 0) && count <= commit.Epoch && count <= MaxBytes / (16 + Hash));
        var epochs = new List<Epoch>();
        Require(commit.Epoch > 0 || commit.SealedRoot.AsSpan().SequenceEqual(SHA256.HashData([])));
        if (count == 0)
        {
            return epochs;
        }

        var first = reader.U32();
        var leaves = new List<byte[]>();
        for (var i = 0; i < count; i++)
        {
            var epoch = new Epoch(reader.I64(), reader.I64(), reader.Take(Hash).ToArray());
            Require(epoch.Start >= 0 && epoch.Start < epoch.End && (i == 0 || epochs[^1].End == epoch.Start));
            epochs.Add(epoch);
            leaves.Add(SealedLeaf(epoch));
        }

        Require(epochs[0].Start <= from && epochs[0].End > from && epochs[^1].Start < to && (to > commit.EpochStart ? epochs[^1].End == commit.EpochStart : epochs[^1].End >= to));
        var hashes = reader.Hashes(reader.U8());
        Require(hashes.Count <= MaxRangeHashes);
        var fold = new RangeFold(0x15, first, leaves, hashes);
        Require(fold.Root(commit.Epoch).AsSpan().SequenceEqual(commit.SealedRoot));
        return epochs;
    }

    private static void KeyPart(
        ref Reader reader, byte[] trieRoot, ReadOnlySpan<byte> key, long start, long end, long from, long to,
        IReadOnlyList<byte[]> leafHashes, List<ShownPosting> shown)
    {
        var depth = reader.U8();
        var bitmap = reader.Take((depth + 7) / 8);
        Require(depth % 8 == 0 || (bitmap[^1] & (0xFF >> (depth % 8))) == 0);
        var siblings = new byte[depth][];
        for (var i = 0; i < depth; i++)
        {
            siblings[i] = (bitmap[i / 8] & (0x80 >> (i % 8))) != 0 ? reader.Take(Hash).ToArray() : new byte[Hash];
        }

        var node = reader.U8() switch
        {
            0 => new byte[Hash],
            1 => OtherLeaf(ref reader, key, depth),
            2 => OwnLeaf(ref reader, key, start, end, from, to, leafHashes, shown),
            _ => throw new RefusedException(),
        };
        Span<byte> message = stackalloc byte[1 + (2 * Hash)];
        message[0] = 0x13;
        for (var i = depth - 1; i >= 0; i--)
        {
            var right = Bit(key, i);
            (right ? siblings[i] : node).CopyTo(message[1..]);
            (right ? node : siblings[i]).CopyTo(message[(1 + Hash)..]);
            node = SHA256.HashData(message);
        }

        Require(node.AsSpan().SequenceEqual(trieRoot));
    }

    private static byte[] OtherLeaf(ref Reader reader, ReadOnlySpan<byte> key, int depth)
    {
        var other = reader.Take(Hash);
        Require(!other.SequenceEqual(key));
        for (var i = 0; i < depth; i++)
        {
            Require(Bit(other, i) == Bit(key, i));
        }

        return TrieLeaf(other, reader.I64(), reader.Take(Hash));
    }

    private static byte[] OwnLeaf(
        ref Reader reader, ReadOnlySpan<byte> key, long start, long end, long from, long to, IReadOnlyList<byte[]> leafHashes, List<ShownPosting> shown)
    {
        var total = reader.I64();
        var first = reader.I64();
        var count = reader.U32();
        Require(total > 0 && count > 0 && first >= 0 && first <= total - count && count <= leafHashes.Count - shown.Count);
        var leaves = new List<byte[]>((int)count);
        var before = start - 1;
        Span<byte> posting = stackalloc byte[1 + 8 + Hash];
        posting[0] = 0x10;
        for (var i = 0; i < count; i++)
        {
            var index = reader.I64();
            Require(index > before && index < end);
            before = index;
            var hash = leafHashes[shown.Count];
            BinaryPrimitives.WriteInt64BigEndian(posting[1..], index);
            hash.CopyTo(posting[9..]);
            leaves.Add(SHA256.HashData(posting));
            shown.Add(new ShownPosting(index, hash));
        }

        var own = shown.GetRange(shown.Count - (int)count, (int)count);
        // Each edge is shown: by a neighbour outside the range, or because the key's tree ends there. And no more than that.
        Require((first == 0 || own[0].Index < from) && (first + count == total || own[^1].Index >= to));
        Require(count < 2 || (own[1].Index >= from && own[^2].Index < to));
        var hashes = reader.Hashes(reader.U8());
        Require(hashes.Count <= MaxRangeHashes);
        return TrieLeaf(key, total, new RangeFold(0x11, first, leaves, hashes).Root(total));
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

    private static byte[] SealedLeaf(Epoch epoch)
    {
        Span<byte> message = stackalloc byte[1 + 16 + Hash];
        message[0] = 0x14;
        BinaryPrimitives.WriteInt64BigEndian(message[1..], epoch.Start);
        BinaryPrimitives.WriteInt64BigEndian(message[9..], epoch.End);
        epoch.TrieRoot.CopyTo(message[17..]);
        return SHA256.HashData(message);
    }

    private static bool Bit(ReadOnlySpan<byte> key, int i) => (key[i / 8] & (0x80 >> (i % 8))) != 0;

    private static void Require(bool holds)
    {
        if (!holds)
        {
            throw new RefusedException();
        }
    }

    private sealed class RefusedException : Exception;

    private sealed record Epoch(long Start, long End, byte[] TrieRoot);

    private readonly record struct Commit
    {
        public Commit(ReadOnlySpan<byte> bytes)
        {
            Require(bytes[0] == 2 && BinaryPrimitives.ReadUInt32BigEndian(bytes[1..]) == 1);
            Epoch = BinaryPrimitives.ReadInt64BigEndian(bytes[5..]);
            EpochStart = BinaryPrimitives.ReadInt64BigEndian(bytes[13..]);
            Covered = BinaryPrimitives.ReadInt64BigEndian(bytes[21..]);
            TrieRoot = bytes[37..69].ToArray();
            SealedRoot = bytes[69..].ToArray();
            Require(Epoch >= 0 && EpochStart >= 0 && EpochStart <= Covered && (Epoch == 0) == (EpochStart == 0));
        }

        public long Epoch { get; }

        public long EpochStart { get; }

        public long Covered { get; }

        public byte[] TrieRoot { get; }

        public byte[] SealedRoot { get; }
    }

    /// <summary>Folds shown leaves and the hashes beside them, left to right, to the root of an RFC 6962 tree with another node tag.</summary>
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
            var right = Fold(middle, hi);
            Span<byte> message = stackalloc byte[1 + (2 * Hash)];
            message[0] = tag;
            left.CopyTo(message[1..]);
            right.CopyTo(message[(1 + Hash)..]);
            return SHA256.HashData(message);
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

        public long I64() => BinaryPrimitives.ReadInt64BigEndian(Take(8));

        public List<byte[]> Hashes(int count)
        {
            var list = new List<byte[]>(count);
            for (var i = 0; i < count; i++)
            {
                list.Add(Take(Hash).ToArray());
            }

            return list;
        }
    }
}

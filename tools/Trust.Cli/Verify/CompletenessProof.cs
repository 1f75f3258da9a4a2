using System.Buffers.Binary;
using System.Security.Cryptography;
using static Trust.Cli.Verify.ProofRule;

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

        private readonly long _size;
    private readonly CommitLeaf _commit;
    private readonly List<byte[]> _path;
    private readonly long _firstVolume;
    private readonly List<Volume> _volumes = [];
    private readonly List<byte[]> _volumeHashes = [];
    private readonly List<KeyPart> _parts = [];

    private CompletenessProof(ref ProofReader reader)
    {
        Require(reader.Take(4).SequenceEqual("SIX2"u8));
        _size = reader.I64();
        _commit = new CommitLeaf(reader.Take(CommitLeaf.Size));
        _path = reader.Hashes(64);
        var sealedCount = reader.U32();
        if (sealedCount > 0)
        {
            _firstVolume = reader.U32();
            for (var i = 0; i < sealedCount; i++)
            {
                _volumes.Add(new Volume(reader.I64(), reader.I64(), reader.Take(Hash).ToArray()));
            }

            _volumeHashes = reader.Hashes(RangeFold.MaxHashes);
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
            var reader = new ProofReader(bytes);
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
}

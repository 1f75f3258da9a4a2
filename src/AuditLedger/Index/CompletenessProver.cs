using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;
using Npgsql;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Proofs;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Index;

/// <summary>An event under its key.</summary>
/// <param name="Index">Index in the log.</param>
/// <param name="LeafHash">RFC 6962 leaf hash.</param>
internal readonly record struct Posting(long Index, byte[] LeafHash);

/// <summary>Answer to "which events carry this key, and is that all?".</summary>
internal abstract record SubjectAnswer
{
    private SubjectAnswer() { }

    /// <summary>Proved.</summary>
    /// <param name="Proof">SIX2 bytes (docs/LEDGER-FORMAT.md).</param>
    /// <param name="Shown">The events of the range and at most one neighbour on each side in each volume, as the proof shows them, by rising index.</param>
    public sealed record Proved(byte[] Proof, List<Posting> Shown) : SubjectAnswer;

    /// <summary>More events than the caller wants; ask for a smaller range.</summary>
    /// <param name="Count">Events in the range, as far as counted.</param>
    public sealed record TooMany(long Count) : SubjectAnswer;

    /// <summary>No commit entry ends the tree of that size: nothing was published of it, or it is older than the index.</summary>
    public sealed record NoSuchSize : SubjectAnswer;
}

/// <summary>
/// Proves which events of a range carry a key, as of any published size. Reads beside the sequencer; everything shown is hashed up to the
/// logged root first.
/// </summary>
internal sealed class CompletenessProver(LiveIndex live, NpgsqlDataSource db, ILogger<CompletenessProver> log)
{
    /// <summary>Proves.</summary>
    /// <param name="head">The published head.</param>
    /// <param name="key">Subject key, 32 bytes.</param>
    /// <param name="from">First index asked for.</param>
    /// <param name="to">First index after those asked for, at most <paramref name="size"/> − 1.</param>
    /// <param name="size">Size under which to answer, at most the head's.</param>
    /// <param name="most">Most events of the range to show.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="IndexFaultException">The index is damaged; logged as critical.</exception>
    public async Task<SubjectAnswer> Prove(
        PublishedHead head, ReadOnlyMemory<byte> key, long from, long to, long size, int most, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(key.Length, SubjectKey.Size, nameof(key));
        ArgumentOutOfRangeException.ThrowIfNegative(from);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(from, to);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, head.Edge.Size);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(to, size);
        var began = Stopwatch.GetTimestamp();
        var reader = new IndexReader(live, db, head.Edge);
        if (await reader.Commit(size - 1, ct) is not { } commit)
        {
            return new SubjectAnswer.NoSuchSize();
        }

        try
        {
            var writer = new ProofWriter();
            writer.Bytes("SIX2"u8);
            writer.I64(size);
            writer.Bytes(commit.Write());
            writer.Hashes(await new TreeReader(db, head.Edge).Inclusion(size - 1, size, ct));
            var shown = new List<Posting>();
            foreach (var volume in Volumes(writer, reader.Sealed(commit), commit, from, to))
            {
                if (await Show(writer, reader, volume, key, (from, to), most, shown, ct) is { } tooMany)
                {
                    return tooMany;
                }
            }

            LedgerMetrics.Proved(Stopwatch.GetElapsedTime(began));
            return new SubjectAnswer.Proved(writer.Written, shown);
        }
        catch (IndexFaultException e)
        {
            var fault = await reader.WrongTile(ct) is { } tile
                ? new IndexFaultException($"{e.Message}; tile 0/{tile} holds another leaf hash than its entry has")
                : e;
            LedgerLog.IndexDamaged(log, fault.Message);
            LedgerMetrics.IndexFault();
            throw fault;
        }
    }

    // Writes which sealed volumes overlap the range and yields them, then the live one.
    private static List<VolumeAt> Volumes(ProofWriter writer, IReadOnlyList<SealedVolume> all, CommitEntry commit, long from, long to)
    {
        var first = all.TakeWhile(v => v.End <= from).Count();
        var count = from < to ? all.Skip(first).TakeWhile(v => v.Start < to).Count() : 0;
        writer.U32(count);
        var volumes = new List<VolumeAt>();
        if (count > 0)
        {
            writer.U32(first);
            for (var i = first; i < first + count; i++)
            {
                writer.I64(all[i].Start);
                writer.I64(all[i].End);
                writer.Bytes(all[i].TrieRoot);
                volumes.Add(new VolumeAt(i, all[i].Start, all[i].End, all[i].TrieRoot));
            }

            writer.Hashes(SubjectIndex.SealedProof(all, first, first + count));
        }

        volumes.Add(new VolumeAt(commit.Volume, commit.VolumeStart, commit.Covered, commit.TrieRoot));
        return volumes;
    }

    private static async Task<SubjectAnswer.TooMany?> Show(
        ProofWriter writer, IndexReader reader, VolumeAt volume, ReadOnlyMemory<byte> key, (long From, long To) range, int most, List<Posting> shown, CancellationToken ct)
    {
        var slot = await new TrieWalk(reader, volume, ct).Find(key);
        writer.Path(slot.Siblings);
        if (slot.Found is not { } found)
        {
            writer.U8(0);
            return null;
        }

        var mine = found.Postings.Key.SequenceEqual(key.Span);
        var (first, last) = mine ? Within(found, range) : default;
        if (last - first + shown.Count > (long)most + 2)
        {
            return new SubjectAnswer.TooMany(last - first + shown.Count);
        }

        var hashes = await reader.LeafHashes([.. KeyTree.Needed(found.Postings, found.Count, (first, last))], ct);
        var tree = new KeyTree(found.Postings, found.Count, (first, last), hashes);
        var root = tree.Root();
        var leaf = new byte[IndexHash.Size];
        IndexHash.TrieLeaf(found.Postings.Key, found.Count, root, leaf);
        if (!leaf.AsSpan().SequenceEqual(found.Leaf))
        {
            throw new IndexFaultException($"a key's postings in volume {volume.Number} do not give what was logged at {volume.Commit}");
        }

        if (!mine)
        {
            writer.U8(1);
            writer.Bytes(found.Postings.Key);
            writer.I64(found.Count);
            writer.Bytes(root);
            return null;
        }

        writer.U8(2);
        writer.I64(found.Count);
        writer.I64(first);
        writer.U32((int)(last - first));
        foreach (var index in found.Postings.Indices(first, last))
        {
            writer.I64(index);
            shown.Add(new Posting(index, hashes[index]));
        }

        writer.Hashes(tree.RangeProof(first, last));
        return null;
    }

    // Postings of the range and a neighbour on each side, which shows that nothing lies between it and the range.
    private static (long From, long To) Within(KeyAt key, (long From, long To) range)
    {
        var low = Math.Min(key.Count, key.Postings.CountBelow(range.From));
        var high = Math.Min(key.Count, key.Postings.CountBelow(range.To));
        return (Math.Max(0, low - 1), Math.Min(key.Count, high + 1));
    }
}

/// <summary>Writes a SIX2 proof.</summary>
internal sealed class ProofWriter
{
    private readonly ArrayBufferWriter<byte> _to = new(2048);

    public byte[] Written => _to.WrittenSpan.ToArray();

    public void U8(int value) => Bytes([checked((byte)value)]);

    public void U32(int value)
    {
        BinaryPrimitives.WriteInt32BigEndian(_to.GetSpan(sizeof(int)), value);
        _to.Advance(sizeof(int));
    }

    public void I64(long value)
    {
        BinaryPrimitives.WriteInt64BigEndian(_to.GetSpan(sizeof(long)), value);
        _to.Advance(sizeof(long));
    }

    public void Bytes(ReadOnlySpan<byte> bytes) => _to.Write(bytes);

    public void Hashes(List<byte[]> hashes)
    {
        U8(hashes.Count);
        hashes.ForEach(h => Bytes(h));
    }

    /// <summary>Depth, a bit for each level whose sibling is not empty, and those siblings from the root on.</summary>
    public void Path(List<SubtreeValue> siblings)
    {
        U8(siblings.Count);
        var bits = new byte[(siblings.Count + 7) / 8];
        for (var i = 0; i < siblings.Count; i++)
        {
            bits[i / 8] |= (byte)(siblings[i].Kind == SubtreeKind.Empty ? 0 : 0x80 >> (i % 8));
        }

        Bytes(bits);
        foreach (var sibling in siblings.Where(s => s.Kind != SubtreeKind.Empty))
        {
            Bytes(sibling.Hash);
        }
    }
}

using Npgsql;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Index;

/// <summary>What a proof is made from: the index in memory and in the database, and leaf hashes of the log. One per question.</summary>
internal sealed class IndexReader(LiveIndex live, NpgsqlDataSource db, LogTree edge)
{
    private const string SelectLeaf = "SELECT leaf FROM entries WHERE idx = $1";

    // Of each tile the piece that is needed: a stored tile is cut where it lies, so most of its 8 KB are neither read nor sent. Subqueries and not
    // joins, so that each row is looked up by its key: a plan for many rows would read the whole table, one for ANY every index in every range.
    private const string SelectPieces = """
        SELECT a.n, (SELECT substring(t.hashes FROM a.first FOR a.length) FROM tiles t WHERE t.level = 0 AND t.n = a.n)
        FROM unnest($1::bigint[], $2::integer[], $3::integer[]) AS a (n, first, length)
        """;

    private const string SelectHashes = "SELECT a.idx, (SELECT e.leaf_hash FROM entries e WHERE e.idx = a.idx) FROM unnest($1::bigint[]) AS a (idx)";

    private readonly Dictionary<long, byte[]> _ofTiles = [];

    /// <summary>The commit entry at an index; null when there is another entry or none.</summary>
    public async Task<CommitEntry?> Commit(long index, CancellationToken ct) =>
        await db.Sql(SelectLeaf).With(index).Scalar<byte[]>(ct) is { } leaf ? CommitEntry.TryRead(leaf) : null;

    /// <summary>Sealed volumes that a commit entry knows.</summary>
    /// <exception cref="IndexFaultException">They do not give its root.</exception>
    public IReadOnlyList<SealedVolume> Sealed(CommitEntry commit) =>
        live.Sealed(commit.Volume) is { } volumes && SubjectIndex.SealedRootOf(volumes).AsSpan().SequenceEqual(commit.SealedRoot)
            ? volumes
            : throw new IndexFaultException($"the sealed volumes do not give the root that was logged at {commit.Covered}");

    /// <summary>A fan's values as a commit left them.</summary>
    public Task<SubtreeValue[]> Values(VolumeAt at, int fan, CancellationToken ct) => live.Values(at, fan, ct);

    /// <summary>What the volume holds of each key of a bucket, later postings included.</summary>
    public Task<List<KeyPostings>> Bucket(VolumeAt at, int bucket, CancellationToken ct) => live.Bucket(at, bucket, ct);

    /// <summary>
    /// Leaf hashes by index: from full tiles, which outlive pruning and are a fortieth of the entries; from the tree's edge; what neither has, from
    /// the entries. Those that are stored nowhere are missing. Whether they are true shows when they are hashed up to a logged root.
    /// </summary>
    public async Task<Dictionary<long, byte[]>> LeafHashes(IReadOnlyCollection<long> indices, CancellationToken ct)
    {
        var hashes = new Dictionary<long, byte[]>(indices.Count);
        var full = LogTree.FullTiles(edge.Size, 0) * LogTree.Width;
        await FromTiles([.. indices.Where(i => i < full)], hashes, ct);
        foreach (var index in indices.Where(i => i >= full && i < edge.Size))
        {
            hashes[index] = At(edge.Partial(0), index - full).ToArray();
        }

        if (indices.Where(i => !hashes.ContainsKey(i)).Distinct().ToArray() is { Length: > 0 } missing)
        {
            (await OfEntries(missing, ct)).ForEach(e => hashes[e.Index] = e.Hash);
        }

        return hashes;
    }

    /// <summary>The first tile this question was answered from that does not hold what its entries say; null when all agree.</summary>
    public async Task<long?> WrongTile(CancellationToken ct)
    {
        var stored = await OfEntries([.. _ofTiles.Keys], ct);
        return stored.Where(e => !e.Hash.AsSpan().SequenceEqual(_ofTiles[e.Index])).Select(e => (long?)(e.Index / LogTree.Width)).Min();
    }

    private static ReadOnlySpan<byte> At(ReadOnlySpan<byte> hashes, long place) => hashes.Slice((int)place * IndexHash.Size, IndexHash.Size);

    private async Task FromTiles(List<long> indices, Dictionary<long, byte[]> hashes, CancellationToken ct)
    {
        if (indices.Count == 0)
        {
            return;
        }

        var wanted = indices.GroupBy(i => i / LogTree.Width).ToDictionary(g => g.Key, g => (First: g.Min(), Last: g.Max(), Indices: g.ToList()));
        var rows = await db.Sql(SelectPieces).With(wanted.Keys.ToArray())
            .With(wanted.Values.Select(w => ((int)(w.First % LogTree.Width) * IndexHash.Size) + 1).ToArray())
            .With(wanted.Values.Select(w => (int)(w.Last - w.First + 1) * IndexHash.Size).ToArray())
            .All(r => (Tile: r.GetInt64(0), Hashes: r.Nullable<byte[]>(1)), ct);
        foreach (var (tile, piece) in rows)
        {
            foreach (var index in piece is null ? [] : wanted[tile].Indices)
            {
                hashes[index] = _ofTiles[index] = At(piece, index - wanted[tile].First).ToArray();
            }
        }
    }

    private async Task<List<(long Index, byte[] Hash)>> OfEntries(long[] indices, CancellationToken ct)
    {
        var rows = await db.Sql(SelectHashes).With(indices).All(r => (Index: r.GetInt64(0), Hash: r.Nullable<byte[]>(1)), ct);
        return [.. rows.Where(r => r.Hash is not null).Select(r => (r.Index, r.Hash!))];
    }
}

/// <summary>A volume as a commit left it.</summary>
/// <param name="Number">Number of the volume.</param>
/// <param name="Start">Index at which it begins.</param>
/// <param name="Commit">Index of the commit entry.</param>
/// <param name="TrieRoot">Root of its trie, as logged.</param>
internal sealed record VolumeAt(long Number, long Start, long Commit, byte[] TrieRoot);

using Npgsql;
using Trust.Kernel.Log;
using Trust.Kernel.Postgres;

namespace Trust.AuditLedger.Index;

/// <summary>What a proof is made from: the index in memory and in the database, and leaf hashes of the log.</summary>
internal sealed class IndexReader(LiveIndex live, NpgsqlDataSource db)
{
    private const string SelectLeaf = "SELECT leaf FROM entries WHERE idx = $1";
    private const string SelectTiles = "SELECT n, hashes FROM tiles WHERE level = 0 AND n = ANY($1)";
    private const string SelectHashes = "SELECT idx, leaf_hash FROM entries WHERE idx = ANY($1)";

    /// <summary>The commit entry at an index; null when there is another entry or none.</summary>
    public async Task<CommitEntry?> Commit(long index, CancellationToken ct) =>
        await db.Sql(SelectLeaf).With(index).Scalar<byte[]>(ct) is { } leaf ? CommitEntry.TryRead(leaf) : null;

    /// <summary>Sealed epochs that a commit entry knows.</summary>
    /// <exception cref="IndexFaultException">They do not give its root.</exception>
    public IReadOnlyList<SealedEpoch> Sealed(CommitEntry commit) =>
        live.Sealed(commit.Epoch) is { } epochs && SubjectIndex.SealedRootOf(epochs).AsSpan().SequenceEqual(commit.SealedRoot)
            ? epochs
            : throw new IndexFaultException($"the sealed epochs do not give the root that was logged at {commit.Covered}");

    /// <summary>A tile's values as a commit left them.</summary>
    public Task<SubtreeValue[]> Values(EpochAt at, int tile, CancellationToken ct) => live.Values(at, tile, ct);

    /// <summary>What the epoch holds of each key of a bucket, later postings included.</summary>
    public Task<List<KeyPostings>> Bucket(EpochAt at, int bucket, CancellationToken ct) => live.Bucket(at, bucket, ct);

    /// <summary>Leaf hashes by index, of pruned entries from their tiles; those that are stored nowhere are missing.</summary>
    public async Task<Dictionary<long, byte[]>> LeafHashes(IReadOnlyCollection<long> indices, CancellationToken ct)
    {
        if (indices.Count == 0)
        {
            return [];
        }

        var rows = await db.Sql(SelectHashes).With(indices.ToArray()).All(r => (r.GetInt64(0), r.GetFieldValue<byte[]>(1)), ct);
        var hashes = rows.ToDictionary(r => r.Item1, r => r.Item2);
        if (hashes.Count < indices.Count)
        {
            await FromTiles(indices.Where(i => !hashes.ContainsKey(i)), hashes, ct);
        }

        return hashes;
    }

    private async Task FromTiles(IEnumerable<long> missing, Dictionary<long, byte[]> hashes, CancellationToken ct)
    {
        var byTile = missing.GroupBy(i => i / LogTree.Width).ToDictionary(g => g.Key, g => g.ToList());
        foreach (var (tile, stored) in await db.Sql(SelectTiles).With(byTile.Keys.ToArray()).All(r => (r.GetInt64(0), r.GetFieldValue<byte[]>(1)), ct))
        {
            foreach (var index in byTile[tile])
            {
                hashes[index] = stored.AsSpan((int)(index % LogTree.Width) * IndexHash.Size, IndexHash.Size).ToArray();
            }
        }
    }
}

/// <summary>An epoch as a commit left it.</summary>
/// <param name="Number">Number of the epoch.</param>
/// <param name="Start">Index at which it begins.</param>
/// <param name="Commit">Index of the commit entry.</param>
/// <param name="TrieRoot">Root of its trie, as logged.</param>
internal sealed record EpochAt(long Number, long Start, long Commit, byte[] TrieRoot);

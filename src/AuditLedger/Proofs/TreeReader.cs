using System.Numerics;
using Npgsql;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.AuditLedger.Proofs;

/// <summary>
/// Makes proofs for any size up to that of a published tree, from stored tiles and the tree's edge. Which tiles a proof takes is known beforehand, so
/// that it costs one statement however many they are. One per request: what was read once is kept for the proofs that follow.
/// </summary>
internal sealed class TreeReader(NpgsqlDataSource db, LogTree edge)
{
    private const string SelectTiles = """
        SELECT t.level, t.n, t.hashes FROM unnest($1::smallint[], $2::bigint[]) AS a (level, n) JOIN tiles t ON t.level = a.level AND t.n = a.n
        """;

    private readonly Dictionary<(int Level, long Number), byte[]> _tiles = [];

    // Proofs whose tiles one statement reads.
    private const int ProofsAtOnce = 64;

    /// <summary>RFC 9162 §2.1.3.1, leaf to root.</summary>
    public Task<List<byte[]>> Inclusion(long index, long size, CancellationToken ct) => Subtrees(Siblings(index, size), ct);

    /// <summary>The proofs of many entries, in their order.</summary>
    public async Task<List<List<byte[]>>> Inclusions(IEnumerable<long> indices, long size, CancellationToken ct)
    {
        var proofs = new List<List<byte[]>>();
        foreach (var some in indices.Chunk(ProofsAtOnce))
        {
            var siblings = Array.ConvertAll(some, i => Siblings(i, size));
            await Read(siblings.SelectMany(s => s), ct);
            proofs.AddRange(siblings.Select(s => s.Select(Fold).ToList()));
        }

        return proofs;
    }

    /// <summary>RFC 9162 §2.1.4.1.</summary>
    public async Task<List<byte[]>> Consistency(long first, long second, CancellationToken ct)
    {
        if (first == 0 || first == second)
        {
            return [];
        }

        var (lo, hi) = (0L, second);
        var whole = true;
        var others = new Stack<(long Lo, long Hi)>();
        while (first != hi)
        {
            var middle = lo + Split(hi - lo);
            if (first <= middle)
            {
                others.Push((middle, hi));
                hi = middle;
            }
            else
            {
                others.Push((lo, middle));
                lo = middle;
                whole = false;
            }
        }

        if (!whole)
        {
            others.Push((lo, hi));
        }

        return await Subtrees([.. others], ct);
    }

    /// <summary>Root at a size.</summary>
    public async Task<byte[]> Root(long size, CancellationToken ct) =>
        size == 0 ? MerkleProof.EmptyRoot : (await Subtrees([(0, size)], ct))[0];

    private static long Split(long n) => 1L << BitOperations.Log2((ulong)(n - 1));

    private static (long Lo, long Hi)[] Siblings(long index, long size)
    {
        var (lo, hi) = (0L, size);
        var siblings = new Stack<(long Lo, long Hi)>();
        while (hi - lo > 1)
        {
            var middle = lo + Split(hi - lo);
            if (index < middle)
            {
                siblings.Push((middle, hi));
                hi = middle;
            }
            else
            {
                siblings.Push((lo, middle));
                lo = middle;
            }
        }

        return [.. siblings];
    }

    private async Task<List<byte[]>> Subtrees((long Lo, long Hi)[] ranges, CancellationToken ct)
    {
        await Read(ranges, ct);
        return [.. ranges.Select(Fold)];
    }

    private async Task Read(IEnumerable<(long Lo, long Hi)> ranges, CancellationToken ct)
    {
        var tiles = ranges.SelectMany(r => PerfectOnes(r.Lo, r.Hi)).Select(p => p.Tile).Where(t => IsFull(t) && !_tiles.ContainsKey(t)).Distinct().ToArray();
        if (tiles.Length == 0)
        {
            return;
        }

        var rows = await db.Sql(SelectTiles).With(Array.ConvertAll(tiles, t => (short)t.Level)).With(Array.ConvertAll(tiles, t => t.Number))
            .All(r => (Tile: ((int)r.GetInt16(0), r.GetInt64(1)), Hashes: r.GetFieldValue<byte[]>(2)), ct);
        rows.ForEach(r => _tiles[r.Tile] = r.Hashes);
        if (Array.Find(tiles, t => !_tiles.ContainsKey(t)) is var (level, number) && rows.Count < tiles.Length)
        {
            throw new InvalidOperationException($"Tile {level}/{number} is missing.");
        }
    }

    // A range is the perfect subtrees of falling height that it is made of; its root joins them from the right.
    private static List<Place> PerfectOnes(long lo, long hi)
    {
        var found = new List<Place>();
        while (lo < hi)
        {
            var height = BitOperations.Log2((ulong)(hi - lo));
            found.Add(new Place(height, lo >> height));
            lo += 1L << height;
        }

        return found;
    }

    private byte[] Fold((long Lo, long Hi) range)
    {
        var parts = PerfectOnes(range.Lo, range.Hi);
        var root = Hash(parts[^1]);
        for (var i = parts.Count - 2; i >= 0; i--)
        {
            root = MerkleProof.NodeHash(Hash(parts[i]), root);
        }

        return root;
    }

    private bool IsFull((int Level, long Number) tile) => tile.Number < LogTree.FullTiles(edge.Size, tile.Level);

    private byte[] Hash(Place place)
    {
        var hashes = IsFull(place.Tile) ? _tiles[place.Tile] : edge.Partial(place.Tile.Level);
        return LogTree.Perfect(hashes, place.From, place.Width);
    }

    /// <summary>Where a perfect subtree lies.</summary>
    /// <param name="Height">Its height.</param>
    /// <param name="Index">Its number among those of that height.</param>
    private readonly record struct Place(int Height, long Index)
    {
        /// <summary>The tile that holds its hash, or hashes below it.</summary>
        public (int Level, long Number) Tile => (Height / 8, Index >> (8 - (Height % 8)));

        /// <summary>The first of those hashes in the tile.</summary>
        public int From => (int)((Index << (Height % 8)) & (LogTree.Width - 1));

        /// <summary>How many they are.</summary>
        public int Width => 1 << (Height % 8);
    }
}

using System.Numerics;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Log;
using Trust.Kernel.Postgres;

namespace Trust.AuditLedger.Proofs;

/// <summary>Makes proofs for any size up to that of a published tree, from stored tiles and the tree's edge. One per request.</summary>
internal sealed class TreeReader(NpgsqlDataSource db, LogTree edge)
{
    private const string SelectTile = "SELECT hashes FROM tiles WHERE level = $1 AND n = $2";

    private readonly Dictionary<(int Level, long Number), byte[]> _tiles = [];

    /// <summary>RFC 9162 §2.1.3.1, leaf to root.</summary>
    public async Task<List<byte[]>> Inclusion(long index, long size, CancellationToken ct)
    {
        var proof = new List<byte[]>();
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

        foreach (var (from, to) in siblings)
        {
            proof.Add(await Subtree(from, to, ct));
        }

        return proof;
    }

    /// <summary>RFC 9162 §2.1.4.1.</summary>
    public async Task<List<byte[]>> Consistency(long first, long second, CancellationToken ct)
    {
        var proof = new List<byte[]>();
        if (first == 0 || first == second)
        {
            return proof;
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
            proof.Add(await Subtree(lo, hi, ct));
        }

        foreach (var (from, to) in others)
        {
            proof.Add(await Subtree(from, to, ct));
        }

        return proof;
    }

    /// <summary>Root at a size.</summary>
    public async Task<byte[]> Root(long size, CancellationToken ct) =>
        size == 0 ? MerkleProof.EmptyRoot : await Subtree(0, size, ct);

    private static long Split(long n) => 1L << BitOperations.Log2((ulong)(n - 1));

    private async Task<byte[]> Subtree(long lo, long hi, CancellationToken ct)
    {
        var n = hi - lo;
        if (long.IsPow2(n))
        {
            return await Perfect(BitOperations.Log2((ulong)n), lo / n, ct);
        }

        var middle = lo + Split(n);
        var left = await Subtree(lo, middle, ct);
        var right = await Subtree(middle, hi, ct);
        return MerkleProof.NodeHash(left, right);
    }

    private async Task<byte[]> Perfect(int height, long index, CancellationToken ct)
    {
        var (level, within) = (height / 8, height % 8);
        var number = index >> (8 - within);
        var from = (int)((index << within) & (LogTree.Width - 1));
        if (number >= LogTree.FullTiles(edge.Size, level))
        {
            return LogTree.Perfect(edge.Partial(level), from, 1 << within);
        }

        var tile = await Tile(level, number, ct);
        return LogTree.Perfect(tile, from, 1 << within);
    }

    private async Task<byte[]> Tile(int level, long number, CancellationToken ct)
    {
        if (!_tiles.TryGetValue((level, number), out var tile))
        {
            tile = await db.Sql(SelectTile).With((short)level).With(number).Scalar<byte[]>(ct)
                ?? throw new InvalidOperationException($"Tile {level}/{number} is missing.");
            _tiles[(level, number)] = tile;
        }

        return tile;
    }
}

using System.Buffers.Binary;
using Npgsql;
using Trust.AuditLedger.Entries;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.AuditLedger.Tiles;

/// <summary>Reads what a published head covers, and nothing beyond it.</summary>
internal sealed class TileStore(NpgsqlDataSource db)
{
    private const string SelectTile = "SELECT hashes FROM tiles WHERE level = $1 AND n = $2";
    private const string IsKept = "SELECT EXISTS (SELECT FROM entries_ranges WHERE first <= $1 AND next > $1)";
    private const string SelectLeaves = "SELECT leaf FROM entries WHERE idx >= $1 AND idx < $2 ORDER BY idx";

    /// <summary>
    /// The hashes of a tile. A partial tile is the beginning of what is there now, of any width up to it: its bytes depend on the path alone,
    /// whichever widths were ever published.
    /// </summary>
    /// <returns>Null when the head does not cover it.</returns>
    public async Task<byte[]?> Hashes(TilePath path, PublishedHead head, CancellationToken ct)
    {
        if (path.Level is not { } level || !Covers(path, head.Checkpoint.Size, level))
        {
            return null;
        }

        if (path.Number >= LogTree.FullTiles(head.Checkpoint.Size, level))
        {
            return head.Edge.Partial(level)[..(path.Width * Envelope.HashSize)].ToArray();
        }

        var tile = await db.Sql(SelectTile).With((short)level).With(path.Number).Scalar<byte[]>(ct)
            ?? throw new InvalidOperationException($"Tile {level}/{path.Number} is missing.");
        return tile[..(path.Width * Envelope.HashSize)];
    }

    /// <summary>An entry bundle: <c>u16 length ‖ leaf data</c>, repeated.</summary>
    /// <returns>Null when the head does not cover it, or it was pruned.</returns>
    public async Task<byte[]?> Entries(TilePath path, PublishedHead head, CancellationToken ct)
    {
        if (path.Level is not null || !Covers(path, head.Checkpoint.Size, 0))
        {
            return null;
        }

        var first = path.Number * LogTree.Width;
        var leaves = await db.Sql(SelectLeaves).With(first).With(first + path.Width).All(r => r.GetFieldValue<byte[]>(0), ct);
        if (leaves.Count != path.Width)
        {
            // Whole ranges are pruned when their retention has ended; a gap in a range that is there is a fault.
            if (leaves.Count == 0 && !await db.Sql(IsKept).With(first).Scalar<bool>(ct))
            {
                return null;
            }

            throw new InvalidOperationException($"Entries {first} to {first + path.Width} are not all there.");
        }

        var bundle = new byte[leaves.Sum(leaf => 2 + leaf.Length)];
        var at = 0;
        foreach (var leaf in leaves)
        {
            BinaryPrimitives.WriteUInt16BigEndian(bundle.AsSpan(at), checked((ushort)leaf.Length));
            leaf.CopyTo(bundle, at + 2);
            at += 2 + leaf.Length;
        }

        return bundle;
    }

    private static bool Covers(TilePath path, long size, int level)
    {
        var full = LogTree.FullTiles(size, level);
        return path.Number < full || (path.Number == full && path.Width <= LogTree.PartialWidth(size, level));
    }
}

namespace Trust.LogFormat;

/// <summary>A tile that has become full and never changes again.</summary>
/// <param name="Level">0 holds leaf hashes, each further level the roots of 256 tiles' hashes below.</param>
/// <param name="Number">Place on its level, from 0.</param>
/// <param name="Hashes">256 hashes of 32 bytes.</param>
public readonly record struct FullTile(int Level, long Number, byte[] Hashes);

/// <summary>
/// Right edge of the RFC 6962 tree in tiles of 256 hashes (C2SP tlog-tiles): per level the hashes of the tile that is not full yet.
/// Appending is amortised one hash; a copy is a few kilobytes.
/// </summary>
public sealed class LogTree
{
    /// <summary>Hashes of a full tile.</summary>
    public const int Width = 256;

    private const int Hash = Envelope.HashSize;

    private readonly List<byte[]> _edge = [];

    /// <summary>Number of leaves.</summary>
    public long Size { get; private set; }

    /// <summary>Rebuilds the edge from what is stored.</summary>
    /// <param name="size">Number of leaves.</param>
    /// <param name="edge">Per level the concatenated hashes of the partial tile.</param>
    public static LogTree FromEdge(long size, IReadOnlyList<byte[]> edge)
    {
        var tree = new LogTree { Size = size };
        for (var level = 0; level < edge.Count; level++)
        {
            edge[level].CopyTo(tree.Level(level), 0);
        }

        return tree;
    }

    /// <summary>Full tiles of a level.</summary>
    public static long FullTiles(long size, int level) => level >= 8 ? 0 : size >> (8 * (level + 1));

    /// <summary>Hashes in the partial tile of a level.</summary>
    public static int PartialWidth(long size, int level) => level >= 8 ? 0 : (int)((size >> (8 * level)) & (Width - 1));

    /// <summary>An independent copy.</summary>
    public LogTree Copy() => FromEdge(Size, [.. _edge.Select((tile, level) => tile[..(PartialWidth(Size, level) * Hash)])]);

    /// <summary>Appends a leaf hash; full tiles are handed out as they arise.</summary>
    public void Append(ReadOnlySpan<byte> leafHash, List<FullTile>? full)
    {
        leafHash.CopyTo(Level(0).AsSpan(PartialWidth(Size, 0) * Hash));
        Size++;
        for (var level = 0; PartialWidth(Size, level) == 0 && Size >> (8 * level) > 0; level++)
        {
            var tile = _edge[level];
            var number = FullTiles(Size, level) - 1;
            full?.Add(new FullTile(level, number, tile[..(Width * Hash)]));
            // The partial width above still counts without this tile, because Size already includes it.
            var above = (int)((number & (Width - 1)) * Hash);
            Perfect(tile, 0, Width).CopyTo(Level(level + 1), above);
            if (((number + 1) & (Width - 1)) != 0)
            {
                break;
            }
        }
    }

    /// <summary>Root of the whole tree.</summary>
    public byte[] Root()
    {
        byte[]? root = null;
        for (var level = 0; level < _edge.Count; level++)
        {
            var at = PartialWidth(Size, level);
            for (var width = 1; at > 0; width <<= 1)
            {
                if ((at & width) == 0)
                {
                    continue;
                }

                at -= width;
                var part = Perfect(_edge[level], at, width);
                root = root is null ? part : MerkleProof.NodeHash(part, root);
            }
        }

        return root ?? MerkleProof.EmptyRoot;
    }

    /// <summary>Hashes of a partial tile.</summary>
    public ReadOnlySpan<byte> Partial(int level) => level < _edge.Count ? _edge[level].AsSpan(0, PartialWidth(Size, level) * Hash) : default;

    /// <summary>Hashes of the partial tile of each level: what <see cref="FromEdge"/> goes on from.</summary>
    public List<byte[]> Edge()
    {
        var edge = new List<byte[]>();
        for (var level = 0; level == 0 || FullTiles(Size, level - 1) > 0; level++)
        {
            edge.Add(Partial(level).ToArray());
        }

        return edge;
    }

    /// <summary>Root of a perfect subtree inside a tile.</summary>
    /// <param name="tile">Hashes.</param>
    /// <param name="from">First hash.</param>
    /// <param name="width">Power of two.</param>
    public static byte[] Perfect(ReadOnlySpan<byte> tile, int from, int width)
    {
        var work = tile.Slice(from * Hash, width * Hash).ToArray();
        for (; width > 1; width /= 2)
        {
            for (var i = 0; i < width; i += 2)
            {
                MerkleProof.NodeHash(work.AsSpan(i * Hash, Hash), work.AsSpan((i + 1) * Hash, Hash), work.AsSpan(i / 2 * Hash, Hash));
            }
        }

        return work[..Hash];
    }

    private byte[] Level(int level)
    {
        while (_edge.Count <= level)
        {
            _edge.Add(new byte[Width * Hash]);
        }

        return _edge[level];
    }
}

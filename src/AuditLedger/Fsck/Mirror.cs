using System.Buffers.Binary;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Tiles;
using Trust.LogFormat;

namespace Trust.AuditLedger.Fsck;

/// <summary>
/// A second copy of every entry, outside the database: full bundles of C2SP tlog-tiles as files, on a disk of their own. What is damaged in one
/// copy is repaired from the other; the entry's hash in the signed tree says which is right, so the mirror itself need not be trusted.
/// </summary>
internal sealed class Mirror(AuditLedgerOptions options, TileStore tiles, Sequencer sequencer)
{
    /// <summary>From one extension to the next.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    /// <summary>Whether one is configured.</summary>
    public bool IsKept => options.MirrorDirectory is not null;

    /// <summary>The bytes of an entry, or null when the mirror does not hold them; nothing is known of them until their hash was compared.</summary>
    public byte[]? Find(long index)
    {
        var file = options.MirrorDirectory is { } folder ? FileOf(folder, index / LogTree.Width) : null;
        if (file is null || !File.Exists(file))
        {
            return null;
        }

        var rest = File.ReadAllBytes(file).AsSpan();
        for (var skip = index % LogTree.Width; rest.Length >= 2; skip--)
        {
            var length = BinaryPrimitives.ReadUInt16BigEndian(rest);
            if (rest.Length - 2 < length)
            {
                return null;
            }

            if (skip == 0)
            {
                return rest.Slice(2, length).ToArray();
            }

            rest = rest[(2 + length)..];
        }

        return null;
    }

    /// <summary>Writes the bundles that have become full.</summary>
    public async Task Extend(CancellationToken ct)
    {
        if (options.MirrorDirectory is not { } folder || sequencer.Published is not { } head)
        {
            return;
        }

        // Bundles are written in order, so the first one missing is where the last round ended.
        for (var number = Next(folder, LogTree.FullTiles(head.Checkpoint.Size, 0)); number < LogTree.FullTiles(head.Checkpoint.Size, 0); number++)
        {
            var path = new TilePath(null, number, LogTree.Width);
            if (await tiles.Entries(path, head, ct) is not { } bundle)
            {
                return;
            }

            Write(FileOf(folder, number), bundle);
        }
    }

    private static long Next(string folder, long full)
    {
        var (low, high) = (0L, full);
        while (low < high)
        {
            var middle = low + ((high - low) / 2);
            (low, high) = File.Exists(FileOf(folder, middle)) ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    private static string FileOf(string folder, long number) => Path.Combine(folder, new TilePath(null, number, LogTree.Width).ToString());

    // Temporary file, flush, rename: a bundle is there whole or not at all.
    private static void Write(string file, byte[] bundle)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        var temporary = file + ".new";
        using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write))
        {
            stream.Write(bundle);
            stream.Flush(flushToDisk: true);
        }

        File.Move(temporary, file, overwrite: true);
    }
}

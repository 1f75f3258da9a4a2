using System.Buffers.Binary;
using Npgsql;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Tiles;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.AuditLedger.Fsck;

/// <summary>
/// A second copy of every entry, outside the database: full bundles of C2SP tlog-tiles as files, on a disk of their own. What is damaged in one
/// copy is repaired from the other; the entry's hash in the signed tree says which is right, so the mirror itself need not be trusted.
/// </summary>
internal sealed class Mirror(AuditLedgerOptions options, NpgsqlDataSource db, TileStore tiles, Sequencer sequencer, TimeProvider clock)
{
    private const string SelectMinimum = "SELECT minimum FROM entries_layout";

    // Whoever removes files from the folder is not asked; a walk over all of them, some seconds for a billion entries, puts them back.
    private static readonly TimeSpan WalkEvery = TimeSpan.FromHours(1);

    // Bundles before it are there, as of the last walk; before the other none is left that was pruned.
    private long _next;
    private long _removed;
    private long _walkedAt = clock.GetTimestamp();

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

    /// <summary>Writes the bundles that have become full, those that are missing again, and takes away what was pruned.</summary>
    /// <exception cref="InvalidOperationException">A bundle that the log keeps cannot be read.</exception>
    public async Task Extend(CancellationToken ct)
    {
        if (options.MirrorDirectory is not { } folder || sequencer.Published is not { } head)
        {
            return;
        }

        var first = await db.Sql(SelectMinimum).Scalar<long>(ct) / LogTree.Width;
        RemoveBelow(folder, first);
        var now = clock.GetTimestamp();
        if (clock.GetElapsedTime(_walkedAt, now) >= WalkEvery)
        {
            (_next, _walkedAt) = (first, now);
        }

        var full = LogTree.FullTiles(head.Checkpoint.Size, 0);
        for (_next = Math.Max(_next, first); _next < full; _next++)
        {
            if (File.Exists(FileOf(folder, _next)))
            {
                continue;
            }

            var bundle = await tiles.Entries(new TilePath(null, _next, LogTree.Width), head, ct);
            Write(FileOf(folder, _next), bundle ?? throw new InvalidOperationException($"Bundle {_next} of the log cannot be mirrored: it is not kept."));
        }
    }

    // The mirror keeps nothing for longer than the log does.
    private void RemoveBelow(string folder, long first)
    {
        for (; _removed < first; _removed++)
        {
            var file = FileOf(folder, _removed);
            if (File.Exists(file))
            {
                File.Delete(file);
            }
        }
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

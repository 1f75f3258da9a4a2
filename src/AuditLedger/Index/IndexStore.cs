using System.Data;
using System.Diagnostics;
using Npgsql;
using NpgsqlTypes;
using Trust.AuditLedger.Entries;
using Trust.Kernel.Postgres;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Index;

/// <summary>What is stored of a volume.</summary>
/// <param name="Number">Of the volume, from 0.</param>
/// <param name="Start">Index at which it begins.</param>
/// <param name="Flushed">Commit up to which its history is stored.</param>
/// <param name="Ended">The commit that sealed it, when all of it is stored; otherwise null.</param>
/// <param name="TrieRoot">Root of its trie when sealed.</param>
internal sealed record StoredVolume(long Number, long Start, long Flushed, long? Ended, byte[]? TrieRoot);

/// <summary>How far the stored image of a volume goes.</summary>
/// <param name="Parts">Parts of each slice.</param>
/// <param name="Commits">For each slice the commit that its last part is as of; the volume's start while there is none.</param>
internal sealed record StoredImage(int Parts, long[] Commits)
{
    /// <summary>Before there is one.</summary>
    /// <param name="start">Start of the volume.</param>
    public static StoredImage None(long start)
    {
        var commits = new long[VolumeImage.Slices];
        Array.Fill(commits, start);
        return new StoredImage(0, commits);
    }
}

/// <summary>A part of an image that is to be stored.</summary>
/// <param name="Number">From 0; the first one replaces what there is.</param>
/// <param name="Slice">Gives a slice, which holds until the next is asked for, and the commit it is as of.</param>
/// <param name="Pause">Called now and then between slices, with how long these took since it was called before.</param>
internal sealed record ImagePart(int Number, Func<int, (long Commit, ReadOnlyMemory<byte> Keys)> Slice, Func<TimeSpan, Task> Pause);

/// <summary>What became of <see cref="IndexStore.Save"/>.</summary>
internal enum SaveOutcome
{
    /// <summary>It is stored.</summary>
    Stored,

    /// <summary>Nothing is: a group that was in it has been taken back.</summary>
    TakenBack,

    /// <summary>Nothing is: another process has stored meanwhile.</summary>
    Overtaken,
}

/// <summary>
/// SQL of what the index keeps besides memory. Derived from the entries, so nothing here has to be believed or to last. In the names of its tables
/// and columns a volume is an <c>epoch</c> and a fan a <c>tile</c>.
/// </summary>
internal sealed class IndexStore(NpgsqlDataSource db)
{
    // Slices written at a stretch.
    private const int Stretch = 16;

    private const string SelectVolumes = "SELECT epoch, start, flushed, ended, trie_root FROM index_epochs ORDER BY epoch";
    private const string DeleteVolumes = "DELETE FROM index_epochs WHERE epoch >= $1";
    private const string AddVolume = "INSERT INTO index_epochs (epoch, start, flushed) VALUES ($1, $2, $2) ON CONFLICT (epoch) DO NOTHING";
    private const string MoveFlushed = "UPDATE index_epochs SET flushed = $3 WHERE epoch = $1 AND flushed = $2 AND ended IS NULL";
    private const string EndVolume = "UPDATE index_epochs SET ended = flushed, trie_root = $2 WHERE epoch = $1";
    private const string DeleteImage = "DELETE FROM index_image WHERE epoch = $1";
    private const string SelectImage = "SELECT slice, part, commit, keys FROM index_image WHERE epoch = $1 ORDER BY slice, part";
    private const string SelectSlice = "SELECT keys FROM index_image WHERE epoch = $1 AND slice = $2 AND part = 0";
    private const string CopyImage = "COPY index_image (epoch, slice, part, commit, keys) FROM STDIN BINARY";
    private const string CopyHistory = "COPY index_history (epoch, tile, from_commit, base, changes) FROM STDIN BINARY";

    private const string SelectHistory = """
        SELECT base, changes FROM index_history WHERE epoch = $1 AND tile = $2 AND from_commit <= $3 ORDER BY from_commit DESC LIMIT 1
        """;

    public Task<List<StoredVolume>> Volumes(CancellationToken ct) => db.Sql(SelectVolumes).All(
        r => new StoredVolume(r.GetInt64(0), r.GetInt64(1), r.GetInt64(2), r.IsDBNull(3) ? null : r.GetInt64(3), r.Nullable<byte[]>(4)), ct);

    /// <summary>Forgets a volume and all after it.</summary>
    public Task Forget(long volume, CancellationToken ct) => db.Sql(DeleteVolumes).With(volume).Execute(ct);

    /// <summary>A volume from its image, and how far that goes: entries have to be taken from the earliest of its commits.</summary>
    /// <returns>Null when there is no image.</returns>
    /// <exception cref="IndexFaultException">It is damaged.</exception>
    public async Task<(IndexVolume Volume, StoredImage Stored)?> Image(StoredVolume stored, CancellationToken ct)
    {
        await using var command = db.Sql(SelectImage).With(stored.Number);
        await using var reader = await command.ExecuteReaderAsync(ct);
        var volume = IndexVolume.BeginImage(stored.Number, stored.Start);
        var image = StoredImage.None(stored.Start);
        var parts = new List<SlicePart>();
        var more = await reader.ReadAsync(ct);
        if (!more)
        {
            return null;
        }

        for (var slice = 0; slice < VolumeImage.Slices; slice++)
        {
            parts.Clear();
            for (; more && reader.GetInt16(0) == slice && reader.GetInt16(1) == parts.Count; more = await reader.ReadAsync(ct))
            {
                parts.Add(new SlicePart(reader.GetInt64(2), await reader.GetFieldValueAsync<byte[]>(3, ct)));
            }

            image = slice == 0 ? image with { Parts = parts.Count } : image;
            if (parts.Count == 0 || parts.Count != image.Parts || parts[^1].Commit > stored.Flushed || !volume.TryAddSlice(slice, parts))
            {
                throw new IndexFaultException($"slice {slice} of the image of volume {stored.Number} is missing or damaged");
            }

            image.Commits[slice] = parts[^1].Commit;
        }

        if (more)
        {
            throw new IndexFaultException($"the image of volume {stored.Number} does not end with its last slice");
        }

        volume.EndImage();
        return (volume, image);
    }

    /// <summary>Keys of one bucket of a stored volume.</summary>
    /// <exception cref="IndexFaultException">They are missing or damaged.</exception>
    public async Task<List<KeyPostings>> Bucket(VolumeAt at, int bucket, CancellationToken ct)
    {
        const int bucketsOfSlice = IndexVolume.Buckets / VolumeImage.Slices;
        var slice = await db.Sql(SelectSlice).With(at.Number).With((short)(bucket / bucketsOfSlice)).Scalar<byte[]>(ct);
        return slice is not null && VolumeImage.ReadBucket(slice, at.Start, bucket) is { } keys
            ? keys
            : throw new IndexFaultException($"bucket {bucket} of volume {at.Number} is missing or damaged");
    }

    /// <summary>Values of a fan as a commit left them, from stored history.</summary>
    public async Task<SubtreeValue[]> Values(VolumeAt at, int fan, CancellationToken ct)
    {
        var row = await db.Sql(SelectHistory).With(at.Number).With((short)fan).With(at.Commit)
            .One(r => new Tuple<byte[]?, byte[]>(r.Nullable<byte[]>(0), r.GetFieldValue<byte[]>(1)), ct);
        if (row is null)
        {
            return FanHistory.AsOf(null, [], 0);
        }

        if (row.Item2.Length % FanHistory.ChangeSize != 0)
        {
            throw new IndexFaultException($"fan {fan} of volume {at.Number} is damaged");
        }

        return FanHistory.AsOf(row.Item1 is null ? null : FanHistory.Read(row.Item1), row.Item2, (uint)(at.Commit - at.Start));
    }

    /// <summary>Stores history and, when given, a part of the image and the end of the volume, as one.</summary>
    /// <param name="volume">The volume.</param>
    /// <param name="image">The part; null for none.</param>
    /// <param name="takeHistory">Gives the history, up to the slices' last commit at least; null when that cannot be any more.</param>
    /// <param name="trieRoot">Root of the trie when the volume is sealed; null while it lives.</param>
    /// <param name="ct">Cancels.</param>
    public async Task<SaveOutcome> Save(IndexVolume volume, ImagePart? image, Func<Task<HistoryPart?>> takeHistory, byte[]? trieRoot, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, ct);
        await tx.Sql(AddVolume).With(volume.Number).With(volume.Start).Execute(ct);
        if (image is not null && !await WriteImage(tx, volume.Number, image, ct))
        {
            return SaveOutcome.Overtaken;
        }

        if (await takeHistory() is not { } part)
        {
            return SaveOutcome.TakenBack;
        }

        if (await tx.Sql(MoveFlushed).With(part.Volume).With(part.From).With(part.UpTo).Execute(ct) != 1)
        {
            return SaveOutcome.Overtaken;
        }

        await WriteHistory(connection, part, ct);
        if (trieRoot is not null)
        {
            await tx.Sql(EndVolume).With(part.Volume).With(trieRoot).Execute(ct);
        }

        await tx.CommitAsync(ct);
        return SaveOutcome.Stored;
    }

    private static async Task WriteHistory(NpgsqlConnection connection, HistoryPart part, CancellationToken ct)
    {
        await using var copy = await connection.BeginBinaryImportAsync(CopyHistory, ct);
        for (var fan = 0; fan < part.Fans.Count; fan++)
        {
            foreach (var (from, before, changes) in FanHistory.Rows(part.Fans[fan].Base, part.Fans[fan].Changes))
            {
                await copy.StartRowAsync(ct);
                await copy.WriteAsync(part.Volume, NpgsqlDbType.Bigint, ct);
                await copy.WriteAsync((short)fan, NpgsqlDbType.Smallint, ct);
                await copy.WriteAsync(part.Start + from, NpgsqlDbType.Bigint, ct);
                if (before is null)
                {
                    await copy.WriteNullAsync(ct);
                }
                else
                {
                    await copy.WriteAsync(FanHistory.Write(before), NpgsqlDbType.Bytea, ct);
                }

                await copy.WriteAsync(changes, NpgsqlDbType.Bytea, ct);
            }
        }

        await copy.CompleteAsync(ct);
    }

    // False when the part is there already.
    private static async Task<bool> WriteImage(NpgsqlTransaction tx, long volume, ImagePart image, CancellationToken ct)
    {
        await tx.WriteSteadily(ct);
        if (image.Number == 0)
        {
            await tx.Sql(DeleteImage).With(volume).Execute(ct);
        }

        try
        {
            await using var copy = await tx.Connection!.BeginBinaryImportAsync(CopyImage, ct);
            await WriteImage(copy, volume, image, ct);
            await copy.CompleteAsync(ct);
            return true;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return false;
        }
    }

    private static async Task WriteImage(NpgsqlBinaryImporter copy, long volume, ImagePart image, CancellationToken ct)
    {
        var since = Stopwatch.GetTimestamp();
        for (var slice = 0; slice < VolumeImage.Slices; slice++)
        {
            var (commit, keys) = image.Slice(slice);
            await copy.StartRowAsync(ct);
            await copy.WriteAsync(volume, NpgsqlDbType.Bigint, ct);
            await copy.WriteAsync((short)slice, NpgsqlDbType.Smallint, ct);
            await copy.WriteAsync((short)image.Number, NpgsqlDbType.Smallint, ct);
            await copy.WriteAsync(commit, NpgsqlDbType.Bigint, ct);
            await copy.WriteAsync(keys, NpgsqlDbType.Bytea, ct);
            if ((slice + 1) % Stretch == 0)
            {
                await image.Pause(Stopwatch.GetElapsedTime(since));
                since = Stopwatch.GetTimestamp();
            }
        }
    }
}

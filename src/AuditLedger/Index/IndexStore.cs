using System.Data;
using System.Diagnostics;
using Npgsql;
using NpgsqlTypes;
using Trust.AuditLedger.Entries;
using Trust.Kernel.Log;
using Trust.Kernel.Postgres;

namespace Trust.AuditLedger.Index;

/// <summary>What is stored of an epoch.</summary>
/// <param name="Epoch">Number.</param>
/// <param name="Start">Index at which it begins.</param>
/// <param name="Flushed">Commit up to which its history is stored.</param>
/// <param name="Ended">The commit that sealed it, when all of it is stored; otherwise null.</param>
/// <param name="TrieRoot">Root of its trie when sealed.</param>
internal sealed record StoredEpoch(long Epoch, long Start, long Flushed, long? Ended, byte[]? TrieRoot);

/// <summary>SQL of what the index keeps besides memory. Derived from the entries, so nothing here has to be believed or to last.</summary>
internal sealed class IndexStore(NpgsqlDataSource db)
{
    // Slices written at a stretch.
    private const int Stretch = 16;

    private const string SelectEpochs = "SELECT epoch, start, flushed, ended, trie_root FROM index_epochs ORDER BY epoch";
    private const string DeleteEpochs = "DELETE FROM index_epochs WHERE epoch >= $1";
    private const string AddEpoch = "INSERT INTO index_epochs (epoch, start, flushed) VALUES ($1, $2, $2) ON CONFLICT (epoch) DO NOTHING";
    private const string MoveFlushed = "UPDATE index_epochs SET flushed = $3 WHERE epoch = $1 AND flushed = $2 AND ended IS NULL";
    private const string EndEpoch = "UPDATE index_epochs SET ended = flushed, trie_root = $2 WHERE epoch = $1";
    private const string DeleteImage = "DELETE FROM index_image WHERE epoch = $1";
    private const string SelectImage = "SELECT slice, commit, keys FROM index_image WHERE epoch = $1 ORDER BY slice";
    private const string SelectSlice = "SELECT keys FROM index_image WHERE epoch = $1 AND slice = $2";
    private const string CopyImage = "COPY index_image (epoch, slice, commit, keys) FROM STDIN BINARY";
    private const string CopyHistory = "COPY index_history (epoch, tile, from_commit, base, changes) FROM STDIN BINARY";

    private const string SelectHistory = """
        SELECT base, changes FROM index_history WHERE epoch = $1 AND tile = $2 AND from_commit <= $3 ORDER BY from_commit DESC LIMIT 1
        """;

    public Task<List<StoredEpoch>> Epochs(CancellationToken ct) => db.Sql(SelectEpochs).All(
        r => new StoredEpoch(r.GetInt64(0), r.GetInt64(1), r.GetInt64(2), r.IsDBNull(3) ? null : r.GetInt64(3), r.Nullable<byte[]>(4)), ct);

    /// <summary>Forgets an epoch and all after it.</summary>
    public Task Forget(long epoch, CancellationToken ct) => db.Sql(DeleteEpochs).With(epoch).Execute(ct);

    /// <summary>An epoch from its image, and the commit from which on entries have to be taken.</summary>
    /// <returns>Null when there is no image.</returns>
    /// <exception cref="IndexFaultException">It is damaged.</exception>
    public async Task<(EpochIndex Epoch, long From)?> Image(StoredEpoch stored, CancellationToken ct)
    {
        await using var command = db.Sql(SelectImage).With(stored.Epoch);
        await using var reader = await command.ExecuteReaderAsync(ct);
        var epoch = EpochIndex.BeginImage(stored.Epoch, stored.Start);
        var (slices, from) = (0, long.MaxValue);
        for (; await reader.ReadAsync(ct); slices++)
        {
            var commit = reader.GetInt64(1);
            if (reader.GetInt16(0) != slices || commit < stored.Start || commit > stored.Flushed
                || !epoch.TryAddSlice(slices, commit, await reader.GetFieldValueAsync<byte[]>(2, ct)))
            {
                throw new IndexFaultException($"slice {slices} of the image of epoch {stored.Epoch} is missing or damaged");
            }

            from = Math.Min(from, commit);
        }

        if (slices is not (0 or EpochImage.Slices))
        {
            throw new IndexFaultException($"the image of epoch {stored.Epoch} ends with slice {slices}");
        }

        epoch.EndImage();
        return slices == 0 ? null : (epoch, from);
    }

    /// <summary>Keys of one bucket of a stored epoch.</summary>
    /// <exception cref="IndexFaultException">They are missing or damaged.</exception>
    public async Task<List<KeyPostings>> Bucket(EpochAt at, int bucket, CancellationToken ct)
    {
        const int bucketsOfSlice = EpochIndex.Buckets / EpochImage.Slices;
        var slice = await db.Sql(SelectSlice).With(at.Number).With((short)(bucket / bucketsOfSlice)).Scalar<byte[]>(ct);
        return slice is not null && EpochImage.ReadBucket(slice, at.Start, bucket) is { } keys
            ? keys
            : throw new IndexFaultException($"bucket {bucket} of epoch {at.Number} is missing or damaged");
    }

    /// <summary>Values of a tile as a commit left them, from stored history.</summary>
    public async Task<SubtreeValue[]> Values(EpochAt at, int tile, CancellationToken ct)
    {
        var row = await db.Sql(SelectHistory).With(at.Number).With((short)tile).With(at.Commit)
            .One(r => new Tuple<byte[]?, byte[]>(r.Nullable<byte[]>(0), r.GetFieldValue<byte[]>(1)), ct);
        if (row is null)
        {
            return TileHistory.AsOf(null, [], 0);
        }

        if (row.Item2.Length % TileHistory.ChangeSize != 0)
        {
            throw new IndexFaultException($"tile {tile} of epoch {at.Number} is damaged");
        }

        return TileHistory.AsOf(row.Item1 is null ? null : TileHistory.Read(row.Item1), row.Item2, (uint)(at.Commit - at.Start));
    }

    /// <summary>Stores history and, when given, an image and the end of the epoch, as one.</summary>
    /// <param name="epoch">The epoch.</param>
    /// <param name="slice">Gives a slice of the image, which holds until the next is asked for, and the commit it is as of; null for no image.</param>
    /// <param name="rest">Called now and then while an image is written, with how long that took since it was called before.</param>
    /// <param name="take">Gives the history, up to the slices' last commit at least; null when that cannot be any more.</param>
    /// <param name="trieRoot">Root of the trie when the epoch is sealed; null while it lives.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>False when nothing was stored, because another process has stored meanwhile or <paramref name="take"/> gave nothing.</returns>
    public async Task<bool> Save(
        EpochIndex epoch, Func<int, (long Commit, ReadOnlyMemory<byte> Keys)>? slice, Func<TimeSpan, Task> rest, Func<Task<HistoryPart?>> take, byte[]? trieRoot,
        CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, ct);
        await tx.Sql(AddEpoch).With(epoch.Number).With(epoch.Start).Execute(ct);
        if (slice is not null)
        {
            await tx.WriteSteadily(ct);
            await tx.Sql(DeleteImage).With(epoch.Number).Execute(ct);
            await WriteImage(connection, epoch.Number, slice, rest, ct);
        }

        if (await take() is not { } part || await tx.Sql(MoveFlushed).With(part.Epoch).With(part.From).With(part.UpTo).Execute(ct) != 1)
        {
            return false;
        }

        await WriteHistory(connection, part, ct);
        if (trieRoot is not null)
        {
            await tx.Sql(EndEpoch).With(part.Epoch).With(trieRoot).Execute(ct);
        }

        await tx.CommitAsync(ct);
        return true;
    }

    private static async Task WriteHistory(NpgsqlConnection connection, HistoryPart part, CancellationToken ct)
    {
        await using var copy = await connection.BeginBinaryImportAsync(CopyHistory, ct);
        for (var tile = 0; tile < part.Tiles.Count; tile++)
        {
            foreach (var (from, before, changes) in TileHistory.Rows(part.Tiles[tile].Base, part.Tiles[tile].Changes))
            {
                await copy.StartRowAsync(ct);
                await copy.WriteAsync(part.Epoch, NpgsqlDbType.Bigint, ct);
                await copy.WriteAsync((short)tile, NpgsqlDbType.Smallint, ct);
                await copy.WriteAsync(part.Start + from, NpgsqlDbType.Bigint, ct);
                if (before is null)
                {
                    await copy.WriteNullAsync(ct);
                }
                else
                {
                    await copy.WriteAsync(TileHistory.Write(before), NpgsqlDbType.Bytea, ct);
                }

                await copy.WriteAsync(changes, NpgsqlDbType.Bytea, ct);
            }
        }

        await copy.CompleteAsync(ct);
    }

    private static async Task WriteImage(
        NpgsqlConnection connection, long epoch, Func<int, (long Commit, ReadOnlyMemory<byte> Keys)> slices, Func<TimeSpan, Task> rest, CancellationToken ct)
    {
        var since = Stopwatch.GetTimestamp();
        await using var copy = await connection.BeginBinaryImportAsync(CopyImage, ct);
        for (var slice = 0; slice < EpochImage.Slices; slice++)
        {
            var (commit, keys) = slices(slice);
            await copy.StartRowAsync(ct);
            await copy.WriteAsync(epoch, NpgsqlDbType.Bigint, ct);
            await copy.WriteAsync((short)slice, NpgsqlDbType.Smallint, ct);
            await copy.WriteAsync(commit, NpgsqlDbType.Bigint, ct);
            await copy.WriteAsync(keys, NpgsqlDbType.Bytea, ct);
            if ((slice + 1) % Stretch == 0)
            {
                await rest(Stopwatch.GetElapsedTime(since));
                since = Stopwatch.GetTimestamp();
            }
        }

        await copy.CompleteAsync(ct);
    }
}

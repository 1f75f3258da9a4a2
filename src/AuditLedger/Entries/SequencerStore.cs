using System.Data;
using System.Runtime.CompilerServices;
using Npgsql;
using NpgsqlTypes;
using Trust.AuditLedger.Evidence;
using Trust.AuditLedger.Index;
using Trust.AuditLedger.Watching;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Entries;

/// <summary>SQL of the sequencer, on the one connection that holds its advisory lock.</summary>
internal sealed class SequencerStore(NpgsqlConnection db)
{
    /// <summary>So far before the end of a range the next one is asked for; more than a group can hold.</summary>
    public const int RangeMargin = 1 << 15;

    private const string TryLock = "SELECT pg_try_advisory_lock(hashtextextended('trust.sequencer.' || current_schema(), 0))";
    private const string Unlock = "SELECT pg_advisory_unlock_all()";

    private const string SelectHead = "SELECT size, root, time, writer FROM head";
    private const string RaiseWriter = "UPDATE head SET writer = writer + 1 WHERE size = $1 AND root = $2 AND writer = $3";

    private const string MoveHead =
        "UPDATE head SET size = $1, root = $2, time = $3 WHERE size = $4 AND root = $5 AND writer = $6";

    private const string AddSource = """
        INSERT INTO sources (name, open_epoch, epoch, seq, hash) VALUES ($1, 0, 0, 0, decode(repeat('00', 32), 'hex')) ON CONFLICT (name) DO NOTHING
        """;

    private const string SelectSources = "SELECT id, name, open_epoch, epoch, seq, hash FROM sources";
    private const string MoveSource = "UPDATE sources SET open_epoch = $2, epoch = $3, seq = $4, hash = $5 WHERE id = $1";

    private const string CopyEntries = "COPY entries (idx, leaf_hash, leaf) FROM STDIN BINARY";
    private const string ExtendEntries = "SELECT extend_entries()";
    private const string CopyKeys = "COPY data_keys (idx, key) FROM STDIN BINARY";
    private const string CopyTiles = "COPY tiles (level, n, hashes) FROM STDIN BINARY";
    private const string CopyBatches = "COPY batches (source, epoch, first_seq, last_seq, first_idx, signature) FROM STDIN BINARY";

    private const string CopyAlarms = "COPY alarms (idx, at, id, kind) FROM STDIN BINARY";

    private const string CopyMarks = "COPY marks (idx) FROM STDIN BINARY";

    private const string SelectLeaves = "SELECT idx, leaf FROM entries WHERE idx >= $1 AND idx < $2 ORDER BY idx";
    private const string SelectHashes = "SELECT leaf_hash FROM entries WHERE idx >= $1 AND idx < $2 ORDER BY idx";
    private const string SelectTile = "SELECT hashes FROM tiles WHERE level = $1 AND n >= $2 AND n < $3 ORDER BY n";

    // A commit entry whole, of an event type and keys.
    private const string SelectKeys = """
        SELECT idx, leaf_hash, CASE get_byte(leaf, 0) WHEN 2 THEN leaf ELSE substr(leaf, 1, 2 + 32 * get_byte(leaf, 1)) END
        FROM entries WHERE idx >= $1 AND idx < $2 ORDER BY idx
        """;

    private const string SelectLeaf = "SELECT leaf FROM entries WHERE idx = $1";

    private const string SelectRepeat = """
        SELECT e.idx, e.leaf_hash, e.leaf
        FROM generate_series($3::bigint, $4::bigint - 1) AS s (seq)
        JOIN LATERAL (SELECT first_seq, first_idx FROM batches
                      WHERE source = $1 AND epoch = $2 AND last_seq >= s.seq ORDER BY last_seq LIMIT 1) b ON b.first_seq <= s.seq
        JOIN entries e ON e.idx = b.first_idx + s.seq - b.first_seq ORDER BY s.seq
        """;

    public Task<bool> TryTakeLock(CancellationToken ct) => db.Sql(TryLock).Scalar<bool>(ct);

    /// <summary>Gives the lock back: it belongs to the session, and a pooled connection's session goes on.</summary>
    public async Task ReleaseLock()
    {
        try
        {
            await db.Sql(Unlock).Execute(CancellationToken.None);
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException)
        {
            // The session is broken and the server has dropped its locks with it; the pool will not reuse it.
            return;
        }
    }

    public async Task<StoredHead> ReadHead(CancellationToken ct) =>
        await db.Sql(SelectHead).One(r => new StoredHead(r.GetInt64(0), r.GetFieldValue<byte[]>(1), r.GetInt64(2), r.GetInt64(3)), ct)
            ?? throw new InvalidDataException("The head row is missing.");

    /// <summary>Fences every earlier sequencer; false when another has moved the head meanwhile.</summary>
    public async Task<bool> BecomeWriter(StoredHead head, CancellationToken ct) =>
        await db.Sql(RaiseWriter).With(head.Size).With(head.Root).With(head.Writer).Execute(ct) == 1;

    public async Task<Dictionary<string, SourcePosition>> ReadSources(IEnumerable<string> declared, CancellationToken ct)
    {
        foreach (var name in declared)
        {
            await db.Sql(AddSource).With(name).Execute(ct);
        }

        var rows = await db.Sql(SelectSources).All(
            r => (r.GetString(1), new SourcePosition(r.GetInt16(0), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4), r.GetFieldValue<byte[]>(5))), ct);
        return rows.ToDictionary(r => r.Item1, r => r.Item2, StringComparer.Ordinal);
    }

    /// <summary>Has the table's next range made when the log has come half-way through the last one.</summary>
    /// <returns>Index at which the last range ends.</returns>
    public Task<long> ExtendRanges(CancellationToken ct) => db.Sql(ExtendEntries).Scalar<long>(ct);

    public Task<int> WriteSource(SourcePosition source, CancellationToken ct) =>
        db.Sql(MoveSource).With(source.Id).With(source.OpenEpoch).With(source.Epoch).With(source.Seq).With(source.Hash).Execute(ct);

    /// <summary>Begins the transaction of a group.</summary>
    public ValueTask<NpgsqlTransaction> BeginGroup(CancellationToken ct) => db.BeginTransactionAsync(IsolationLevel.ReadCommitted, ct);

    /// <summary>Writes a group and moves the head in its transaction; throws when the head is not where the sequencer left it.</summary>
    public async Task CommitGroup(NpgsqlTransaction tx, Group group, LogPosition from, byte[] root, CancellationToken ct)
    {
        await CopyGroup(group, ct);
        foreach (var (name, position) in group.Sources)
        {
            if (!ReferenceEquals(from.Sources[name], position))
            {
                await WriteSource(position, ct);
            }
        }

        var moved = await tx.Sql(MoveHead).With(group.Tree.Size).With(root).With(group.Time).With(from.Size).With(from.Root).With(from.Writer).Execute(ct);
        if (moved != 1)
        {
            throw new InvalidDataException($"The head is no longer at {from.Size} of writer {from.Writer}: another sequencer has begun.");
        }

        await tx.CommitAsync(ct);
    }

    /// <summary>Hashes the stored bytes again.</summary>
    /// <exception cref="InvalidDataException">An index is missing.</exception>
    public async Task<List<byte[]>> RehashLeaves(long from, long to, CancellationToken ct)
    {
        var hashes = new List<byte[]>((int)(to - from));
        await using var command = db.Sql(SelectLeaves).With(from).With(to);
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            if (reader.GetInt64(0) != from + hashes.Count)
            {
                break;
            }

            hashes.Add(MerkleProof.LeafHash(await reader.GetFieldValueAsync<byte[]>(1, ct)));
        }

        return hashes.Count == to - from ? hashes : throw new InvalidDataException($"Entry {from + hashes.Count} is missing.");
    }

    /// <summary>The commit entry at an index; null when there is another entry or none.</summary>
    public async Task<CommitEntry?> ReadCommit(long index, CancellationToken ct) =>
        await db.Sql(SelectLeaf).With(index).Scalar<byte[]>(ct) is { } leaf ? CommitEntry.TryRead(leaf) : null;

    /// <summary>What the subject index needs of the entries from one index to another, exclusive.</summary>
    /// <exception cref="SetBackException">An entry is missing, or is of a type or map function that this version does not know.</exception>
    public async IAsyncEnumerable<LoggedKeys> ReadKeys(long from, long to, [EnumeratorCancellation] CancellationToken ct)
    {
        await using var command = db.Sql(SelectKeys).With(from).With(to);
        await using var reader = await command.ExecuteReaderAsync(ct);
        var next = from;
        for (; await reader.ReadAsync(ct) && reader.GetInt64(0) == next; next++)
        {
            var start = await reader.GetFieldValueAsync<byte[]>(2, ct);
            var commit = CommitEntry.TryRead(start);
            if (commit is null && (start.Length < 2 || start[0] is not (EntryType.Event or EntryType.EventByActor)))
            {
                throw new SetBackException($"entry {next} is of a type or map function that this version does not know");
            }

            yield return new LoggedKeys(next, await reader.GetFieldValueAsync<byte[]>(1, ct), commit is null ? start.AsMemory(2) : default, start[0] == EntryType.EventByActor, commit);
        }

        if (next != to)
        {
            throw new SetBackException($"entry {next} is missing");
        }
    }

    /// <summary>The tree's edge from stored leaf hashes and full tiles.</summary>
    public async Task<LogTree> LoadTree(long size, CancellationToken ct)
    {
        var edge = new List<byte[]>();
        for (var level = 0; level == 0 || LogTree.FullTiles(size, level - 1) > 0; level++)
        {
            var width = LogTree.PartialWidth(size, level);
            var first = LogTree.FullTiles(size, level) * LogTree.Width;
            var hashes = level == 0
                ? await db.Sql(SelectHashes).With(first).With(first + width).All(r => r.GetFieldValue<byte[]>(0), ct)
                : await db.Sql(SelectTile).With((short)(level - 1)).With(first).With(first + width)
                    .All(r => LogTree.Perfect(r.GetFieldValue<byte[]>(0), 0, LogTree.Width), ct);
            edge.Add(hashes.Count == width
                ? [.. hashes.SelectMany(h => h)]
                : throw new InvalidDataException($"Level {level} of the tree holds {hashes.Count} hashes after {first}, not {width}."));
        }

        return LogTree.FromEdge(size, edge);
    }

    /// <summary>What is stored at places of a batch that was sent before, or null when bodies differ or places are missing.</summary>
    public async Task<List<Receipt>?> FindRepeat(SourcePosition source, JudgedBatch batch, long treeSize, CancellationToken ct)
    {
        var first = batch.Frame.FirstSeq;
        var stored = await db.Sql(SelectRepeat).With(source.Id).With(batch.Frame.Epoch).With(first).With(first + batch.Events.Length)
            .All(r => (Index: r.GetInt64(0), Hash: r.GetFieldValue<byte[]>(1), Leaf: r.GetFieldValue<byte[]>(2)), ct);
        if (stored.Count != batch.Events.Length)
        {
            return null;
        }

        var receipts = new List<Receipt>(stored.Count);
        for (var i = 0; i < stored.Count; i++)
        {
            if (!EventLeaf.TryRead(stored[i].Leaf, out var leaf)
                || !leaf.BodyHash.SequenceEqual(batch.Events[i].BodyHash)
                || !Microseconds.TryToInstant(leaf.Time, out var time))
            {
                return null;
            }

            receipts.Add(new Receipt(stored[i].Index, time, stored[i].Hash, treeSize));
        }

        return receipts;
    }

    private async Task CopyGroup(Group group, CancellationToken ct)
    {
        await Copy(CopyEntries, (copy, token) => WriteEntries(copy, group, token), ct);
        await Copy(CopyBatches, (copy, token) => WriteBatches(copy, group, token), ct);
        if (group.Accepted.Exists(a => Array.Exists(a.Request.Batch.Events, e => e.DataKey.Length > 0)))
        {
            await Copy(CopyKeys, (copy, token) => WriteKeys(copy, group, token), ct);
        }

        var alarms = group.Leaves.Select((leaf, i) => LoggedAlarm.Of(group.FirstIndex + i, leaf)).OfType<LoggedAlarm>().ToList();
        if (alarms.Count > 0)
        {
            await Copy(CopyAlarms, (copy, token) => WriteAlarms(copy, alarms, token), ct);
        }

        var marks = group.Leaves.Index().Where(e => Mark.Is(e.Item)).Select(e => group.FirstIndex + e.Index).ToList();
        if (marks.Count > 0)
        {
            await Copy(CopyMarks, (copy, token) => WriteMarks(copy, marks, token), ct);
        }

        if (group.Tiles.Count > 0)
        {
            await Copy(CopyTiles, (copy, token) => WriteTiles(copy, group, token), ct);
        }
    }

    private async Task Copy(string statement, Func<NpgsqlBinaryImporter, CancellationToken, Task> write, CancellationToken ct)
    {
        await using var copy = await db.BeginBinaryImportAsync(statement, ct);
        await write(copy, ct);
        await copy.CompleteAsync(ct);
    }

    private static async Task WriteEntries(NpgsqlBinaryImporter copy, Group group, CancellationToken ct)
    {
        for (var i = 0; i < group.Leaves.Count; i++)
        {
            await copy.StartRowAsync(ct);
            await copy.WriteAsync(group.FirstIndex + i, NpgsqlDbType.Bigint, ct);
            await copy.WriteAsync(group.LeafHashes[i], NpgsqlDbType.Bytea, ct);
            await copy.WriteAsync(group.Leaves[i], NpgsqlDbType.Bytea, ct);
        }
    }

    private static async Task WriteBatches(NpgsqlBinaryImporter copy, Group group, CancellationToken ct)
    {
        foreach (var (request, firstIndex) in group.Accepted)
        {
            var frame = request.Batch.Frame;
            await copy.StartRowAsync(ct);
            await copy.WriteAsync(group.Sources[request.Batch.Source].Id, NpgsqlDbType.Smallint, ct);
            await copy.WriteAsync(frame.Epoch, NpgsqlDbType.Bigint, ct);
            await copy.WriteAsync(frame.FirstSeq, NpgsqlDbType.Bigint, ct);
            await copy.WriteAsync(frame.FirstSeq + frame.Events.Count - 1, NpgsqlDbType.Bigint, ct);
            await copy.WriteAsync(firstIndex, NpgsqlDbType.Bigint, ct);
            await copy.WriteAsync(frame.Signature, NpgsqlDbType.Bytea, ct);
        }
    }

    private static async Task WriteKeys(NpgsqlBinaryImporter copy, Group group, CancellationToken ct)
    {
        foreach (var (request, firstIndex) in group.Accepted)
        {
            for (var i = 0; i < request.Batch.Events.Length; i++)
            {
                if (request.Batch.Events[i].DataKey is { Length: > 0 } key)
                {
                    await copy.StartRowAsync(ct);
                    await copy.WriteAsync(firstIndex + i, NpgsqlDbType.Bigint, ct);
                    await copy.WriteAsync(key, NpgsqlDbType.Bytea, ct);
                }
            }
        }
    }

    private static async Task WriteAlarms(NpgsqlBinaryImporter copy, List<LoggedAlarm> alarms, CancellationToken ct)
    {
        foreach (var alarm in alarms)
        {
            await copy.StartRowAsync(ct);
            await copy.WriteAsync(alarm.Index, NpgsqlDbType.Bigint, ct);
            await copy.WriteAsync(alarm.At, NpgsqlDbType.TimestampTz, ct);
            await copy.WriteAsync(alarm.Id, NpgsqlDbType.Uuid, ct);
            await copy.WriteAsync(alarm.Kind, NpgsqlDbType.Text, ct);
        }
    }

    private static async Task WriteMarks(NpgsqlBinaryImporter copy, List<long> marks, CancellationToken ct)
    {
        foreach (var index in marks)
        {
            await copy.StartRowAsync(ct);
            await copy.WriteAsync(index, NpgsqlDbType.Bigint, ct);
        }
    }

    private static async Task WriteTiles(NpgsqlBinaryImporter copy, Group group, CancellationToken ct)
    {
        foreach (var tile in group.Tiles)
        {
            await copy.StartRowAsync(ct);
            await copy.WriteAsync((short)tile.Level, NpgsqlDbType.Smallint, ct);
            await copy.WriteAsync(tile.Number, NpgsqlDbType.Bigint, ct);
            await copy.WriteAsync(tile.Hashes, NpgsqlDbType.Bytea, ct);
        }
    }
}

/// <summary>The head row.</summary>
internal sealed record StoredHead(long Size, byte[] Root, long Time, long Writer);

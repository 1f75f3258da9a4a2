using System.Data;
using System.Security.Cryptography;
using Npgsql;
using NpgsqlTypes;
using Trust.LogFormat;

namespace Trust.Kernel.Audit;

/// <summary>One event in the relay's hands.</summary>
internal sealed record RelayRow(long Ordinal, EventId Id, byte[] Body, byte[] DataKey)
{
    public long Seq { get; set; }

    public byte[] EnvelopeHash { get; set; } = [];

    public byte[] Prev { get; set; } = [];

    /// <summary>Whether it stands in another's place already. A quotation mark inside a text is escaped, so no text can hold this.</summary>
    public bool IsGap => Body.AsSpan().IndexOf("\"action\":\"LEDGER.gap\""u8) >= 0;
}

/// <summary>A numbered run of events, sent and answered as one.</summary>
internal sealed record RelayBatch(long Epoch, List<RelayRow> Rows)
{
    public long FirstSeq => Rows[0].Seq;
}

/// <summary>Head of this service's own chain: what was numbered last.</summary>
internal sealed record OwnHead(long Epoch, long Seq, byte[] Hash);

/// <summary>What the relay saw last, as stored for the instances that do not relay.</summary>
internal sealed record RelayView(bool Reached, long Pending, DateTimeOffset? Oldest, long VerifiedSize, string Checkpoint, DateTimeOffset? SeenAt);

/// <summary>SQL of the relay. Everything here runs while this instance holds the relay lock, on the connection that holds it.</summary>
internal static class RelayStore
{
    private const string TryLock = "SELECT pg_try_advisory_lock(hashtextextended('trust.relay.' || current_schema(), 0))";
    private const string Unlock = "SELECT pg_advisory_unlock_all()";
    private const string SelectOwnHead = "SELECT epoch, seq, head_hash FROM audit_relay";
    private const string SelectHash = "SELECT envelope_hash, idx IS NOT NULL FROM audit_outbox WHERE epoch = $1 AND seq = $2";

    private const string SelectLost =
        "SELECT count(*) FROM audit_outbox WHERE idx IS NOT NULL AND (epoch, seq) > ($1, $2)";

    private const string SelectNumbered = """
        SELECT ordinal, id, body, data_key, epoch, seq, prev, envelope_hash FROM audit_outbox
        WHERE seq IS NOT NULL AND idx IS NULL AND (epoch, seq) <= ($1, $2) ORDER BY epoch, seq LIMIT $3
        """;

    private const string Unnumber = """
        UPDATE audit_outbox SET epoch = NULL, seq = NULL, prev = NULL, envelope_hash = NULL
        WHERE seq IS NOT NULL AND idx IS NULL AND (epoch, seq) > ($1, $2)
        """;

    private const string SetHead = "UPDATE audit_relay SET epoch = $1, seq = $2, head_hash = $3";

    private const string SelectUnnumbered = """
        SELECT ordinal, id, body, data_key FROM audit_outbox
        WHERE seq IS NULL AND quarantined IS NULL ORDER BY ordinal LIMIT $1
        """;

    private const string Number = """
        UPDATE audit_outbox o SET epoch = $1, seq = n.seq, prev = n.prev, envelope_hash = n.hash
        FROM unnest($2::bigint[], $3::bigint[], $4::bytea[], $5::bytea[]) AS n(ordinal, seq, prev, hash) WHERE o.ordinal = n.ordinal
        """;

    private const string Answer = """
        UPDATE audit_outbox o SET idx = n.idx, ledger_time = n.time, leaf_hash = n.hash, tree_size = $5
        FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::bytea[]) AS n(ordinal, idx, time, hash) WHERE o.ordinal = n.ordinal
        """;

    private const string SetQuarantine = """
        UPDATE audit_outbox SET quarantined = $2, epoch = NULL, seq = NULL, prev = NULL, envelope_hash = NULL WHERE ordinal = $1
        """;

    private const string InsertGap = """
        INSERT INTO audit_outbox (id, action, body, data_key, created_at) VALUES ($1, $2, $3, ''::bytea, $4) RETURNING ordinal
        """;

    private const string SelectPending = """
        SELECT count(*), min(created_at) FROM (
            SELECT created_at FROM audit_outbox WHERE seq IS NULL AND quarantined IS NULL
            UNION ALL SELECT created_at FROM audit_outbox WHERE seq IS NOT NULL AND idx IS NULL) AS waiting
        """;

    private const string SetView = "UPDATE audit_relay SET reached = COALESCE($1, reached), pending = $2, oldest = $3, seen_at = $4";
    private const string SelectView = "SELECT reached, pending, oldest, verified_size, checkpoint, seen_at FROM audit_relay";

    public static async Task<bool> TryTakeLock(NpgsqlConnection db, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(TryLock, db);
        return (bool)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>Gives the lock back: it belongs to the session, and a pooled connection's session goes on.</summary>
    public static async Task ReleaseLock(NpgsqlConnection db)
    {
        try
        {
            await using var command = new NpgsqlCommand(Unlock, db);
            await command.ExecuteNonQueryAsync(CancellationToken.None);
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException)
        {
            // The session is broken and the server has dropped its locks with it; the pool will not reuse it.
            return;
        }
    }

    public static async Task<OwnHead> ReadHead(NpgsqlConnection db, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(SelectOwnHead, db);
        await using var reader = await command.ExecuteReaderAsync(CommandBehavior.SingleRow, ct);
        await reader.ReadAsync(ct);
        return new OwnHead(reader.GetInt64(0), reader.GetInt64(1), await reader.GetFieldValueAsync<byte[]>(2, ct));
    }

    /// <summary>Hash this service gave to that place, or null when the row is not there (deleted after its time, or never made).</summary>
    public static async Task<byte[]?> HashAt(NpgsqlConnection db, long epoch, long seq, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(SelectHash, db) { Parameters = { Big(epoch), Big(seq) } };
        return (byte[]?)await command.ExecuteScalarAsync(ct);
    }

    /// <summary>How many answered events lie beyond the ledger's head: more than none means that the ledger lost them.</summary>
    public static async Task<long> CountLost(NpgsqlConnection db, SourceHead head, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(SelectLost, db) { Parameters = { Big(head.Epoch), Big(head.Seq) } };
        return (long)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>Events the ledger already has but whose receipt was not recorded; at most one batch of one epoch.</summary>
    public static async Task<RelayBatch?> ReadUnanswered(NpgsqlConnection db, long epoch, long seq, int limit, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(SelectNumbered, db) { Parameters = { Big(epoch), Big(seq), Int(limit) } };
        await using var reader = await command.ExecuteReaderAsync(ct);
        RelayBatch? batch = null;
        while (await reader.ReadAsync(ct))
        {
            var rowEpoch = reader.GetInt64(4);
            var rowSeq = reader.GetInt64(5);
            batch ??= new RelayBatch(rowEpoch, []);
            if (batch.Epoch != rowEpoch || (batch.Rows.Count > 0 && batch.Rows[^1].Seq + 1 != rowSeq))
            {
                break;
            }

            var row = await ReadRow(reader, ct);
            (row.Seq, row.Prev, row.EnvelopeHash) = (rowSeq, await Bytes(reader, 6, ct), await Bytes(reader, 7, ct));
            batch.Rows.Add(row);
        }

        return batch;
    }

    /// <summary>Begins a new epoch: what was numbered beyond the ledger's head loses its number.</summary>
    public static async Task BeginEpoch(NpgsqlConnection db, SourceHead head, CancellationToken ct)
    {
        await using var tx = await db.BeginTransactionAsync(ct);
        await using (var command = new NpgsqlCommand(Unnumber, db, tx) { Parameters = { Big(head.Epoch), Big(head.Seq) } })
        {
            await command.ExecuteNonQueryAsync(ct);
        }

        await using (var write = new NpgsqlBatch(db, tx) { BatchCommands = { HeadOf(new OwnHead(head.OpenEpoch, 0, Convert.FromHexString(head.Hash))) } })
        {
            await write.ExecuteNonQueryAsync(ct);
        }

        await tx.CommitAsync(ct);
    }

    /// <summary>Numbers the next committed events; null when there are none.</summary>
    public static async Task<RelayBatch?> NumberNext(NpgsqlConnection db, string source, OwnHead head, int limit, CancellationToken ct)
    {
        var rows = new List<RelayRow>();
        await using (var select = new NpgsqlCommand(SelectUnnumbered, db) { Parameters = { Int(limit) } })
        await using (var reader = await select.ExecuteReaderAsync(ct))
        {
            while (await reader.ReadAsync(ct))
            {
                rows.Add(await ReadRow(reader, ct));
            }
        }

        if (rows.Count == 0)
        {
            return null;
        }

        // Only the holder of the relay lock numbers, so nothing can have come between.
        var batch = new RelayBatch(head.Epoch, rows);
        Chain(source, batch, head.Seq + 1, head.Hash);
        await using var numbers = new NpgsqlBatch(db) { BatchCommands = { Numbers(batch, 0), HeadOf(new OwnHead(batch.Epoch, rows[^1].Seq, rows[^1].EnvelopeHash)) } };
        await numbers.ExecuteNonQueryAsync(ct);
        return batch;
    }

    /// <summary>Takes a refused event out and puts <c>LEDGER.gap</c> in its place; numbers stay without a hole.</summary>
    public static async Task Quarantine(
        NpgsqlConnection db, string source, RelayBatch batch, int position, string reason, BuiltEvent gap, DateTimeOffset now, CancellationToken ct)
    {
        var poison = batch.Rows[position];
        await using var tx = await db.BeginTransactionAsync(ct);
        await using (var command = new NpgsqlCommand(SetQuarantine, db, tx) { Parameters = { Big(poison.Ordinal), Text(reason) } })
        {
            await command.ExecuteNonQueryAsync(ct);
        }

        await using (var command = new NpgsqlCommand(InsertGap, db, tx)
        {
            Parameters = { new NpgsqlParameter<Guid> { TypedValue = gap.Id.Value }, Text(gap.Action), Blob(gap.Bytes), At(now) },
        })
        {
            var ordinal = (long)(await command.ExecuteScalarAsync(ct))!;
            batch.Rows[position] = new RelayRow(ordinal, gap.Id, gap.Bytes, []);
        }

        Chain(source, batch, batch.Rows[0].Seq == 0 ? poison.Seq : batch.FirstSeq, position == 0 ? poison.Prev : batch.Rows[0].Prev);
        var last = batch.Rows[^1];
        await using (var numbers = new NpgsqlBatch(db, tx) { BatchCommands = { Numbers(batch, position), HeadOf(new OwnHead(batch.Epoch, last.Seq, last.EnvelopeHash)) } })
        {
            await numbers.ExecuteNonQueryAsync(ct);
        }

        await tx.CommitAsync(ct);
    }

    public static async Task RecordAnswer(NpgsqlConnection db, RelayBatch batch, IReadOnlyList<Receipt> receipts, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(Answer, db)
        {
            Parameters =
            {
                Bigs(batch.Rows.Select(r => r.Ordinal)),
                Bigs(receipts.Select(r => r.Index)),
                new NpgsqlParameter
                {
                    Value = receipts.Select(r => r.Time.UtcDateTime).ToArray(),
                    NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.TimestampTz,
                },
                Blobs(receipts.Select(r => r.LeafHash)),
                Big(receipts[0].TreeSize),
            },
        };
        await command.ExecuteNonQueryAsync(ct);
    }

    public static async Task<(long Count, DateTimeOffset? Oldest)> CountPending(NpgsqlConnection db, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(SelectPending, db);
        await using var reader = await command.ExecuteReaderAsync(CommandBehavior.SingleRow, ct);
        await reader.ReadAsync(ct);
        return (reader.GetInt64(0), await reader.IsDBNullAsync(1, ct) ? null : await reader.GetFieldValueAsync<DateTimeOffset>(1, ct));
    }

    public static async Task WriteView(NpgsqlConnection db, bool? reached, long pending, DateTimeOffset? oldest, DateTimeOffset now, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(SetView, db)
        {
            Parameters =
            {
                new NpgsqlParameter { Value = reached is { } known ? known : DBNull.Value, NpgsqlDbType = NpgsqlDbType.Boolean },
                Big(pending),
                new NpgsqlParameter { Value = oldest is { } at ? at.UtcDateTime : DBNull.Value, NpgsqlDbType = NpgsqlDbType.TimestampTz },
                At(now),
            },
        };
        await command.ExecuteNonQueryAsync(ct);
    }

    public static async Task<RelayView> ReadView(NpgsqlConnection db, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(SelectView, db);
        await using var reader = await command.ExecuteReaderAsync(CommandBehavior.SingleRow, ct);
        await reader.ReadAsync(ct);
        return new RelayView(
            reader.GetBoolean(0),
            reader.GetInt64(1),
            await reader.IsDBNullAsync(2, ct) ? null : await reader.GetFieldValueAsync<DateTimeOffset>(2, ct),
            reader.GetInt64(3),
            reader.GetString(4),
            await reader.IsDBNullAsync(5, ct) ? null : await reader.GetFieldValueAsync<DateTimeOffset>(5, ct));
    }

    private static void Chain(string source, RelayBatch batch, long firstSeq, byte[] prev)
    {
        var seq = firstSeq;
        foreach (var row in batch.Rows)
        {
            row.Seq = seq++;
            row.Prev = prev;
            row.EnvelopeHash = new byte[Envelope.HashSize];
            Envelope.Hash(source, batch.Epoch, row.Seq, prev, SHA256.HashData(row.Body), row.EnvelopeHash);
            prev = row.EnvelopeHash;
        }
    }

    private static NpgsqlBatchCommand Numbers(RelayBatch batch, int from)
    {
        var rows = batch.Rows.Skip(from).ToList();
        return new NpgsqlBatchCommand(Number)
        {
            Parameters =
            {
                Big(batch.Epoch), Bigs(rows.Select(r => r.Ordinal)), Bigs(rows.Select(r => r.Seq)), Blobs(rows.Select(r => r.Prev)), Blobs(rows.Select(r => r.EnvelopeHash)),
            },
        };
    }

    private static NpgsqlBatchCommand HeadOf(OwnHead head) => new(SetHead) { Parameters = { Big(head.Epoch), Big(head.Seq), Blob(head.Hash) } };

    private static async Task<RelayRow> ReadRow(NpgsqlDataReader reader, CancellationToken ct) =>
        new(reader.GetInt64(0), new EventId(reader.GetGuid(1)), await Bytes(reader, 2, ct), await Bytes(reader, 3, ct));

    private static Task<byte[]> Bytes(NpgsqlDataReader reader, int column, CancellationToken ct) => reader.GetFieldValueAsync<byte[]>(column, ct);

    private static NpgsqlParameter<long> Big(long value) => new() { TypedValue = value };

    private static NpgsqlParameter<int> Int(int value) => new() { TypedValue = value };

    private static NpgsqlParameter<string> Text(string value) => new() { TypedValue = value };

    private static NpgsqlParameter<byte[]> Blob(byte[] value) => new() { TypedValue = value };

    private static NpgsqlParameter<DateTime> At(DateTimeOffset value) => new() { TypedValue = value.UtcDateTime, NpgsqlDbType = NpgsqlDbType.TimestampTz };

    private static NpgsqlParameter<long[]> Bigs(IEnumerable<long> values) => new() { TypedValue = [.. values] };

    private static NpgsqlParameter<byte[][]> Blobs(IEnumerable<byte[]> values) => new() { TypedValue = [.. values] };
}

using Npgsql;
using NpgsqlTypes;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.Kernel.Audit;

/// <summary>SQL of the outbox as appenders use it.</summary>
internal static class OutboxStore
{
    private const string InsertEvent =
        "INSERT INTO audit_outbox (id, action, body, data_key, created_at) VALUES ($1, $2, $3, $4, $5)";

    private const string SelectReceipt =
        "SELECT idx, ledger_time, leaf_hash, tree_size FROM audit_outbox WHERE id = $1 AND idx IS NOT NULL";

    public static async Task Insert(NpgsqlTransaction tx, BuiltEvent built, DateTimeOffset now, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(InsertEvent, tx.Connection, tx);
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = built.Id.Value });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = built.Action });
        command.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = built.Bytes });
        command.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = built.DataKey });
        command.Parameters.Add(new NpgsqlParameter<DateTime> { TypedValue = now.UtcDateTime, NpgsqlDbType = NpgsqlDbType.TimestampTz });
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Binds the five parameters of <see cref="Outbox.Trace"/>.</summary>
    public static NpgsqlBatchCommand Bind(NpgsqlBatchCommand statement, BuiltEvent built, DateTimeOffset now) =>
        statement.With(built.Id.Value).With(built.Action).With(built.Bytes).With(built.DataKey).With(now.ToUniversalTime());

    public static async Task<Receipt?> FindReceipt(NpgsqlDataSource db, EventId id, CancellationToken ct)
    {
        await using var command = db.CreateCommand(SelectReceipt);
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = id.Value });
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await reader.ReadAsync(ct)
            ? new Receipt(
                reader.GetInt64(0),
                await reader.GetFieldValueAsync<DateTimeOffset>(1, ct),
                await reader.GetFieldValueAsync<byte[]>(2, ct),
                reader.GetInt64(3))
            : null;
    }
}

using Npgsql;
using NpgsqlTypes;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.Kernel.Audit;

/// <summary>An event with the index that the ledger gave it.</summary>
internal sealed record PlacedEvent(long Index, SentEvent Sent);

/// <summary>An event that the ledger acknowledged and that no checkpoint covers yet.</summary>
internal sealed record UncoveredEvent(long Index, DateTimeOffset CreatedAt);

/// <summary>SQL of the look at the ledger's checkpoints, on a connection of its own: the relay never waits for it.</summary>
internal static class CheckpointStore
{
    private const string SetVerified = "UPDATE audit_relay SET verified_size = $1, checkpoint = $2 WHERE verified_size < $1";

    private const string SelectNewestBelow = """
        SELECT idx, body, epoch, seq, prev, ledger_time, data_key FROM audit_outbox WHERE idx < $1 ORDER BY epoch DESC, seq DESC LIMIT 1
        """;

    private const string SelectFirstBeyond = """
        SELECT idx, created_at FROM audit_outbox WHERE (epoch, seq) > ($1, $2) AND idx >= $3 ORDER BY epoch, seq LIMIT 1
        """;

    private const string DeleteAnswered = """
        DELETE FROM audit_outbox WHERE ordinal IN (
            SELECT ordinal FROM audit_outbox WHERE idx IS NOT NULL AND ledger_time < $1 AND idx < (SELECT verified_size FROM audit_relay)
            ORDER BY ledger_time LIMIT $2)
        """;

    /// <summary>The newest event of this service's chain that the ledger has placed below that size; null when the outbox keeps none.</summary>
    public static Task<PlacedEvent?> ReadNewestBelow(NpgsqlConnection db, long size, CancellationToken ct) => db.Sql(SelectNewestBelow).With(size).One(
        r => new PlacedEvent(r.GetInt64(0), new SentEvent(
            r.GetFieldValue<byte[]>(1),
            r.GetInt64(2),
            r.GetInt64(3),
            r.GetFieldValue<byte[]>(4),
            Microseconds.Since1970(r.GetFieldValue<DateTimeOffset>(5)),
            r.GetFieldValue<byte[]>(6))), ct);

    /// <summary>The first acknowledged event behind a place of this service's chain that stands beyond that size; null when there is none.</summary>
    public static Task<UncoveredEvent?> ReadFirstBeyond(NpgsqlConnection db, long epoch, long seq, long size, CancellationToken ct) =>
        db.Sql(SelectFirstBeyond).With(epoch).With(seq).With(size).One(r => new UncoveredEvent(r.GetInt64(0), r.GetFieldValue<DateTimeOffset>(1)), ct);

    /// <summary>Remembers the largest checkpoint whose signatures, consistency and hold on this service's events were verified.</summary>
    public static async Task WriteVerified(NpgsqlConnection db, long size, string checkpoint, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(SetVerified, db)
        {
            Parameters = { new NpgsqlParameter<long> { TypedValue = size }, new NpgsqlParameter<string> { TypedValue = checkpoint } },
        };
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Deletes answered events older than that which the verified checkpoint covers, the oldest first, and says how many.</summary>
    public static async Task<int> DeleteOlder(NpgsqlConnection db, DateTimeOffset than, int most, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(DeleteAnswered, db)
        {
            Parameters =
            {
                new NpgsqlParameter<DateTime> { TypedValue = than.UtcDateTime, NpgsqlDbType = NpgsqlDbType.TimestampTz },
                new NpgsqlParameter<int> { TypedValue = most },
            },
        };
        return await command.ExecuteNonQueryAsync(ct);
    }
}

using System.ComponentModel.DataAnnotations;
using Npgsql;
using Trust.Kernel.Postgres;

namespace Trust.AuditLedger.Checkpoints;

/// <summary>Standbys that must hold the log before a head is signed for it.</summary>
public sealed record StandbyOptions
{
    /// <summary>How many standbys must have flushed; 0 waits for none.</summary>
    [Range(0, 16)]
    public int Count { get; init; }

    /// <summary>Which count, by <c>application_name</c>; empty: any.</summary>
    public IReadOnlyList<string> Names { get; init; } = [];

    /// <summary>Longest wait; then nothing is signed and the sequencer begins again.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:05:00")]
    public TimeSpan Wait { get; init; } = TimeSpan.FromSeconds(10);
}

/// <summary>
/// Holds every signature back until standbys have flushed what it covers: a failover must never lose a signed head. PostgreSQL's own
/// synchronous commit does not promise that, because a wait that is cancelled leaves the commit standing on the primary alone.
/// </summary>
internal sealed class StandbyGate(NpgsqlDataSource db, AuditLedgerOptions options, TimeProvider clock)
{
    // Everything committed before this moment is flushed here, so it lies at or before this position.
    private const string SelectPosition = "SELECT pg_current_wal_flush_lsn()::text";

    private const string CountFlushed = """
        SELECT count(*) FROM pg_stat_replication
        WHERE flush_lsn >= $1::pg_lsn AND (cardinality($2::text[]) = 0 OR application_name = ANY ($2))
        """;

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(5);

    /// <summary>Returns when enough standbys have flushed all that is committed now.</summary>
    /// <exception cref="StandbyException">They have not within the configured wait.</exception>
    public async Task Flushed(CancellationToken ct)
    {
        if (options.Standbys.Count == 0)
        {
            return;
        }

        await using var connection = await db.OpenConnectionAsync(ct);
        var position = await connection.Sql(SelectPosition).Scalar<string>(ct);
        var until = clock.GetUtcNow() + options.Standbys.Wait;
        while (await connection.Sql(CountFlushed).With(position).With(options.Standbys.Names.ToArray()).Scalar<long>(ct) is var flushed && flushed < options.Standbys.Count)
        {
            if (clock.GetUtcNow() >= until)
            {
                throw new StandbyException(
                    $"{flushed} of {options.Standbys.Count} standbys have flushed {position} after {options.Standbys.Wait}; the runtime role needs pg_read_all_stats to see them");
            }

            await Task.Delay(Poll, clock, ct);
        }
    }
}

/// <summary>Too few standbys hold what would be signed.</summary>
/// <param name="message">How many, and up to where.</param>
public sealed class StandbyException(string message) : Exception(message);

using Npgsql;
using Trust.Kernel.Postgres;

namespace Trust.AuditLedger.Entries;

/// <summary>
/// Pages that a session writes go on to the disk as it writes them. Otherwise the system keeps them for half a minute and writes them all at
/// once, and a commit that comes behind them waits (docs/decisions/0064).
/// </summary>
internal static class SteadyWriting
{
    // As far as the server's system knows how; 128 pages are 1 MiB.
    private const string WriteBackEarly =
        "SELECT set_config(name, LEAST(128, max_val::bigint)::text, $1) FROM pg_settings WHERE name = 'backend_flush_after'";

    /// <summary>For the whole session, which nobody else uses.</summary>
    public static Task<int> WriteSteadily(this NpgsqlConnection session, CancellationToken ct) => session.Sql(WriteBackEarly).With(false).Execute(ct);

    /// <summary>For this transaction.</summary>
    public static Task<int> WriteSteadily(this NpgsqlTransaction tx, CancellationToken ct) => tx.Sql(WriteBackEarly).With(true).Execute(ct);
}

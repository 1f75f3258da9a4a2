using Npgsql;
using Trust.Kernel.Postgres;

namespace Trust.Idp;

/// <summary>Removes what has expired and can no longer matter: requests, handles, codes, assertions, tokens, refresh families. Sessions stay for the record.</summary>
internal sealed class ExpirySweep(NpgsqlDataSource db, TimeProvider clock)
{
    /// <summary>Between two sweeps.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMinutes(5);

    private const string Sql = """
        WITH old_requests AS (DELETE FROM authorization_requests WHERE expires_at < $1),
             old_throttles AS (DELETE FROM card_throttles WHERE last_at < $2 - interval '1 hour'),
             old_codes AS (DELETE FROM codes WHERE expires_at < $2),
             old_families AS (DELETE FROM refresh_families WHERE expires_at < $2),
             old_decoupled AS (DELETE FROM decoupled_requests WHERE expires_at < $2),
             old_pushed AS (DELETE FROM pushed_requests WHERE expires_at < $2),
             old_assertions AS (DELETE FROM client_assertions WHERE expires_at < $1)
        DELETE FROM tokens WHERE expires_at < $2
        """;

    // A replayed code must still be recognised while its tokens live.
    private static readonly TimeSpan Grace = TimeSpan.FromMinutes(15);

    /// <summary>One sweep.</summary>
    public Task Round(CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        return db.Sql(Sql).With(now).With(now - Grace).Execute(ct);
    }
}

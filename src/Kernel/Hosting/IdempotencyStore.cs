using Npgsql;
using Trust.Kernel.Postgres;

namespace Trust.Kernel.Hosting;

/// <summary>Whose key, where, and the hash of what was sent with it.</summary>
internal sealed record IdempotencyRow(string Caller, string Endpoint, string Key, byte[] Hash);

/// <summary>What is known of a key that was used before.</summary>
/// <param name="Hash">SHA-256 of the first request's body.</param>
/// <param name="Status">Status of the kept answer; null while the first request runs.</param>
/// <param name="ContentType">Of the kept answer.</param>
/// <param name="Location">Of the kept answer.</param>
/// <param name="Body">Of the kept answer.</param>
/// <param name="Holder">Process that runs the first request.</param>
internal sealed record KeptAnswer(byte[] Hash, int? Status, string? ContentType, string? Location, byte[]? Body, Guid? Holder);

/// <summary>SQL over the table <c>idempotency</c>.</summary>
internal sealed class IdempotencyStore(NpgsqlDataSource db, GroupCommit commits, ProcessMark process, ServiceOptions options, TimeProvider clock)
{
    // For a process whose death the server has not noticed (a machine gone, not a process): longer than any request should run.
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(10);

    private const string ClaimKey = """
        INSERT INTO idempotency (caller, endpoint, key, request_hash, lease_until, created_at, holder) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (caller, endpoint, key) DO UPDATE SET lease_until = excluded.lease_until, holder = excluded.holder
        WHERE idempotency.status IS NULL AND idempotency.lease_until < $6 AND idempotency.request_hash = excluded.request_hash
        """;

    // A process that died has lost its lock. Of two processes that take over, the first compare-and-swap wins.
    private const string TakeOverKey = """
        UPDATE idempotency SET lease_until = $5, holder = $6
        WHERE caller = $1 AND endpoint = $2 AND key = $3 AND status IS NULL AND holder = $4
          AND pg_try_advisory_xact_lock(hashtextextended('trust.process.' || current_schema() || '.' || $4::text, 0))
        """;
    private const string FindKey = "SELECT request_hash, status, content_type, location, body, holder FROM idempotency WHERE caller = $1 AND endpoint = $2 AND key = $3";
    private const string KeepAnswer = """
        UPDATE idempotency SET status = $4, content_type = $5, location = $6, body = $7, holder = NULL
        WHERE caller = $1 AND endpoint = $2 AND key = $3 AND status IS NULL
        """;
    private const string FreeKey = "DELETE FROM idempotency WHERE caller = $1 AND endpoint = $2 AND key = $3 AND status IS NULL";

    // In portions, so that no sweep holds many rows at once.
    private const string DeleteOld = """
        DELETE FROM idempotency WHERE (caller, endpoint, key) IN (SELECT caller, endpoint, key FROM idempotency WHERE created_at < $1 ORDER BY created_at LIMIT 1000)
        """;

    /// <summary>Claims a key for this process; false when it was used before and is not free.</summary>
    public async Task<bool> Claim(IdempotencyRow row)
    {
        var now = clock.GetUtcNow();
        return await commits.Execute(GroupCommit.Sql(ClaimKey).With(row.Caller).With(row.Endpoint).With(row.Key).With(row.Hash).With(now + Lease).With(now).With(process.Current)) == 1;
    }

    /// <summary>Claims a key whose holder died; false when it lives, or another was faster.</summary>
    public async Task<bool> TakeOver(IdempotencyRow row, Guid holder) =>
        holder != process.Current
        && await commits.Execute(GroupCommit.Sql(TakeOverKey).With(row.Caller).With(row.Endpoint).With(row.Key).With(holder).With(clock.GetUtcNow() + Lease).With(process.Current)) == 1;

    /// <summary>What is known of a key, or null.</summary>
    public Task<KeptAnswer?> Find(IdempotencyRow row, CancellationToken ct) => db.Sql(FindKey).With(row.Caller).With(row.Endpoint).With(row.Key).One(
        r => new KeptAnswer(
            r.GetFieldValue<byte[]>(0), r.IsDBNull(1) ? null : r.GetInt32(1), r.Nullable<string>(2), r.Nullable<string>(3), r.Nullable<byte[]>(4), r.Nullable<Guid?>(5)), ct);

    /// <summary>Keeps the answer.</summary>
    public Task Keep(IdempotencyRow row, int status, string? contentType, string location, byte[] body) => commits.Execute(
        GroupCommit.Sql(KeepAnswer).With(row.Caller).With(row.Endpoint).With(row.Key).With(status).With(contentType).With(location).With(body));

    /// <summary>Frees a key whose request came to nothing.</summary>
    public Task Free(IdempotencyRow row) => commits.Execute(GroupCommit.Sql(FreeKey).With(row.Caller).With(row.Endpoint).With(row.Key));

    /// <summary>Deletes what is older than the retention; answers how many.</summary>
    public async Task<int> DeleteExpired(CancellationToken ct)
    {
        var deleted = 0;
        for (var portion = 1; portion > 0; deleted += portion)
        {
            portion = await db.Sql(DeleteOld).With(clock.GetUtcNow() - options.IdempotencyRetention).Execute(ct);
        }

        return deleted;
    }
}

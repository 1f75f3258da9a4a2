using System.Collections.Concurrent;
using System.Security.Cryptography;
using Npgsql;
using Trust.Kernel.Postgres;

namespace Trust.Kernel.Hosting;

/// <summary>Whose key, where, and the hash of what was sent with it.</summary>
internal sealed record IdempotencyRow(string Caller, string Endpoint, string Key, byte[] Hash)
{
    /// <summary>This very request: a key that another one took over is not this one's to keep or to free.</summary>
    public Guid Claim { get; } = new(RandomNumberGenerator.GetBytes(16));
}

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
    /// <summary>Between two renewals of what still runs.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    // For a process whose death the server has not noticed (a machine gone, not a process). A request that runs longer renews it.
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RenewAfter = TimeSpan.FromSeconds(4);

    private const string ClaimKey = """
        INSERT INTO idempotency (caller, endpoint, key, request_hash, lease_until, created_at, holder, claim, region) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (caller, endpoint, key) DO UPDATE SET lease_until = excluded.lease_until, holder = excluded.holder, claim = excluded.claim
        WHERE idempotency.status IS NULL AND idempotency.lease_until < $6 AND idempotency.request_hash = excluded.request_hash
        """;

    // A process that died has lost its lock. Of two processes that take over, the first compare-and-swap wins.
    private const string TakeOverKey = """
        UPDATE idempotency SET lease_until = $5, holder = $6, claim = $7
        WHERE caller = $1 AND endpoint = $2 AND key = $3 AND status IS NULL AND holder = $4
          AND pg_try_advisory_xact_lock(hashtextextended('trust.process.' || current_schema() || '.' || $4::text, 0))
        """;
    private const string FindKey = "SELECT request_hash, status, content_type, location, body, holder FROM idempotency WHERE caller = $1 AND endpoint = $2 AND key = $3";
    private const string KeepAnswer = """
        UPDATE idempotency SET status = $5, content_type = $6, location = $7, body = $8, holder = NULL
        WHERE caller = $1 AND endpoint = $2 AND key = $3 AND claim = $4 AND status IS NULL
        """;
    private const string FreeKey = "DELETE FROM idempotency WHERE caller = $1 AND endpoint = $2 AND key = $3 AND claim = $4 AND status IS NULL";
    private const string RenewLease = "UPDATE idempotency SET lease_until = $5 WHERE caller = $1 AND endpoint = $2 AND key = $3 AND claim = $4 AND status IS NULL";

    // In portions, so that no sweep holds many rows at once.
    private const string DeleteOld = """
        DELETE FROM idempotency WHERE (caller, endpoint, key) IN (SELECT caller, endpoint, key FROM idempotency WHERE created_at < $1 ORDER BY created_at LIMIT 1000)
        """;

    private readonly ConcurrentDictionary<Guid, Open> _open = new();

    /// <summary>Claims a key for this process; false when it was used before and is not free.</summary>
    public async Task<bool> Claim(IdempotencyRow row)
    {
        var now = clock.GetUtcNow();
        return Opened(row, await commits.Execute(
            GroupCommit.Sql(ClaimKey).With(row.Caller).With(row.Endpoint).With(row.Key).With(row.Hash).With(now + Lease).With(now).With(process.Current).With(row.Claim)
                .With(options.Region)));
    }

    /// <summary>Claims a key whose holder died; false when it lives, or another was faster.</summary>
    public async Task<bool> TakeOver(IdempotencyRow row, Guid holder) =>
        holder != process.Current
        && Opened(row, await commits.Execute(
            GroupCommit.Sql(TakeOverKey).With(row.Caller).With(row.Endpoint).With(row.Key).With(holder).With(clock.GetUtcNow() + Lease).With(process.Current).With(row.Claim)));

    /// <summary>Renews the leases of requests that still run here, however long they take.</summary>
    public async Task Renew()
    {
        var now = clock.GetUtcNow();
        foreach (var open in _open.Values.Where(o => now - o.Since >= RenewAfter))
        {
            await commits.Execute(GroupCommit.Sql(RenewLease).With(open.Row.Caller).With(open.Row.Endpoint).With(open.Row.Key).With(open.Row.Claim).With(now + Lease));
        }
    }

    /// <summary>What is known of a key, or null.</summary>
    public Task<KeptAnswer?> Find(IdempotencyRow row, CancellationToken ct) => db.Sql(FindKey).With(row.Caller).With(row.Endpoint).With(row.Key).One(
        r => new KeptAnswer(
            r.GetFieldValue<byte[]>(0), r.IsDBNull(1) ? null : r.GetInt32(1), r.Nullable<string>(2), r.Nullable<string>(3), r.Nullable<byte[]>(4), r.Nullable<Guid?>(5)), ct);

    /// <summary>Keeps the answer; no effect when another took the key over.</summary>
    public async Task Keep(IdempotencyRow row, int status, string? contentType, string location, byte[] body)
    {
        // Not renewed any more either way: an answer that could not be kept must not hold its key for as long as the process lives.
        _open.TryRemove(row.Claim, out _);
        await commits.Execute(
            GroupCommit.Sql(KeepAnswer).With(row.Caller).With(row.Endpoint).With(row.Key).With(row.Claim).With(status).With(contentType).With(location).With(body));
    }

    /// <summary>Frees a key whose request came to nothing; no effect when another took it over.</summary>
    public async Task Free(IdempotencyRow row)
    {
        _open.TryRemove(row.Claim, out _);
        await commits.Execute(GroupCommit.Sql(FreeKey).With(row.Caller).With(row.Endpoint).With(row.Key).With(row.Claim));
    }

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

    private bool Opened(IdempotencyRow row, int claimed)
    {
        if (claimed == 1)
        {
            _open[row.Claim] = new Open(row, clock.GetUtcNow());
        }

        return claimed == 1;
    }

    private sealed record Open(IdempotencyRow Row, DateTimeOffset Since);
}

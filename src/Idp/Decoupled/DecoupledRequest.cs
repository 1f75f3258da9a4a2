using Npgsql;
using Trust.Idp.Authorize;
using Trust.Idp.Login;
using Trust.Idp.Sessions;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.Idp.Decoupled;

/// <summary>A request that a person decides elsewhere than where it was made: of a device (RFC 8628) or by back channel (CIBA 1.0).</summary>
/// <param name="Id">Names it to the person; worth nothing to a client.</param>
/// <param name="Kind"><c>device</c> or <c>ciba</c>.</param>
/// <param name="ClientId">Who asks.</param>
/// <param name="Scope">What for; space separated.</param>
/// <param name="Resource">Audience of the access token (RFC 8707).</param>
/// <param name="Origin">Address that the request came from.</param>
/// <param name="CreatedAt">When.</param>
/// <param name="ExpiresAt">Until when it may be decided and redeemed.</param>
/// <param name="Interval">Seconds between two polls.</param>
/// <param name="PolledAt">Last poll.</param>
/// <param name="State"><c>pending</c>, <c>approved</c>, <c>denied</c>, <c>replaced</c> by a later one, or <c>used</c>.</param>
/// <param name="SessionId">Session of the person who approved.</param>
/// <param name="Institution">Institution that the person acts for.</param>
/// <param name="Person">CIBA: who is asked.</param>
/// <param name="BindingMessage">CIBA: what the person sees on both devices.</param>
public sealed record DecoupledRequest(
    Guid Id, string Kind, string ClientId, string Scope, string Resource, string Origin, DateTimeOffset CreatedAt, DateTimeOffset ExpiresAt, int Interval, DateTimeOffset? PolledAt,
    string State, Guid? SessionId, string? Institution, string? Person, string? BindingMessage)
{
    /// <summary>Scopes one by one.</summary>
    public IReadOnlyList<string> Scopes => Scope.Split(' ', StringSplitOptions.RemoveEmptyEntries);
}

/// <summary>Keeps such requests; each decision and each use is a compare-and-swap.</summary>
public sealed class DecoupledRequests(NpgsqlDataSource db, Acknowledgements notices, Outbox outbox, ServiceOptions service, TimeProvider clock)
{
    /// <summary>Seconds between two polls, at first (RFC 8628 3.2, CIBA 1.0 7.3).</summary>
    public const int Interval = 5;
    private const string Columns = """
        SELECT id, kind, client_id, scope, resource, origin, created_at, expires_at, interval_seconds, polled_at, state, session_id, institution, person, binding_message FROM decoupled_requests
        """;
    private const string Insert = """
        INSERT INTO decoupled_requests (id, kind, hash, client_id, scope, resource, origin, region, created_at, expires_at, interval_seconds, state, user_code, person, binding_message, auth_req_id,
                                        notification_token)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 5, 'pending', $11, $12, $13, $14, $15)
        """;
    private const string Replace = "UPDATE decoupled_requests SET state = 'replaced', decided_at = $3 WHERE kind = 'ciba' AND client_id = $1 AND person = $2 AND state = 'pending'";
    private const string FindByHash = Columns + " WHERE kind = $1 AND hash = $2";
    private const string FindByUserCode = Columns + " WHERE user_code = $1 AND state = 'pending' AND expires_at > $2";
    private const string FindOfPerson = Columns + " WHERE person = $1 AND state = 'pending' AND expires_at > $2 ORDER BY created_at LIMIT 20";
    private const string FindOpen = Columns + " WHERE id = $1 AND person = $2 AND state = 'pending' AND expires_at > $3";
    private const string Polled = "UPDATE decoupled_requests SET polled_at = $2, interval_seconds = least(interval_seconds + $3, 60) WHERE id = $1";
    private const string Approved = """
        UPDATE decoupled_requests SET state = 'approved', decided_at = $2, session_id = $3, institution = $4, notify_after = CASE WHEN notification_token IS NULL THEN NULL ELSE $2 END
        WHERE id = $1 AND state = 'pending' AND expires_at > $2
        """;
    private const string Denied = """
        UPDATE decoupled_requests SET state = 'denied', decided_at = $2, notify_after = CASE WHEN notification_token IS NULL THEN NULL ELSE $2 END
        WHERE id = $1 AND state = 'pending' AND expires_at > $2
        """;
    private const string Denials = "SELECT count(*) FROM decoupled_requests WHERE kind = 'ciba' AND client_id = $1 AND person = $2 AND state = 'denied' AND decided_at > $3";

    /// <summary>Keeps a request of a device.</summary>
    public Task Keep(DecoupledRequest request, byte[] hash, byte[] userCode, CancellationToken ct) => Keep(db.Sql(Insert), request, hash, userCode, null, null).Execute(ct);

    /// <summary>Keeps a request by back channel; an open one of the same client to the same person lapses.</summary>
    public async Task Keep(DecoupledRequest request, byte[] hash, string? authReqId, string? notificationToken, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(request);
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await tx.Sql(Replace).With(request.ClientId).With(request.Person).With(clock.GetUtcNow()).Execute(ct);
        await Keep(tx.Sql(Insert), request, hash, null, authReqId, notificationToken).Execute(ct);
        await tx.CommitAsync(ct);
    }

    private NpgsqlCommand Keep(NpgsqlCommand insert, DecoupledRequest r, byte[] hash, byte[]? userCode, string? authReqId, string? notificationToken) => insert
        .With(r.Id).With(r.Kind).With(hash).With(r.ClientId).With(r.Scope).With(r.Resource).With(r.Origin).With(service.Region).With(r.CreatedAt).With(r.ExpiresAt)
        .With(userCode).With(r.Person).With(r.BindingMessage).With(authReqId).With(notificationToken);

    /// <summary>By what the client polls with.</summary>
    public Task<DecoupledRequest?> Find(string kind, byte[] hash, CancellationToken ct) => db.Sql(FindByHash).With(kind).With(hash).One(Row, ct);

    /// <summary>By what the person typed; only while it can be decided.</summary>
    public Task<DecoupledRequest?> FindByCode(byte[] userCode, CancellationToken ct) => db.Sql(FindByUserCode).With(userCode).With(clock.GetUtcNow()).One(Row, ct);

    /// <summary>What a person is asked now.</summary>
    public Task<List<DecoupledRequest>> OpenOf(string person, CancellationToken ct) => db.Sql(FindOfPerson).With(person).With(clock.GetUtcNow()).All(Row, ct);

    /// <summary>One of them.</summary>
    public Task<DecoupledRequest?> OpenOf(string person, Guid id, CancellationToken ct) => db.Sql(FindOpen).With(id).With(person).With(clock.GetUtcNow()).One(Row, ct);

    /// <summary>How often a person has lately refused a client.</summary>
    public async Task<long> DenialsOf(string person, string clientId, TimeSpan lately, CancellationToken ct) =>
        await db.Sql(Denials).With(clientId).With(person).With(clock.GetUtcNow() - lately).Scalar<long>(ct);

    /// <summary>Notes a poll; one that came too soon makes the next wait longer (RFC 8628 3.5).</summary>
    public async Task<bool> CameTooSoon(DecoupledRequest request, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(request);
        var now = clock.GetUtcNow();
        // A client's clock and the way here may be a little quicker.
        var tooSoon = request.PolledAt is { } last && now < last + TimeSpan.FromSeconds(request.Interval) - TimeSpan.FromMilliseconds(500);
        await db.Sql(Polled).With(request.Id).With(now).With(tooSoon ? Interval : 0).Execute(ct);
        return tooSoon;
    }

    /// <summary>The person's decision, with its event; false when it is decided, replaced or expired already.</summary>
    public async Task<bool> Decide(DecoupledRequest request, Session session, string? institution, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(session);
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        var swap = institution is null ? tx.Sql(Denied).With(request.Id).With(clock.GetUtcNow()) : tx.Sql(Approved).With(request.Id).With(clock.GetUtcNow()).With(session.Id).With(institution);
        if (await swap.Execute(ct) == 0)
        {
            return false;
        }

        var traced = institution is null
            ? await outbox.Append(tx, Refusal(request, session), ct)
            : await notices.Record(tx, session, AuthorizationRequest.For(request.ClientId, request.Scope, clock.GetUtcNow()), institution, ct);
        if (traced is AppendOutcome.Refused)
        {
            return false;
        }

        await tx.CommitAsync(ct);
        return true;
    }

    private static AuditEvent Refusal(DecoupledRequest request, Session session) => new()
    {
        Action = "AUTH.fail", Actor = new Actor(session.Person, session.Certificate), Outcome = EventOutcome.Refused, Reason = "person-declined", Correlation = session.Id.ToString(),
        Subjects = [SubjectKey.Practitioner(session.Person), SubjectKey.Of("client", request.ClientId)],
    };

    private static DecoupledRequest Row(NpgsqlDataReader r) => new(
        r.GetGuid(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetString(4), r.GetString(5), r.GetFieldValue<DateTimeOffset>(6), r.GetFieldValue<DateTimeOffset>(7), r.GetInt32(8),
        r.Nullable<DateTimeOffset?>(9), r.GetString(10), r.Nullable<Guid?>(11), r.Nullable<string>(12), r.Nullable<string>(13), r.Nullable<string>(14));
}

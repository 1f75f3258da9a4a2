using System.Text.Json;
using Npgsql;
using Trust.Idp.Login;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.Idp.Sessions;

/// <summary>A person's login at this provider, opened with a card.</summary>
/// <param name="Id">Session identifier, the <c>sid</c> of tokens.</param>
/// <param name="Person">Practitioner URN.</param>
/// <param name="Certificate">SHA-256 hex of the card's authentication certificate.</param>
/// <param name="Holder">Who the registry said holds that certificate, when it was shown.</param>
/// <param name="AuthenticatedAt">When the card was used.</param>
public sealed record Session(Guid Id, string Person, string Certificate, CardHolder Holder, DateTimeOffset AuthenticatedAt);

/// <summary>Server-side sessions: ending one ends its tokens.</summary>
public sealed class SessionStore(NpgsqlDataSource db, Outbox outbox, IdpOptions options, Kernel.Hosting.ServiceOptions service, TimeProvider clock)
{
    private const string Insert = """
        INSERT INTO sessions (id, cookie_hash, person, certificate, holder, region, authenticated_at, expires_at, caller_region) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """;
    private const string FindSql = """
        SELECT id, person, certificate, holder, authenticated_at FROM sessions WHERE cookie_hash = $1 AND ended_at IS NULL AND expires_at > $2
        """;
    private const string FindByIdSql = """
        SELECT id, person, certificate, holder, authenticated_at FROM sessions WHERE id = $1 AND ended_at IS NULL AND expires_at > $2
        """;
    private const string EndSql = "UPDATE sessions SET ended_at = $2, end_reason = $3 WHERE id = $1 AND ended_at IS NULL";
    private const string EndOfPerson = "UPDATE sessions SET ended_at = $2, end_reason = $3 WHERE person = $1 AND ended_at IS NULL AND expires_at > $2 RETURNING id, person, certificate";
    private const string EndOfCertificate = "UPDATE sessions SET ended_at = $2, end_reason = $3 WHERE certificate = $1 AND ended_at IS NULL AND expires_at > $2 RETURNING id, person, certificate";

    /// <summary>The session of a browser, or null.</summary>
    public Task<Session?> Find(HttpContext context, CancellationToken ct) => context.Request.Cookies[Cookies.Session] is { Length: 43 } cookie
        ? db.Sql(FindSql).With(Secret.Hash("session", cookie)).With(clock.GetUtcNow()).One(Row, ct)
        : Task.FromResult<Session?>(null);

    /// <summary>A live session by its identifier, or null.</summary>
    public Task<Session?> Find(Guid id, CancellationToken ct) => db.Sql(FindByIdSql).With(id).With(clock.GetUtcNow()).One(Row, ct);

    /// <summary>Opens a session inside a transaction and records the login with it.</summary>
    /// <param name="tx">The transaction.</param>
    /// <param name="holder">Who logged in.</param>
    /// <param name="certificate">By which certificate.</param>
    /// <param name="callerRegion">Where the browser is, by the declared networks.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>The session and its cookie value, or null when the login could not be recorded and must be refused.</returns>
    public async Task<(Session Session, string Cookie)?> Open(NpgsqlTransaction tx, CardHolder holder, string certificate, string? callerRegion, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var session = new Session(Guid.CreateVersion7(now), holder.Person, certificate, holder, now);
        var cookie = Secret.New();
        await tx.Sql(Insert).With(session.Id).With(Secret.Hash("session", cookie)).With(session.Person).With(certificate)
            .With(JsonSerializer.Serialize(holder, IdpJson.Default.CardHolder)).With(service.Region).With(now).With(now + options.SessionLife).With(callerRegion).Execute(ct);
        var outcome = await outbox.Append(tx, Event("AUTH.login", session.Person, certificate, session.Id, "card"), ct);
        return outcome is AppendOutcome.Appended ? (session, cookie) : null;
    }

    /// <summary>Ends one session by its holder's wish.</summary>
    public Task<bool> End(Session session, string reason, CancellationToken ct) => InTransaction(async tx =>
    {
        if (await tx.Sql(EndSql).With(session.Id).With(clock.GetUtcNow()).With(reason).Execute(ct) == 0)
        {
            return false;
        }

        await outbox.Append(tx, Event("AUTH.logout", session.Person, session.Certificate, session.Id, reason), ct);
        return true;
    }, ct);

    /// <summary>Ends every session of a person who lost the right to log in.</summary>
    public Task<int> EndAllOfPerson(string person, string reason, CancellationToken ct) => InTransaction(async tx => await Ended(
        tx, await tx.Sql(EndOfPerson).With(person).With(clock.GetUtcNow()).With(reason).All(Key, ct), reason, ct), ct);

    /// <summary>Ends every session opened with a certificate that is held or revoked.</summary>
    public Task<int> EndAllOfCertificate(string certificate, string reason, CancellationToken ct) => InTransaction(async tx => await Ended(
        tx, await tx.Sql(EndOfCertificate).With(certificate).With(clock.GetUtcNow()).With(reason).All(Key, ct), reason, ct), ct);

    private async Task<int> Ended(NpgsqlTransaction tx, List<(Guid Id, string Person, string Certificate)> ended, string reason, CancellationToken ct)
    {
        foreach (var (id, person, certificate) in ended)
        {
            await outbox.Append(tx, Event("AUTH.logout", person, certificate, id, reason), ct);
        }

        return ended.Count;
    }

    private async Task<T> InTransaction<T>(Func<NpgsqlTransaction, Task<T>> act, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        var result = await act(tx);
        await tx.CommitAsync(ct);
        return result;
    }

    private static AuditEvent Event(string action, string person, string certificate, Guid session, string reason) => new()
    {
        Action = action, Actor = new Actor(person, certificate), Outcome = EventOutcome.Success, Reason = reason, Correlation = session.ToString(),
        Subjects = [SubjectKey.Practitioner(person), SubjectKey.Certificate(certificate)],
    };

    private static Session Row(NpgsqlDataReader r) => new(
        r.GetGuid(0), r.GetString(1), r.GetString(2), JsonSerializer.Deserialize(r.GetString(3), IdpJson.Default.CardHolder)!, r.GetFieldValue<DateTimeOffset>(4));

    private static (Guid, string, string) Key(NpgsqlDataReader r) => (r.GetGuid(0), r.GetString(1), r.GetString(2));
}

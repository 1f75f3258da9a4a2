using System.Text.Json;
using Npgsql;
using Trust.Idp.Login;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.Idp.Sessions;

/// <summary>A person's login at this provider, opened with a card.</summary>
/// <param name="Id">Session identifier, the <c>sid</c> of tokens.</param>
/// <param name="Person">Practitioner URN.</param>
/// <param name="Certificate">SHA-256 hex of the card's authentication certificate.</param>
/// <param name="Holder">Who the registry said holds that certificate, when it was shown.</param>
/// <param name="AuthenticatedAt">When the card was used.</param>
/// <param name="Acr">How well the card could be checked, the <c>acr</c> of tokens (<see cref="AuthenticationContext"/>).</param>
/// <param name="Institution">Institution that the person chose last in it; null while none was chosen.</param>
public sealed record Session(
    Guid Id, string Person, string Certificate, CardHolder Holder, DateTimeOffset AuthenticatedAt, string Acr = AuthenticationContext.Card, string? Institution = null);

/// <summary>Server-side sessions: ending one ends its tokens, and tells the systems that had them.</summary>
public sealed class SessionStore(NpgsqlDataSource db, Outbox outbox, IdpOptions options, Kernel.Hosting.ServiceOptions service, TimeProvider clock)
{
    private const string Insert = """
        INSERT INTO sessions (id, cookie_hash, person, certificate, holder, region, authenticated_at, expires_at, caller_region, acr, last_used_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $7)
        """;
    private const string Renew = """
        UPDATE sessions SET cookie_hash = $2, holder = $5, authenticated_at = $6, last_used_at = $6, expires_at = $7, caller_region = $8, acr = $9
        WHERE cookie_hash = $1 AND person = $3 AND certificate = $4 AND ended_at IS NULL AND expires_at > $6
        RETURNING id, person, certificate, holder, authenticated_at, acr, institution
        """;
    private const string FindSql = """
        SELECT id, person, certificate, holder, authenticated_at, acr, institution, COALESCE(last_used_at, authenticated_at)
        FROM sessions WHERE cookie_hash = $1 AND ended_at IS NULL AND expires_at > $2
        """;
    private const string FindByIdSql = """
        SELECT id, person, certificate, holder, authenticated_at, acr, institution FROM sessions WHERE id = $1 AND ended_at IS NULL AND expires_at > $2
        """;
    private const string Touch = "UPDATE sessions SET last_used_at = $2 WHERE id = $1 AND COALESCE(last_used_at, authenticated_at) = $3";
    private const string Choose = "UPDATE sessions SET institution = $2 WHERE id = $1 AND institution IS DISTINCT FROM $2";
    private const string EndSql = "UPDATE sessions SET ended_at = $2, end_reason = $3 WHERE id = $1 AND ended_at IS NULL RETURNING id, person, certificate";
    private const string EndOfCookie = "UPDATE sessions SET ended_at = $2, end_reason = $3 WHERE cookie_hash = $1 AND ended_at IS NULL AND expires_at > $2 RETURNING id, person, certificate";
    private const string EndOfPerson = "UPDATE sessions SET ended_at = $2, end_reason = $3 WHERE person = $1 AND ended_at IS NULL AND expires_at > $2 RETURNING id, person, certificate";
    private const string EndOfCertificate = "UPDATE sessions SET ended_at = $2, end_reason = $3 WHERE certificate = $1 AND ended_at IS NULL AND expires_at > $2 RETURNING id, person, certificate";

    private const string EndFamilies = "UPDATE refresh_families SET ended_at = $2, end_reason = $3 WHERE session_id = ANY ($1) AND ended_at IS NULL";

    // Of a use no more than this is written, so that a page costs no row; a short idle time is measured finer.
    private readonly TimeSpan _touchEvery = options.SessionIdle / 4 < TimeSpan.FromMinutes(1) ? options.SessionIdle / 4 : TimeSpan.FromMinutes(1);

    /// <summary>The session of a browser, which this uses; null when there is none or it has lain idle.</summary>
    public async Task<Session?> Find(HttpContext context, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        if (await OfCookie(context, now, ct) is not var (session, usedAt) || now - usedAt >= options.SessionIdle)
        {
            return null;
        }

        if (now - usedAt >= _touchEvery)
        {
            // Of two requests at once one wins, and either is a use of now.
            await db.Sql(Touch).With(session.Id).With(now).With(usedAt).Execute(ct);
        }

        return session;
    }

    /// <summary>The session of a browser whether it has lain idle or not, to be ended: its tokens may still live.</summary>
    public async Task<Session?> FindToEnd(HttpContext context, CancellationToken ct) => (await OfCookie(context, clock.GetUtcNow(), ct))?.Session;

    /// <summary>A live session by its identifier, or null. That no browser has used it for a while ends no token: a system at work sends none.</summary>
    public Task<Session?> Find(Guid id, CancellationToken ct) => db.Sql(FindByIdSql).With(id).With(clock.GetUtcNow()).One(Row, ct);

    /// <summary>
    /// Opens a session inside a transaction and records the login with it. A session that the browser still has goes on under a new cookie when the same card
    /// was shown again, so that a step-up logs nobody out; any other one ends here, with its tokens.
    /// </summary>
    /// <param name="tx">The transaction.</param>
    /// <param name="login">Who logged in, by what and how well checked.</param>
    /// <param name="callerRegion">Where the browser is, by the declared networks.</param>
    /// <param name="before">The session cookie that the browser has; null for none.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>The session and its cookie value, or null when the login could not be recorded and must be refused.</returns>
    public async Task<(Session Session, string Cookie)?> Open(NpgsqlTransaction tx, ProvenCard login, string? callerRegion, string? before, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(login);
        var now = clock.GetUtcNow();
        var (cookie, holder) = (Secret.New(), JsonSerializer.Serialize(login.Holder, IdpJson.Default.CardHolder));
        var session = before is not { Length: 43 } ? null : await tx.Sql(Renew).With(Secret.Hash("session", before)).With(Secret.Hash("session", cookie)).With(login.Holder.Person)
            .With(login.Certificate).With(holder).With(now).With(now + options.SessionLife).With(callerRegion).With(login.Acr).One(Row, ct);
        if (session is null)
        {
            if (before is { Length: 43 })
            {
                await Ended(tx, await tx.Sql(EndOfCookie).With(Secret.Hash("session", before)).With(now).With("replaced").All(Key, ct), "replaced", ct);
            }

            session = new Session(Guid.CreateVersion7(now), login.Holder.Person, login.Certificate, login.Holder, now, login.Acr);
            await tx.Sql(Insert).With(session.Id).With(Secret.Hash("session", cookie)).With(session.Person).With(login.Certificate).With(holder).With(service.Region).With(now)
                .With(now + options.SessionLife).With(callerRegion).With(login.Acr).Execute(ct);
        }

        var outcome = await outbox.Append(tx, Event("AUTH.login", session.Person, session.Certificate, session.Id, login.Acr is AuthenticationContext.Card ? "card" : "card-degraded"), ct);
        return outcome is AppendOutcome.Appended ? (session, cookie) : null;
    }

    /// <summary>Remembers the institution that the person chose, for the next request of the session.</summary>
    public Task Remember(Session session, string institution, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(session);
        return session.Institution == institution ? Task.CompletedTask : db.Sql(Choose).With(session.Id).With(institution).Execute(ct);
    }

    /// <summary>Ends one session by its holder's wish.</summary>
    public async Task<bool> End(Session session, string reason, CancellationToken ct) => await InTransaction(async tx => await Ended(
        tx, await tx.Sql(EndSql).With(session.Id).With(clock.GetUtcNow()).With(reason).All(Key, ct), reason, ct), ct) > 0;

    /// <summary>Ends every session of a person: who lost the right to log in, or wants to be logged out everywhere.</summary>
    public Task<int> EndAllOfPerson(string person, string reason, CancellationToken ct) => InTransaction(async tx => await Ended(
        tx, await tx.Sql(EndOfPerson).With(person).With(clock.GetUtcNow()).With(reason).All(Key, ct), reason, ct), ct);

    /// <summary>Ends every session opened with a certificate that is held or revoked.</summary>
    public Task<int> EndAllOfCertificate(string certificate, string reason, CancellationToken ct) => InTransaction(async tx => await Ended(
        tx, await tx.Sql(EndOfCertificate).With(certificate).With(clock.GetUtcNow()).With(reason).All(Key, ct), reason, ct), ct);

    // Whatever ends a session ends what hangs on it, in the same transaction. Access tokens are judged by the session itself.
    private async Task<int> Ended(NpgsqlTransaction tx, List<(Guid Id, string Person, string Certificate)> ended, string reason, CancellationToken ct)
    {
        if (ended.Count == 0)
        {
            return 0;
        }

        Guid[] ids = [.. ended.Select(e => e.Id)];
        await tx.Sql(EndFamilies).With(ids).With(clock.GetUtcNow()).With(reason).Execute(ct);
        await LogoutNotices.Queue(tx, ids, clock.GetUtcNow(), ct);
        foreach (var (id, person, certificate) in ended)
        {
            await outbox.Append(tx, Event("AUTH.logout", person, certificate, id, reason), ct);
        }

        return ended.Count;
    }

    private async Task<(Session Session, DateTimeOffset UsedAt)?> OfCookie(HttpContext context, DateTimeOffset now, CancellationToken ct) =>
        context.Request.Cookies[Cookies.Session] is { Length: 43 } cookie
        && await db.Sql(FindSql).With(Secret.Hash("session", cookie)).With(now).One(r => Tuple.Create(Row(r), r.GetFieldValue<DateTimeOffset>(7)), ct) is { } found
            ? (found.Item1, found.Item2) : null;

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
        r.GetGuid(0), r.GetString(1), r.GetString(2), JsonSerializer.Deserialize(r.GetString(3), IdpJson.Default.CardHolder)!, r.GetFieldValue<DateTimeOffset>(4), r.GetString(5),
        r.Nullable<string>(6));

    private static (Guid, string, string) Key(NpgsqlDataReader r) => (r.GetGuid(0), r.GetString(1), r.GetString(2));
}

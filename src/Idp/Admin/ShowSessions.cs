using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Idp.Sessions;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.Idp.Admin;

/// <summary>An open session as officers see it: no name, which the registry knows.</summary>
public sealed record SessionSummary(Guid Id, string Person, string Certificate, DateTimeOffset AuthenticatedAt, DateTimeOffset ExpiresAt, string? CallerRegion);

/// <summary><c>GET /admin/sessions?person=</c>: who is logged in now. Reading it is an event that waits for its receipt: it discloses where people are.</summary>
public sealed class ShowSessions(NpgsqlDataSource db, Outbox outbox, TimeProvider clock)
{
    private const string ListSql = """
        SELECT id, person, certificate, authenticated_at, expires_at, caller_region FROM sessions
        WHERE ended_at IS NULL AND expires_at > $4 AND ($3::text IS NULL OR person = $3) AND (authenticated_at, id) > ($1, $2) ORDER BY authenticated_at, id LIMIT $5
        """;

    /// <summary>A page, oldest first.</summary>
    public async Task<Results<Ok<IReadOnlyList<SessionSummary>>, Refusal>> Handle(HttpContext context, string? person, string? after, int? limit, CancellationToken ct)
    {
        if (Page.Of(after, limit, EventBody.MaxSubjects) is not { } page || person?.Contains('\0', StringComparison.Ordinal) is true)
        {
            return CommonRefusals.MalformedPage;
        }

        var rows = page.Take(context, await db.Sql(ListSql).With(page.After.At).With(page.After.Id).With(person).With(clock.GetUtcNow()).With(page.Fetch).All(Row, ct), s => new Cursor(s.AuthenticatedAt, s.Id));
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        var seen = await outbox.AppendConfirmed(tx, new AuditEvent
        {
            Action = "REG.query", Actor = OfficerCards.Of(context).Actor, Outcome = EventOutcome.Success, Reason = "sessions", Subjects = [.. rows.Select(s => SubjectKey.Practitioner(s.Person)).Distinct()],
        }, ct);
        return seen is ConfirmOutcome.Confirmed ? TypedResults.Ok(rows) : CommonRefusals.From(seen);
    }

    private static SessionSummary Row(NpgsqlDataReader r) => new(
        r.GetGuid(0), r.GetString(1), r.GetString(2), r.GetFieldValue<DateTimeOffset>(3), r.GetFieldValue<DateTimeOffset>(4), r.Nullable<string>(5));
}

/// <summary><c>POST /admin/sessions/{person}/end</c>: ends every session of a person, and with them all tokens, at once.</summary>
public sealed class EndSessions(SessionStore sessions)
{
    /// <summary>Ends; a person without sessions stays so.</summary>
    public async Task<NoContent> Handle(HttpContext context, string person, CancellationToken ct)
    {
        _ = OfficerCards.Of(context);
        if (!person.Contains('\0', StringComparison.Ordinal))
        {
            await sessions.EndAllOfPerson(person, "ended-by-officer", ct);
        }

        return TypedResults.NoContent();
    }
}

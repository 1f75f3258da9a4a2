using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.AuditLedger.Retention;

/// <summary>
/// <c>POST /holds</c>, <c>POST /holds/{id}/release</c>, <c>GET /holds</c>: a regulator keeps everything on a subject from being pruned or
/// shredded while a case is open. Placing and releasing are events.
/// </summary>
internal static class LegalHolds
{
    private const string Insert =
        "INSERT INTO legal_holds (id, kind, subject, case_number, placed_by, placed_at) VALUES ($1, $2, $3, $4, $5, $6)";

    private const string Close = "UPDATE legal_holds SET released_by = $2, released_at = $3 WHERE id = $1 AND released_at IS NULL RETURNING kind, subject, case_number";

    private const string SelectOpen = "SELECT id, kind, case_number, placed_at FROM legal_holds WHERE released_at IS NULL ORDER BY placed_at LIMIT 1000";

    private const string SelectHeld = "SELECT count(*) FROM legal_holds WHERE released_at IS NULL AND subject = ANY ($1)";

    public static void Map(WebApplication app)
    {
        app.MapPost("/holds", Place).RequireScope("audit.hold").Idempotent();
        app.MapPost("/holds/{id:guid}/release", Release).RequireScope("audit.hold").Idempotent();
        app.MapGet("/holds", List).RequireScope("audit.hold");
    }

    /// <summary>True when a hold is open on any of these subjects.</summary>
    public static async Task<bool> AnyOpen(NpgsqlTransaction tx, byte[][] subjects, CancellationToken ct) =>
        await tx.Sql(SelectHeld).With(subjects).Scalar<long>(ct) > 0;

    private static async Task<Results<Created<HoldAnswer>, ProblemHttpResult>> Place(
        HoldRequest request, HttpContext context, NpgsqlDataSource db, Outbox outbox, TimeProvider clock, ProblemSet problems)
    {
        var ct = context.RequestAborted;
        if (SubjectText.TryRead(request.Kind, request.Subject) is not { } subject || !CaseNumber.IsValid(request.CaseNumber))
        {
            return problems.Of("malformed-hold", 400, "A hold names kind and subject as a question does, and a case number of 1 to 64 letters, digits and hyphens.");
        }

        if (context.Caller() is not { Role: "regulator" } caller)
        {
            return problems.Of("not-a-regulator", 403, "Only a regulator places a hold.");
        }

        var id = Guid.CreateVersion7(clock.GetUtcNow());
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await tx.Sql(Insert).With(id).With(subject.Kind).With(subject.Key.ToArray()).With(request.CaseNumber).With(caller.Subject).With(clock.GetUtcNow()).Execute(ct);
        if (await outbox.Append(tx, Event("LEDGER.hold", caller, subject, request.CaseNumber), ct) is AppendOutcome.Refused(var why))
        {
            return problems.Of("not-recorded", 503, why.Detail);
        }

        await tx.CommitAsync(ct);
        return TypedResults.Created($"/holds/{id}", new HoldAnswer(id, subject.Kind, request.CaseNumber, clock.GetUtcNow()));
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> Release(
        Guid id, HttpContext context, NpgsqlDataSource db, Outbox outbox, TimeProvider clock, ProblemSet problems)
    {
        var ct = context.RequestAborted;
        if (context.Caller() is not { Role: "regulator" } caller)
        {
            return problems.Of("not-a-regulator", 403, "Only a regulator releases a hold.");
        }

        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        var closed = await tx.Sql(Close).With(id).With(caller.Subject).With(clock.GetUtcNow()).One(
            r => new { Subject = SubjectKey.FromBytes(r.GetString(0), r.GetFieldValue<byte[]>(1)), Case = r.GetString(2) }, ct);
        if (closed is null)
        {
            return problems.Of("no-open-hold", 404, "There is no open hold of this id.");
        }

        if (await outbox.Append(tx, Event("LEDGER.release", caller, closed.Subject, closed.Case), ct) is AppendOutcome.Refused(var why))
        {
            return problems.Of("not-recorded", 503, why.Detail);
        }

        await tx.CommitAsync(ct);
        return TypedResults.NoContent();
    }

    private static async Task<Results<Ok<IReadOnlyList<HoldAnswer>>, ProblemHttpResult>> List(HttpContext context, NpgsqlDataSource db, ProblemSet problems)
    {
        if (context.Caller() is not { Role: "regulator" })
        {
            return problems.Of("not-a-regulator", 403, "Only a regulator sees the holds.");
        }

        return TypedResults.Ok<IReadOnlyList<HoldAnswer>>(await db.Sql(SelectOpen).All(
            r => new HoldAnswer(r.GetGuid(0), r.GetString(1), r.GetString(2), r.GetFieldValue<DateTimeOffset>(3)), context.RequestAborted));
    }

    private static AuditEvent Event(string action, Caller caller, SubjectKey subject, string caseNumber) => new()
    {
        Action = action,
        Actor = new Actor(caller.Subject, caller.LoginCertificate, caller.Role, caller.Institution),
        Subjects = [subject],
        Outcome = EventOutcome.Success,
        Purpose = "SUPERVISION",
        PermitNo = caseNumber,
        Correlation = caller.TokenId,
    };
}

/// <summary>Asks for a hold.</summary>
/// <param name="Kind">Kind of subject.</param>
/// <param name="Subject">Identifier, or a patient's key (base64url).</param>
/// <param name="CaseNumber">Case that needs the evidence.</param>
public sealed record HoldRequest(string Kind, string Subject, string CaseNumber);

/// <summary>An open hold.</summary>
/// <param name="Id">Names it for its release.</param>
/// <param name="Kind">Kind of subject.</param>
/// <param name="CaseNumber">Case.</param>
/// <param name="PlacedAt">Since when.</param>
public sealed record HoldAnswer(Guid Id, string Kind, string CaseNumber, DateTimeOffset PlacedAt);

using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.AuditLedger.Retention;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.AuditLedger.Shredding;

/// <summary>
/// <c>POST /shreddings</c>, <c>POST /shreddings/{id}/approve</c>, <c>GET /shreddings/{id}</c>: one person asks that a subject's sealed detail be
/// destroyed, another approves. Refused while any of it must be kept, or a hold lies on the subject; checked at both steps, and once more
/// before its key goes.
/// </summary>
internal static class Shreddings
{
    private const string Role = "records-officer";

    private const string Insert = """
        INSERT INTO shreddings (id, kind, subject, reason, state, requested_by, requested_at) VALUES ($1, $2, $3, $4, 'requested', $5, $6)
        """;

    private const string Approve = """
        UPDATE shreddings SET state = 'approved', approved_by = $2, approved_at = $3 WHERE id = $1 AND state = 'requested' AND requested_by <> $2
        """;

    private const string Select = "SELECT kind, subject, state, requested_by, reason FROM shreddings WHERE id = $1";

    public static void Map(WebApplication app)
    {
        app.MapPost("/shreddings", Request).RequireScope("audit.shred").Idempotent();
        app.MapPost("/shreddings/{id:guid}/approve", ApproveOne).RequireScope("audit.shred").Idempotent();
        app.MapGet("/shreddings/{id:guid}", Get).RequireScope("audit.shred");
    }

    private static async Task<Results<Accepted<ShreddingAnswer>, ProblemHttpResult>> Request(
        ShreddingRequest request, HttpContext context, NpgsqlDataSource db, Outbox outbox, RetentionSchedule retention, TimeProvider clock, ProblemSet problems)
    {
        var ct = context.RequestAborted;
        if (SubjectText.TryRead(request.Kind, request.Subject) is not { } subject || request.Reason is not { Length: > 0 and <= 128 } reason || reason.Any(char.IsControl))
        {
            return problems.Of("malformed-shredding", 400, "A shredding names kind and subject as a question does, and a reason of 1 to 128 characters.");
        }

        if (context.Caller() is not { Role: Role } caller)
        {
            return problems.Of("not-a-records-officer", 403, "Only a records officer asks for a shredding.");
        }

        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await ShreddingRules.Forbid(tx, subject, retention, clock.GetUtcNow(), ct) is { } why)
        {
            await outbox.Append(tx, Event(caller, subject, EventOutcome.Refused, why.Code), ct);
            await tx.CommitAsync(ct);
            return problems.Of(why.Code, 409, why.Detail);
        }

        var id = Guid.CreateVersion7(clock.GetUtcNow());
        await tx.Sql(Insert).With(id).With(subject.Kind).With(subject.Key.ToArray()).With(reason).With(caller.Subject).With(clock.GetUtcNow()).Execute(ct);
        if (await outbox.Append(tx, Event(caller, subject, EventOutcome.Success, "shredding-requested"), ct) is AppendOutcome.Refused(var unrecorded))
        {
            return problems.Of("not-recorded", 503, unrecorded.Detail);
        }

        await tx.CommitAsync(ct);
        return TypedResults.Accepted($"/shreddings/{id}", new ShreddingAnswer(id, "requested"));
    }

    private static async Task<Results<Accepted<ShreddingAnswer>, ProblemHttpResult>> ApproveOne(
        Guid id, HttpContext context, NpgsqlDataSource db, Outbox outbox, RetentionSchedule retention, Shredder shredder, TimeProvider clock, ProblemSet problems)
    {
        var ct = context.RequestAborted;
        if (context.Caller() is not { Role: Role } caller)
        {
            return problems.Of("not-a-records-officer", 403, "Only a records officer approves a shredding.");
        }

        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await Find(tx, id, ct) is not { } found)
        {
            return problems.Of("no-such-shredding", 404, "There is no shredding of this id.");
        }

        if (await ShreddingRules.Forbid(tx, found.Subject, retention, clock.GetUtcNow(), ct) is { } why)
        {
            await outbox.Append(tx, Event(caller, found.Subject, EventOutcome.Refused, why.Code), ct);
            await tx.CommitAsync(ct);
            return problems.Of(why.Code, 409, why.Detail);
        }

        if (await tx.Sql(Approve).With(id).With(caller.Subject).With(clock.GetUtcNow()).Execute(ct) != 1)
        {
            var same = string.Equals(found.RequestedBy, caller.Subject, StringComparison.Ordinal);
            return same
                ? problems.Of("same-person", 403, "Who asked for a shredding cannot approve it; a second records officer has to.")
                : problems.Of("already-approved", 409, $"The shredding is {found.State}.");
        }

        if (await outbox.Append(tx, Event(caller, found.Subject, EventOutcome.Success, "shredding-approved"), ct) is AppendOutcome.Refused(var unrecorded))
        {
            return problems.Of("not-recorded", 503, unrecorded.Detail);
        }

        await tx.CommitAsync(ct);
        shredder.Wake();
        return TypedResults.Accepted($"/shreddings/{id}", new ShreddingAnswer(id, "approved"));
    }

    private static async Task<Results<Ok<ShreddingAnswer>, ProblemHttpResult>> Get(Guid id, HttpContext context, NpgsqlDataSource db, ProblemSet problems)
    {
        if (context.Caller() is not { Role: Role })
        {
            return problems.Of("not-a-records-officer", 403, "Only a records officer sees shreddings.");
        }

        await using var connection = await db.OpenConnectionAsync(context.RequestAborted);
        await using var tx = await connection.BeginTransactionAsync(context.RequestAborted);
        return await Find(tx, id, context.RequestAborted) is { } found
            ? TypedResults.Ok(new ShreddingAnswer(id, found.State))
            : problems.Of("no-such-shredding", 404, "There is no shredding of this id.");
    }

    private static Task<Found?> Find(NpgsqlTransaction tx, Guid id, CancellationToken ct) => tx.Sql(Select).With(id).One(
        r => new Found(SubjectKey.FromBytes(r.GetString(0), r.GetFieldValue<byte[]>(1)), r.GetString(2), r.GetString(3)), ct);

    private static AuditEvent Event(Caller caller, SubjectKey subject, string outcome, string reason) => new()
    {
        Action = "KEY.destroy",
        Actor = new Actor(caller.Subject, caller.LoginCertificate, caller.Role, caller.Institution),
        Subjects = [subject],
        Outcome = outcome,
        Reason = reason,
        Correlation = caller.TokenId,
    };

    private sealed record Found(SubjectKey Subject, string State, string RequestedBy);
}

/// <summary>Asks that a subject's sealed detail be destroyed.</summary>
/// <param name="Kind">Kind of subject.</param>
/// <param name="Subject">Identifier, or a patient's key (base64url).</param>
/// <param name="Reason">Why.</param>
public sealed record ShreddingRequest(string Kind, string Subject, string Reason);

/// <summary>Where a shredding stands.</summary>
/// <param name="Id">Names it.</param>
/// <param name="State"><c>requested</c>, <c>approved</c>, <c>destroyed</c>, or <c>refused</c> after its approval.</param>
public sealed record ShreddingAnswer(Guid Id, string State);

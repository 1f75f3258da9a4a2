using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.AuditLedger.Retention;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.AuditLedger.Shredding;

/// <summary>A records officer asks that a subject's sealed detail be destroyed.</summary>
internal sealed class RequestShredding(NpgsqlDataSource db, Outbox outbox, RetentionSchedule retention, TimeProvider clock)
{
    private const string Insert = """
        INSERT INTO shreddings (id, kind, subject, reason, state, requested_by, requested_at) VALUES ($1, $2, $3, $4, 'requested', $5, $6)
        """;

    /// <summary>Answers the shredding, which waits for a second person.</summary>
    public async Task<Results<Accepted<ShreddingAnswer>, Refusal>> Handle(ShreddingRequest request, HttpContext context)
    {
        var ct = context.RequestAborted;
        if (SubjectText.TryRead(request.Kind, request.Subject) is not { } subject)
        {
            return LedgerRefusals.MalformedIdentifier;
        }

        if (request.Reason is not { Length: > 0 and <= 128 } reason || reason.Any(char.IsControl))
        {
            return LedgerRefusals.MalformedShredding;
        }

        if (context.Caller() is not { Role: Shreddings.Role } caller)
        {
            return LedgerRefusals.NotARecordsOfficer;
        }

        var now = clock.GetUtcNow();
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await ShreddingRules.Forbid(tx, subject, retention, now, ct) is { } forbidden)
        {
            await outbox.AppendUnrefused(tx, Shreddings.EventOf(caller, subject, EventOutcome.Refused, forbidden.Name), ct);
            await tx.CommitAsync(ct);
            return forbidden;
        }

        var id = Guid.CreateVersion7(now);
        await tx.Sql(Insert).With(id).With(subject.Kind).With(subject.Key.ToArray()).With(reason).With(caller.Subject).With(now).Execute(ct);
        await outbox.AppendUnrefused(tx, Shreddings.EventOf(caller, subject, EventOutcome.Success, "shredding-requested"), ct);
        await tx.CommitAsync(ct);
        return TypedResults.Accepted($"/shreddings/{id}", new ShreddingAnswer(id, "requested", []));
    }
}

/// <summary>Asks that a subject's sealed detail be destroyed.</summary>
/// <param name="Kind">Kind of subject.</param>
/// <param name="Subject">Identifier, or a patient's key (base64url).</param>
/// <param name="Reason">Why.</param>
public sealed record ShreddingRequest(string Kind, string Subject, string Reason);

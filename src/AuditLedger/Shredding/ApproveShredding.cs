using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.AuditLedger.Retention;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.AuditLedger.Shredding;

/// <summary>A second records officer approves a shredding, which is then carried out.</summary>
internal sealed class ApproveShredding(NpgsqlDataSource db, Outbox outbox, RetentionSchedule retention, Shredder shredder, TimeProvider clock)
{
    private const string Approve = """
        UPDATE shreddings SET state = 'approved', approved_by = $2, approved_at = $3 WHERE id = $1 AND state = 'requested' AND requested_by <> $2
        """;

    /// <summary>Answers the shredding, which is now carried out.</summary>
    public async Task<Results<Accepted<ShreddingAnswer>, Refusal>> Handle(Guid id, HttpContext context)
    {
        var ct = context.RequestAborted;
        if (context.Caller() is not { Role: Shreddings.Role } caller)
        {
            return LedgerRefusals.NotARecordsOfficer;
        }

        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await Shreddings.Find(tx, id, ct) is not { } found)
        {
            return LedgerRefusals.NoSuchShredding;
        }

        if (await ShreddingRules.Forbid(tx, found.Subject, retention, clock.GetUtcNow(), ct) is { } forbidden)
        {
            await outbox.AppendUnrefused(tx, Shreddings.EventOf(caller, found.Subject, EventOutcome.Refused, forbidden.Name), ct);
            await tx.CommitAsync(ct);
            return forbidden;
        }

        if (await tx.Sql(Approve).With(id).With(caller.Subject).With(clock.GetUtcNow()).Execute(ct) != 1)
        {
            return string.Equals(found.RequestedBy, caller.Subject, StringComparison.Ordinal)
                ? LedgerRefusals.SamePerson
                : LedgerRefusals.AlreadyApproved.With("state", found.State);
        }

        await outbox.AppendUnrefused(tx, Shreddings.EventOf(caller, found.Subject, EventOutcome.Success, "shredding-approved"), ct);
        await tx.CommitAsync(ct);
        shredder.Wake();
        return TypedResults.Accepted($"/shreddings/{id}", new ShreddingAnswer(id, "approved", []));
    }
}

using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.AuditLedger.Retention;

/// <summary>A regulator releases a hold.</summary>
internal sealed class ReleaseHold(NpgsqlDataSource db, Outbox outbox, TimeProvider clock)
{
    private const string Close = "UPDATE legal_holds SET released_by = $2, released_at = $3 WHERE id = $1 AND released_at IS NULL RETURNING kind, subject, case_number";

    /// <summary>Answers nothing but that it is done.</summary>
    public async Task<Results<NoContent, Refusal>> Handle(Guid id, HttpContext context)
    {
        var ct = context.RequestAborted;
        if (context.Caller() is not { Role: "regulator" } caller)
        {
            return LedgerRefusals.NotARegulator;
        }

        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        var closed = await tx.Sql(Close).With(id).With(caller.Subject).With(clock.GetUtcNow()).One(
            r => new { Subject = SubjectKey.FromBytes(r.GetString(0), r.GetFieldValue<byte[]>(1)), Case = r.GetString(2) }, ct);
        if (closed is null)
        {
            return LedgerRefusals.NoOpenHold;
        }

        if (await outbox.Append(tx, LegalHolds.EventOf("LEDGER.release", caller, closed.Subject, closed.Case), ct) is AppendOutcome.Refused(var why))
        {
            return CommonRefusals.From(why);
        }

        await tx.CommitAsync(ct);
        return TypedResults.NoContent();
    }
}

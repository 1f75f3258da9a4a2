using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.AuditLedger.Retention;

/// <summary>Regulators of the region that placed a hold release it: one asks, another confirms.</summary>
internal sealed class ReleaseHold(NpgsqlDataSource db, Outbox outbox, TimeProvider clock)
{
    private const string SelectOpen = """
        SELECT kind, subject, case_number, region, release_asked_by FROM legal_holds WHERE id = $1 AND released_at IS NULL FOR UPDATE
        """;

    private const string Ask = """
        UPDATE legal_holds SET release_asked_by = $2, release_asked_at = $3 WHERE id = $1 AND released_at IS NULL AND release_asked_by IS NULL
        """;

    private const string Close = """
        UPDATE legal_holds SET released_by = $2, released_at = $3 WHERE id = $1 AND released_at IS NULL AND release_asked_by <> $2
        """;

    /// <summary>Answers 202 to the one who asks, however often, and nothing but that it is done to the one who confirms.</summary>
    public async Task<Results<NoContent, Accepted, Refusal>> Handle(Guid id, HttpContext context)
    {
        var ct = context.RequestAborted;
        if (context.Caller() is not { Role: "regulator", Region: { } region } caller)
        {
            return LedgerRefusals.NotARegulator;
        }

        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        var hold = await tx.Sql(SelectOpen).With(id).One(
            r => new OpenHold(
                SubjectKey.FromBytes(r.GetString(0), r.GetFieldValue<byte[]>(1)), r.GetString(2), r.IsDBNull(3) ? null : r.GetString(3), r.IsDBNull(4) ? null : r.GetString(4)),
            ct);
        if (hold is null)
        {
            return LedgerRefusals.NoOpenHold;
        }

        if (hold.Region is not null && !string.Equals(hold.Region, region, StringComparison.Ordinal))
        {
            return LedgerRefusals.NotOwnHold;
        }

        if (string.Equals(hold.AskedBy, caller.Subject, StringComparison.Ordinal))
        {
            return TypedResults.Accepted((string?)null);
        }

        var act = hold.AskedBy is null ? tx.Sql(Ask) : tx.Sql(Close);
        await act.With(id).With(caller.Subject).With(clock.GetUtcNow()).Execute(ct);
        var e = LegalHolds.EventOf("LEDGER.release", caller, hold.Subject, hold.Case) with { Reason = hold.AskedBy is null ? "release-requested" : "released" };
        if (await outbox.Append(tx, e, ct) is AppendOutcome.Refused(var why))
        {
            return CommonRefusals.From(why);
        }

        await tx.CommitAsync(ct);
        return hold.AskedBy is null ? TypedResults.Accepted((string?)null) : TypedResults.NoContent();
    }

    private sealed record OpenHold(SubjectKey Subject, string Case, string? Region, string? AskedBy);
}

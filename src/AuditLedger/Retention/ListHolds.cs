using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;

namespace Trust.AuditLedger.Retention;

/// <summary>A regulator sees the open holds.</summary>
internal sealed class ListHolds(NpgsqlDataSource db)
{
    private const string SelectOpen = "SELECT id, kind, case_number, placed_at FROM legal_holds WHERE released_at IS NULL ORDER BY placed_at LIMIT 1000";

    /// <summary>Answers them, oldest first.</summary>
    public async Task<Results<Ok<IReadOnlyList<HoldAnswer>>, Refusal>> Handle(HttpContext context)
    {
        if (context.Caller() is not { Role: "regulator" })
        {
            return LedgerRefusals.NotARegulator;
        }

        return TypedResults.Ok<IReadOnlyList<HoldAnswer>>(await db.Sql(SelectOpen).All(
            r => new HoldAnswer(r.GetGuid(0), r.GetString(1), r.GetString(2), r.GetFieldValue<DateTimeOffset>(3)), context.RequestAborted));
    }
}

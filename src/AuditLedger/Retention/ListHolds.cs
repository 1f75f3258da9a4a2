using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;

namespace Trust.AuditLedger.Retention;

/// <summary>A regulator sees the open holds of the own region.</summary>
internal sealed class ListHolds(NpgsqlDataSource db)
{
    private const string SelectOpen = """
        SELECT id, kind, case_number, placed_at FROM legal_holds
        WHERE released_at IS NULL AND (placed_at, id) > ($1, $2) AND (region IS NULL OR region = $4)
        ORDER BY placed_at, id LIMIT $3
        """;

    /// <summary>Answers them, oldest first, a page at a time.</summary>
    public async Task<Results<Ok<IReadOnlyList<HoldAnswer>>, Refusal>> Handle(HttpContext context, string? after, int? limit, CancellationToken ct)
    {
        if (context.Caller() is not { Role: "regulator", Region: { } region })
        {
            return LedgerRefusals.NotARegulator;
        }

        if (Page.Of(after, limit) is not { } page)
        {
            return CommonRefusals.MalformedPage;
        }

        var holds = await db.Sql(SelectOpen).With(page.After.At).With(page.After.Id).With(page.Fetch).With(region)
            .All(r => new HoldAnswer(r.GetGuid(0), r.GetString(1), r.GetString(2), r.GetFieldValue<DateTimeOffset>(3)), ct);
        return TypedResults.Ok(page.Take(context, holds, hold => new Cursor(hold.PlacedAt, hold.Id)));
    }
}

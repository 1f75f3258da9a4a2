using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;

namespace Trust.CA.Registry;

/// <summary>An import that waited or waits for a second officer.</summary>
/// <param name="Id">Names it.</param>
/// <param name="Sha256">What the second officer confirms.</param>
/// <param name="State"><c>proposed</c>, <c>applied</c>, <c>withdrawn</c> or <c>expired</c>.</param>
/// <param name="Rows">How many rows it has.</param>
/// <param name="ProposedBy">The first officer.</param>
/// <param name="ProposedAt">When.</param>
/// <param name="ExpiresAt">After this instant it can be confirmed no more.</param>
/// <param name="ClosedBy">Who confirmed or withdrew it.</param>
/// <param name="ClosedAt">When.</param>
public sealed record ProposalSummary(
    Guid Id, string Sha256, string State, int Rows, string ProposedBy, DateTimeOffset ProposedAt, DateTimeOffset ExpiresAt,
    string? ClosedBy = null, DateTimeOffset? ClosedAt = null);

/// <summary><c>GET /registry/imports</c>: imports of two officers, oldest first, a page at a time.</summary>
internal sealed class ListImports(NpgsqlDataSource db)
{
    private const string Select = """
        SELECT id, sha256, state, rows, proposed_by, proposed_at, expires_at, closed_by, closed_at FROM import_proposals
        WHERE ($1 = '' OR state = $1) AND (proposed_at, id) > ($2, $3) ORDER BY proposed_at, id LIMIT $4
        """;
    private const string SelectOne = """
        SELECT id, sha256, state, rows, proposed_by, proposed_at, expires_at, closed_by, closed_at FROM import_proposals WHERE id = $1
        """;

    /// <summary>Lists.</summary>
    public async Task<Results<Ok<IReadOnlyList<ProposalSummary>>, Refusal>> Handle(HttpContext context, string? state, string? after, int? limit, CancellationToken ct)
    {
        if (state is not (null or "proposed" or "applied" or "withdrawn" or "expired"))
        {
            return CaRefusals.MalformedImportState;
        }

        if (Page.Of(after, limit) is not { } page)
        {
            return CommonRefusals.MalformedPage;
        }

        var proposals = await db.Sql(Select).With(state ?? "").With(page.After.At).With(page.After.Id).With(page.Fetch).All(Read, ct);
        return TypedResults.Ok(page.Take(context, proposals, p => new Cursor(p.ProposedAt, p.Id)));
    }

    /// <summary>One of them; null when there is none.</summary>
    public static Task<ProposalSummary?> Find(NpgsqlDataSource db, Guid id, CancellationToken ct) => db.Sql(SelectOne).With(id).One(Read, ct);

    private static ProposalSummary Read(NpgsqlDataReader r) => new(
        r.GetGuid(0), r.GetString(1), r.GetString(2), r.GetInt32(3), r.GetString(4), r.GetFieldValue<DateTimeOffset>(5),
        r.GetFieldValue<DateTimeOffset>(6), r.Nullable<string>(7), r.Nullable<DateTimeOffset?>(8));
}

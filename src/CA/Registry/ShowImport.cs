using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;

namespace Trust.CA.Registry;

/// <summary>A row of an import of two officers.</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Row">Position in its list of the import, from 0.</param>
/// <param name="Before">What the registry had when it was proposed; empty for someone new.</param>
/// <param name="After">What it has once confirmed.</param>
public sealed record ProposedRow(string Kind, int Row, RowFacts Before, RowFacts After);

/// <summary>An import with everything that the second officer confirms.</summary>
/// <param name="Proposal">Where it stands.</param>
/// <param name="Rows">Every row, before and after.</param>
/// <param name="Results">What became of each row, once confirmed.</param>
public sealed record ProposalView(ProposalSummary Proposal, IReadOnlyList<ProposedRow> Rows, IReadOnlyList<ImportResult>? Results = null);

/// <summary><c>GET /registry/imports/{id}</c>: every row, before and after.</summary>
internal sealed class ShowImport(NpgsqlDataSource db)
{
    private const string SelectRows = "SELECT kind, row, before, after FROM import_proposal_rows WHERE proposal = $1 ORDER BY position";
    private const string SelectResults = "SELECT results FROM import_proposals WHERE id = $1";

    /// <summary>Shows.</summary>
    public async Task<Results<Ok<ProposalView>, Refusal>> Handle(Guid id, CancellationToken ct)
    {
        if (await ListImports.Find(db, id, ct) is not { } proposal)
        {
            return CaRefusals.UnknownImport;
        }

        var rows = await db.Sql(SelectRows).With(id).All(r => new ProposedRow(r.GetString(0), r.GetInt32(1), Facts(r.GetString(2)), Facts(r.GetString(3))), ct);
        return TypedResults.Ok(new ProposalView(proposal, rows, (await Results(db, id, ct))?.Results));
    }

    /// <summary>The answer that a confirmation got; null before one.</summary>
    public static async Task<ImportResponse?> Results(NpgsqlDataSource db, Guid id, CancellationToken ct) =>
        await db.Sql(SelectResults).With(id).Scalar<string>(ct) is { } results ? JsonSerializer.Deserialize(results, CaJson.Default.ImportResponse) : null;

    private static RowFacts Facts(string text) => JsonSerializer.Deserialize(text, CaJson.Default.RowFacts)!;
}

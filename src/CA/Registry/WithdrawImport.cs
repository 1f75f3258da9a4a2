using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.CA.Officers;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.CA.Registry;

/// <summary>
/// <c>POST /registry/imports/{id}/withdrawals</c>: ends a proposal without giving anything; either the first officer takes it back or
/// another one turns it down.
/// </summary>
internal sealed class WithdrawImport(NpgsqlDataSource db, Outbox outbox, TimeProvider clock)
{
    private const string Close = """
        UPDATE import_proposals SET state = 'withdrawn', closed_by = $2, closed_at = $3 WHERE id = $1 AND state = 'proposed' RETURNING sha256
        """;

    /// <summary>Withdraws.</summary>
    public async Task<Results<Ok<ProposalSummary>, Refusal>> Handle(HttpContext context, Guid id)
    {
        var ct = context.RequestAborted;
        var officer = context.Officer();
        var now = Microseconds.Truncate(clock.GetUtcNow());
        await using (var connection = await db.OpenConnectionAsync(ct))
        {
            await using var tx = await connection.BeginTransactionAsync(ct);
            if (await tx.Sql(Close).With(id).With(officer.Person).With(now).Scalar<string>(ct) is { } sha256)
            {
                if (await outbox.Append(tx, ApplyDueChanges.Closed(officer.Actor, new ProposalMark(id, sha256, officer.Person), "import-withdrawn"), ct)
                    is AppendOutcome.Refused refused)
                {
                    return CommonRefusals.From(refused.Reason);
                }

                await tx.CommitAsync(CancellationToken.None);
            }
        }

        return await ListImports.Find(db, id, ct) switch
        {
            null => CaRefusals.UnknownImport,
            { State: "withdrawn", ClosedBy: var by } withdrawn when by == officer.Person => TypedResults.Ok(withdrawn),
            { State: var state } => CaRefusals.ImportClosed.With("state", state),
        };
    }
}

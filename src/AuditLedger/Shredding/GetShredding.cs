using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Hosting;

namespace Trust.AuditLedger.Shredding;

/// <summary>A records officer sees where a shredding stands.</summary>
internal sealed class GetShredding(NpgsqlDataSource db)
{
    /// <summary>Answers its state.</summary>
    public async Task<Results<Ok<ShreddingAnswer>, Refusal>> Handle(Guid id, HttpContext context)
    {
        if (context.Caller() is not { Role: Shreddings.Role })
        {
            return LedgerRefusals.NotARecordsOfficer;
        }

        await using var connection = await db.OpenConnectionAsync(context.RequestAborted);
        await using var tx = await connection.BeginTransactionAsync(context.RequestAborted);
        return await Shreddings.Find(tx, id, context.RequestAborted) is { } found
            ? TypedResults.Ok(new ShreddingAnswer(id, found.State, await ShreddingElsewhere.Steps(tx, id, context.RequestAborted)))
            : LedgerRefusals.NoSuchShredding;
    }
}

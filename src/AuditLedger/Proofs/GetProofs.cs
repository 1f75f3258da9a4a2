using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.AuditLedger.Entries;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;

namespace Trust.AuditLedger.Proofs;

/// <summary><c>GET /proofs/…</c>: hashes only, so anyone may ask.</summary>
internal static class GetProofs
{
    public static void Map(WebApplication app)
    {
        app.MapGet("/proofs/inclusion", Inclusion).AllowAnonymous();
        app.MapGet("/proofs/consistency", Consistency).AllowAnonymous();
    }

    private static async Task<Results<Ok<ProofAnswer>, ProblemHttpResult>> Inclusion(
        long index, long size, HttpContext context, Sequencer sequencer, NpgsqlDataSource db, ProblemSet problems)
    {
        if (sequencer.Published is not { } head)
        {
            return SubmitRefusal.Standby.ToProblem(problems, context);
        }

        if (index < 0 || index >= size || size > head.Checkpoint.Size)
        {
            return problems.Of("no-such-proof", 400, $"The index lies below the size, and the size is at most {head.Checkpoint.Size}.");
        }

        return Answer(await new TreeReader(db, head.Edge).Inclusion(index, size, context.RequestAborted));
    }

    private static async Task<Results<Ok<ProofAnswer>, ProblemHttpResult>> Consistency(
        long from, long to, HttpContext context, Sequencer sequencer, NpgsqlDataSource db, ProblemSet problems)
    {
        if (sequencer.Published is not { } head)
        {
            return SubmitRefusal.Standby.ToProblem(problems, context);
        }

        if (from < 0 || from > to || to > head.Checkpoint.Size)
        {
            return problems.Of("no-such-proof", 400, $"The first size is at most the second, the second at most {head.Checkpoint.Size}.");
        }

        return Answer(await new TreeReader(db, head.Edge).Consistency(from, to, context.RequestAborted));
    }

    private static Ok<ProofAnswer> Answer(List<byte[]> hashes) => TypedResults.Ok(new ProofAnswer([.. hashes.Select(h => Convert.ToBase64String(h))]));
}

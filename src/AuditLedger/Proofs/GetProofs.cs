using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Witnessing;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;

namespace Trust.AuditLedger.Proofs;

/// <summary><c>GET /proofs/…</c>: hashes only, so anyone may ask.</summary>
internal static class GetProofs
{
    public static void Map(WebApplication app)
    {
        app.MapGet("/proofs/tlog-proof", TlogProof).AllowAnonymous();
        app.MapGet("/proofs/inclusion", Inclusion).AllowAnonymous();
        app.MapGet("/proofs/consistency", Consistency).AllowAnonymous();
    }

    // C2SP tlog-proof: one file that proves an entry under the newest checkpoint anyone can see.
    private static async Task<Results<ContentHttpResult, ProblemHttpResult>> TlogProof(
        long index, HttpContext context, Sequencer sequencer, CosignatureRounds rounds, NpgsqlDataSource db, ProblemSet problems)
    {
        if (sequencer.Published is not { } head || rounds.Shown is not { } shown)
        {
            return SubmitRefusal.Standby.ToProblem(problems, context);
        }

        if (index < 0 || index >= shown.Checkpoint.Size)
        {
            return problems.Of("no-such-proof", 404, $"The latest checkpoint covers {shown.Checkpoint.Size} entries, counted from 0.");
        }

        var text = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"c2sp.org/tlog-proof@v1\nindex {index}\n"));
        foreach (var hash in await new TreeReader(db, head.Edge).Inclusion(index, shown.Checkpoint.Size, context.RequestAborted))
        {
            text.Append(Convert.ToBase64String(hash)).Append('\n');
        }

        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Text(text.Append('\n').Append(shown.Note).ToString(), "text/plain", Encoding.UTF8);
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

using Microsoft.AspNetCore.Http.HttpResults;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Witnessing;
using Trust.Kernel.Hosting;

namespace Trust.AuditLedger.Checkpoints;

/// <summary><c>GET /checkpoint</c>: the latest signed head, with the witnesses' lines where a quorum of them is configured; <c>GET /checkpoint/sm3</c>: the same tree under SM3, a moment later. For anyone.</summary>
internal static class GetCheckpoint
{
    public static void Map(WebApplication app)
    {
        app.MapGet("/checkpoint", Latest).AllowAnonymous();
        app.MapGet("/checkpoint/sm3", LatestSm3).AllowAnonymous();
    }

    private static Results<ContentHttpResult, ProblemHttpResult> Latest(HttpContext context, Sequencer sequencer, CosignatureRounds rounds, ProblemSet problems)
    {
        if (sequencer.Published is null)
        {
            return SubmitRefusal.Standby.ToProblem(problems, context);
        }

        if (rounds.Shown is { } shown)
        {
            return Note(context, shown.Note);
        }

        context.Response.Headers.RetryAfter = "1";
        return problems.Of("no-quorum", 503, "No quorum of witnesses has cosigned a checkpoint yet.");
    }

    private static Results<ContentHttpResult, ProblemHttpResult> LatestSm3(HttpContext context, Sm3Follower follower, ProblemSet problems) =>
        follower.Note is { } note
            ? Note(context, note)
            : problems.Of("no-sm3-checkpoint", 404, "This ledger has signed no SM3 root: it has no SM2 key, does not lead, or has just started.");

    private static ContentHttpResult Note(HttpContext context, string note)
    {
        // C2SP tlog-tiles: the one resource that changes is cached for seconds at most.
        context.Response.Headers.CacheControl = "public, max-age=1";
        return TypedResults.Text(note, "text/plain", System.Text.Encoding.UTF8);
    }
}

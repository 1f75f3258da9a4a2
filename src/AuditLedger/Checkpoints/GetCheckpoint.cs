using Microsoft.AspNetCore.Http.HttpResults;
using Trust.AuditLedger.Entries;
using Trust.Kernel.Hosting;

namespace Trust.AuditLedger.Checkpoints;

/// <summary><c>GET /checkpoint</c>: the latest signed head, for anyone.</summary>
internal static class GetCheckpoint
{
    public static void Map(WebApplication app) => app.MapGet("/checkpoint", Latest).AllowAnonymous();

    private static Results<ContentHttpResult, ProblemHttpResult> Latest(HttpContext context, Sequencer sequencer, ProblemSet problems) =>
        sequencer.Published is { } head ? Note(context, head.Note) : SubmitRefusal.Standby.ToProblem(problems, context);

    private static ContentHttpResult Note(HttpContext context, string note)
    {
        // C2SP tlog-tiles: the one resource that changes is cached for seconds at most.
        context.Response.Headers.CacheControl = "public, max-age=1";
        return TypedResults.Text(note, "text/plain", System.Text.Encoding.UTF8);
    }
}

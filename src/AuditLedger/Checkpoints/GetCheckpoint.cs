using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Witnessing;
using Trust.Kernel.Hosting;

namespace Trust.AuditLedger.Checkpoints;

/// <summary>The latest signed head, with the witnesses' lines where a quorum of them is configured; for anyone.</summary>
internal sealed class GetCheckpoint(Sequencer sequencer, CosignatureRounds rounds)
{
    /// <summary>Answers a signed note (C2SP tlog-checkpoint).</summary>
    public Results<ContentHttpResult, Refusal> Handle(HttpContext context)
    {
        if (sequencer.Published is null)
        {
            return SubmitRefusal.Standby.Answer(context);
        }

        if (rounds.Shown is { } shown)
        {
            return Note(context, shown.Note);
        }

        context.Response.Headers.RetryAfter = "1";
        return LedgerRefusals.NoQuorum;
    }

    /// <summary>A note as an answer.</summary>
    public static ContentHttpResult Note(HttpContext context, string note)
    {
        // C2SP tlog-tiles: the one resource that changes is cached for seconds at most.
        context.Response.Headers.CacheControl = "public, max-age=1";
        return TypedResults.Text(note, "text/plain", Encoding.UTF8);
    }
}

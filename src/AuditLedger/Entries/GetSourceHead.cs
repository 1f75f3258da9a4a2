using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;

namespace Trust.AuditLedger.Entries;

/// <summary>A source asks where its own chain stands.</summary>
internal sealed class GetSourceHead(Sequencer sequencer)
{
    /// <summary>Answers the head.</summary>
    public Results<Ok<SourceHead>, Refusal> Handle(string name, HttpContext context)
    {
        if (!string.Equals(context.Peer(), name, StringComparison.Ordinal))
        {
            return LedgerRefusals.NotOwnSource;
        }

        return sequencer.HeadOf(name) is { } head ? TypedResults.Ok(head) : SubmitRefusal.Standby.Answer(context);
    }
}

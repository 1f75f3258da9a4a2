using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Hosting;

namespace Trust.AuditLedger.Checkpoints;

/// <summary>The signed head of the same entries under SM3, a moment later; for anyone.</summary>
internal sealed class GetSm3Checkpoint(Sm3Follower follower)
{
    /// <summary>Answers a signed note.</summary>
    public Results<ContentHttpResult, Refusal> Handle(HttpContext context) =>
        follower.Note is { } note ? GetCheckpoint.Note(context, note) : LedgerRefusals.NoSm3Checkpoint;
}

using System.Buffers;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.AuditLedger.Entries;

/// <summary>A source's relay takes over the source's own chain: it names the head it knows, and what an earlier relay still sends is refused from then on.</summary>
internal sealed class OpenEpoch(Sequencer sequencer)
{
    /// <summary>Answers the head with the epoch that was opened.</summary>
    public async Task<Results<Ok<SourceHead>, Refusal>> Handle(string name, OpenEpochRequest request, HttpContext context)
    {
        if (!string.Equals(context.Peer(), name, StringComparison.Ordinal))
        {
            return LedgerRefusals.NotOwnSource;
        }

        var hash = new byte[Envelope.HashSize];
        if (request.Hash.Length != 2 * Envelope.HashSize
            || Convert.FromHexString(request.Hash, hash, out _, out _) != OperationStatus.Done)
        {
            return LedgerRefusals.MalformedHash;
        }

        return await sequencer.Submit(new Submission.OpenEpoch(name, hash)) switch
        {
            SubmitOutcome.Opened(var head) => TypedResults.Ok(head),
            SubmitOutcome.Refused(var why) => why.Answer(context),
            var other => throw new InvalidOperationException($"The opening of an epoch was answered {other}."),
        };
    }
}

using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.AuditLedger.Entries;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;

namespace Trust.AuditLedger.Proofs;

/// <summary>Proves that the tree of one size extends that of another (RFC 6962 2.1.2). Hashes only, so anyone may ask.</summary>
internal sealed class GetConsistencyProof(Sequencer sequencer, NpgsqlDataSource db, ReaderGate gate)
{
    /// <summary>Answers the hashes.</summary>
    public async Task<Results<Ok<ProofAnswer>, Refusal>> Handle(long from, long to, HttpContext context)
    {
        if (sequencer.Published is not { } head)
        {
            return SubmitRefusal.Standby.Answer(context);
        }

        return from < 0 || from > to || to > head.Checkpoint.Size
            ? LedgerRefusals.NoSuchProof.With("size", head.Checkpoint.Size)
            : GetInclusionProof.Answer(await gate.Read(() => new TreeReader(db, head.Edge).Consistency(from, to, context.RequestAborted), context.RequestAborted));
    }
}

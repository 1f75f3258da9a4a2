using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.AuditLedger.Entries;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;

namespace Trust.AuditLedger.Proofs;

/// <summary>Proves that an entry stands in the tree of a size (RFC 6962 2.1.1). Hashes only, so anyone may ask.</summary>
internal sealed class GetInclusionProof(Sequencer sequencer, NpgsqlDataSource db, ReaderGate gate)
{
    /// <summary>Answers the hashes from leaf to root.</summary>
    public async Task<Results<Ok<ProofAnswer>, Refusal>> Handle(long index, long size, HttpContext context)
    {
        if (sequencer.Published is not { } head)
        {
            return SubmitRefusal.Standby.Answer(context);
        }

        return index < 0 || index >= size || size > head.Checkpoint.Size
            ? LedgerRefusals.NoSuchProof.With("size", head.Checkpoint.Size)
            : Answer(await gate.Read(() => new TreeReader(db, head.Edge).Inclusion(index, size, context.RequestAborted), context.RequestAborted));
    }

    /// <summary>Hashes as an answer.</summary>
    public static Ok<ProofAnswer> Answer(List<byte[]> hashes) => TypedResults.Ok(new ProofAnswer([.. hashes.Select(Convert.ToBase64String)]));
}

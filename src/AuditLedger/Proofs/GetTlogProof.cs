using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Witnessing;
using Trust.Kernel.Hosting;

namespace Trust.AuditLedger.Proofs;

/// <summary>One file that proves an entry under the newest checkpoint anyone can see (C2SP tlog-proof). Hashes only, so anyone may ask.</summary>
internal sealed class GetTlogProof(Sequencer sequencer, CosignatureRounds rounds, NpgsqlDataSource db, ReaderGate gate)
{
    /// <summary>Answers the file.</summary>
    public async Task<Results<ContentHttpResult, Refusal>> Handle(long index, HttpContext context)
    {
        if (sequencer.Published is not { } head || rounds.Shown is not { } shown)
        {
            return SubmitRefusal.Standby.Answer(context);
        }

        if (index < 0 || index >= shown.Checkpoint.Size)
        {
            return LedgerRefusals.NotCovered.With("size", shown.Checkpoint.Size);
        }

        var text = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"c2sp.org/tlog-proof@v1\nindex {index}\n"));
        foreach (var hash in await gate.Read(() => new TreeReader(db, head.Edge).Inclusion(index, shown.Checkpoint.Size, context.RequestAborted), context.RequestAborted))
        {
            text.Append(Convert.ToBase64String(hash)).Append('\n');
        }

        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Text(text.Append('\n').Append(shown.Note).ToString(), "text/plain", Encoding.UTF8);
    }
}

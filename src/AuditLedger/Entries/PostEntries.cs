using Microsoft.AspNetCore.Http.HttpResults;
using Trust.AuditLedger.Intake;
using Trust.AuditLedger.Shredding;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.AuditLedger.Entries;

/// <summary>Takes a signed batch of one source, idempotent by (source, epoch, seq).</summary>
internal sealed class PostEntries(Sources sources, Admission admission, Sequencer sequencer, SubjectKeyVault vault, ILogger<PostEntries> log)
{
    /// <summary>Answers the receipts (docs/LEDGER-FORMAT.md §6).</summary>
    public async Task<Results<FileContentHttpResult, Refusal>> Handle(HttpContext context)
    {
        var name = context.Peer();
        if (sources.Find(name) is not { } source)
        {
            return LedgerRefusals.SourceUnknown.With("source", name);
        }

        if (admission.TryEnter(context.Request.ContentLength ?? 0, out var refusal) is not { } pass)
        {
            return refusal.Answer(context);
        }

        using var inside = pass;
        var bytes = await Read(context);
        if (bytes is null || BatchFrame.TryRead(bytes) is not { } frame)
        {
            return LedgerRefusals.MalformedBatch;
        }

        switch (BatchJudge.Judge(source, frame))
        {
            case Judgement.BadEvent(var position, var reason):
                LedgerLog.EventRefused(log, position, name, reason);
                return LedgerRefusals.EventRefused.With("position", position).With("reason", reason);
            case Judgement.Good(var batch):
                await SealKeys(batch, context.RequestAborted);
                return await sequencer.Submit(new Submission.Append(batch)) switch
                {
                    SubmitOutcome.Sequenced(var answer) => TypedResults.File(answer.Write(), "application/octet-stream"),
                    SubmitOutcome.Refused(var why) => why.Answer(context),
                    var other => throw new InvalidOperationException($"A batch was answered {other}."),
                };
            default:
                LedgerLog.BadSignature(log, name);
                return LedgerRefusals.BatchSignature;
        }
    }

    // A data key is stored only under the key of its subject, so that destroying that one shreds the detail.
    private async Task SealKeys(JudgedBatch batch, CancellationToken ct)
    {
        for (var i = 0; i < batch.Events.Length; i++)
        {
            var e = batch.Events[i];
            if (!e.DataKey.IsEmpty)
            {
                batch.Events[i] = e with { DataKey = await vault.Seal(e.Body, e.BodyHash, e.DataKey, ct) };
            }
        }
    }

    private static async Task<byte[]?> Read(HttpContext context)
    {
        if (context.Request.ContentLength is not ({ } length and > 0 and <= BatchFrame.MaxBytes))
        {
            return null;
        }

        var bytes = GC.AllocateUninitializedArray<byte>((int)length);
        await context.Request.Body.ReadExactlyAsync(bytes, context.RequestAborted);
        return bytes;
    }
}

using Microsoft.AspNetCore.Http.HttpResults;
using Trust.AuditLedger.Intake;
using Trust.AuditLedger.Shredding;
using Trust.Kernel.Hosting;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Entries;

/// <summary>Takes a signed batch of one source, idempotent by (source, epoch, seq).</summary>
internal sealed class PostEntries(Sources sources, Admission admission, Sequencer sequencer, SubjectKeyVault vault, ILogger<PostEntries> log)
{
    // Once more after a shredding; what is refused again lies under a key whose fate is just being decided, and its producer sends it again.
    private const int Attempts = 2;

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
                return await Submit(batch, context.RequestAborted) switch
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

    // A key from memory that another instance has shredded is known as such by the sequencer, in the transaction that would store what lies under it.
    private async Task<SubmitOutcome> Submit(JudgedBatch batch, CancellationToken ct)
    {
        for (var left = Attempts - 1; ; left--)
        {
            await SealKeys(batch, ct);
            var outcome = await sequencer.Submit(new Submission.Append(batch));
            if (outcome is not SubmitOutcome.Refused(SubmitRefusal.KeyGone) || left == 0)
            {
                return outcome;
            }

            foreach (var subject in batch.KeyedSubjects)
            {
                vault.Forget(SubjectKey.FromBytes("subject", subject));
            }
        }
    }

    // A data key is stored only under the key of its subject, so that destroying that one shreds the detail.
    private async Task SealKeys(JudgedBatch batch, CancellationToken ct)
    {
        for (var i = 0; i < batch.Events.Length; i++)
        {
            if (batch.Frame.Events[i].DataKey is { IsEmpty: false } dataKey)
            {
                var e = batch.Events[i];
                var (bytes, under) = await vault.Seal(e.Body, e.BodyHash, dataKey, ct);
                batch.Events[i] = e with { DataKey = bytes, Under = under };
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

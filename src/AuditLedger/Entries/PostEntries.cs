using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Trust.AuditLedger.Intake;
using Trust.AuditLedger.Shredding;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.AuditLedger.Entries;

/// <summary><c>POST /entries</c>: a signed batch of one source, idempotent by (source, epoch, seq).</summary>
internal static class PostEntries
{
    public static void Map(WebApplication app, IReadOnlyList<string> sources) =>
        app.MapPost("/entries", Handle).RequirePeer([.. sources]).WithMetadata(new RequestSizeLimitAttribute(BatchFrame.MaxBytes));

    private static async Task<Results<FileContentHttpResult, ProblemHttpResult>> Handle(
        HttpContext context, Sources sources, Admission admission, Sequencer sequencer, SubjectKeyVault vault, ProblemSet problems, ILogger<Sequencer> log)
    {
        var name = context.Peer();
        if (sources.Find(name) is not { } source)
        {
            return problems.Of("source-unknown", 403, $"'{name}' is not a declared source.");
        }

        if (admission.TryEnter(context.Request.ContentLength ?? 0, out var refusal) is not { } pass)
        {
            return refusal.ToProblem(problems, context);
        }

        using var inside = pass;
        var bytes = await Read(context);
        if (bytes is null || BatchFrame.TryRead(bytes) is not { } frame)
        {
            return problems.Of("malformed-batch", 400, "The body is not one batch (docs/LEDGER-FORMAT.md §5).");
        }

        switch (BatchJudge.Judge(source, frame))
        {
            case Judgement.BadEvent(var position, var reason):
                LedgerLog.EventRefused(log, position, name, reason);
                return problems.Of("event-refused", 422, "An event breaks a rule; nothing of the batch was taken.",
                    new Dictionary<string, object?>(StringComparer.Ordinal) { ["position"] = position, ["reason"] = reason });
            case Judgement.Good(var batch):
                await SealKeys(batch, vault, context.RequestAborted);
                return await sequencer.Submit(new Submission.Append(batch)) switch
                {
                    SubmitOutcome.Sequenced(var answer) => TypedResults.File(answer.Write(), "application/octet-stream"),
                    SubmitOutcome.Refused(var why) => why.ToProblem(problems, context),
                    var other => throw new InvalidOperationException($"A batch was answered {other}."),
                };
            default:
                LedgerLog.BadSignature(log, name);
                return problems.Of("batch-signature", 403, "The batch is not signed by the source's registered batch key.");
        }
    }

    // A data key is stored only under the key of its subject, so that destroying that one shreds the detail.
    private static async Task SealKeys(JudgedBatch batch, SubjectKeyVault vault, CancellationToken ct)
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

/// <summary>Sequencer refusals as problem documents.</summary>
internal static class SubmitRefusalProblems
{
    public static ProblemHttpResult ToProblem(this SubmitRefusal why, ProblemSet problems, HttpContext context)
    {
        var (name, status, detail) = why switch
        {
            SubmitRefusal.EpochStale => ("epoch-stale", 409, "A later epoch of this source is open."),
            SubmitRefusal.HeadMoved => ("head-moved", 409, "The batch does not follow the source's head."),
            SubmitRefusal.BodyDiffers => ("body-differs", 409, "The ledger holds another body at this place."),
            SubmitRefusal.CeremonyPending => ("ceremony-pending", 503, "The log begins with the key ceremony's event; it is not there yet."),
            SubmitRefusal.Standby => ("standby", 503, "Another process sequences."),
            SubmitRefusal.Busy => ("busy", 503, "Too much is waiting to be sequenced."),
            SubmitRefusal.DiskLow => ("disk-low", 503, "A volume of the ledger is nearly full; nothing is taken until there is room."),
            SubmitRefusal.NotAnchored => ("not-anchored", 503, "No outside authority has stamped the log for too long; nothing is taken until one does."),
            _ => ("unknown", 503, "Whether the batch took effect is unknown; send it again."),
        };
        if (status == 503)
        {
            context.Response.Headers.RetryAfter = why is SubmitRefusal.DiskLow or SubmitRefusal.NotAnchored ? "30" : "1";
        }

        return problems.Of(name, status, detail);
    }
}

using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.AuditLedger.Evidence;

/// <summary>
/// All events on one subject in a period, with the proof that none is missing. The query is an event itself, confirmed before anything leaves;
/// who is refused leaves an event too.
/// </summary>
internal sealed class GetEvidence(EvidenceMaker maker, Outbox outbox, NpgsqlDataSource db)
{
    /// <summary>Answers a file (docs/LEDGER-FORMAT.md §9).</summary>
    public async Task<Results<FileContentHttpResult, Refusal>> Handle(
        string kind, string subject, string? from, string? to, long? size, string? caseNumber, HttpContext context)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (Question.TryRead(kind, subject, from, to, size, caseNumber) is not { } question)
        {
            return LedgerRefusals.MalformedQuestion;
        }

        var caller = context.Caller();
        if (caller is not { Role: "regulator", Region: { } region })
        {
            await RecordRefusal(caller, question, "not-a-regulator", context.RequestAborted);
            return LedgerRefusals.NotARegulator;
        }

        var outcome = await maker.Make(question, caller, region, context.RequestAborted);
        if (outcome is EvidenceOutcome.TooMuch)
        {
            // That a subject has so many events is an answer too.
            await RecordRefusal(caller, question, "too-much-recorded", context.RequestAborted);
        }

        return outcome switch
        {
            EvidenceOutcome.Made(var bytes) => TypedResults.File(bytes, "application/json"),
            EvidenceOutcome.NoSuchTree(var newest) => LedgerRefusals.NoSuchTree.With("size", newest),
            EvidenceOutcome.TooMuch(var most) => LedgerRefusals.TooMuchRecorded.With("events", most.MaxEvents).With("hashes", most.MaxBatchHashes),
            EvidenceOutcome.NotRecorded(var why) => why,
            EvidenceOutcome.NotWitnessed => LedgerRefusals.WitnessesAway,
            EvidenceOutcome.SignaturesAway => LedgerRefusals.SignaturesUnavailable,
            EvidenceOutcome.Standby => LedgerRefusals.Standby,
            var other => throw new InvalidOperationException($"Unknown outcome {other}."),
        };
    }

    private async Task RecordRefusal(Caller caller, Question question, string reason, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await outbox.AppendUnrefused(tx, EvidenceMaker.QueryEvent(caller, question, EventOutcome.Refused, basis: null) with { Reason = reason }, ct);
        await tx.CommitAsync(ct);
    }
}

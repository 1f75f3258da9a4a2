using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;
using Trust.LogFormat;

namespace Trust.AuditLedger.Evidence;

/// <summary>
/// All events on one subject in a period, with the proof that none is missing. The query is an event itself, confirmed before anything leaves;
/// who is refused leaves an event too.
/// </summary>
internal sealed class GetEvidence(EvidenceMaker maker, EvidenceDesk desk, Outbox outbox, NpgsqlDataSource db, ResidencyGate residency)
{
    private const int MaxNamed = 64;

    private static readonly string[] Parameters = ["from", "to", "size", "caseNumber"];

    /// <summary>Answers a file (docs/LEDGER-FORMAT.md §9).</summary>
    public async Task<Results<FileContentHttpResult, Refusal>> Handle(
        string kind, string subject, string? from, string? to, long? size, string? caseNumber, HttpContext context)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (context.Request.Query.Keys.FirstOrDefault(name => !Parameters.Contains(name, StringComparer.Ordinal)) is { } unknown)
        {
            // A misspelt parameter would ask another question.
            return LedgerRefusals.UnknownParameter.With("parameter", unknown.Length > MaxNamed ? unknown[..MaxNamed] : unknown);
        }

        if (context.Request.Query.FirstOrDefault(parameter => parameter.Value.Count != 1).Key is { } twice)
        {
            return LedgerRefusals.MalformedQuestion.With("member", twice);
        }

        if (Question.TryRead(kind, subject, from, to, size, caseNumber, out var wrong) is not { } question)
        {
            return wrong is "subject" ? LedgerRefusals.MalformedIdentifier : LedgerRefusals.MalformedQuestion.With("member", wrong);
        }

        var caller = context.Caller();
        if (caller is not { Role: "regulator", Region: { } region })
        {
            await RecordRefusal(caller, question, "not-a-regulator", context.RequestAborted);
            return LedgerRefusals.NotARegulator;
        }

        if (kind is "prescription" && Guid.TryParse(subject, out var record) && residency.KeeperElsewhere(record) is { } keeper)
        {
            // Zero events would be true and misleading: the log of the other region has them.
            await RecordRefusal(caller, question, CommonRefusals.KeptElsewhere.Name, context.RequestAborted);
            return CommonRefusals.KeptBy(keeper, "ledger");
        }

        using var pass = desk.TryEnter();
        if (pass is null)
        {
            context.Response.Headers.RetryAfter = "5";
            return LedgerRefusals.EvidenceBusy;
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
            EvidenceOutcome.TooMuch(var most) => LedgerRefusals.TooMuchRecorded.With("events", most.MaxEvents).With("hashes", most.MaxBatchHashes).With("bytes", most.MaxBytes),
            EvidenceOutcome.NotRecorded(var why) => why,
            EvidenceOutcome.Damaged(var index) => LedgerRefusals.EntryDamaged.With("index", index),
            EvidenceOutcome.NotWitnessed => LedgerRefusals.WitnessesAway,
            EvidenceOutcome.SignaturesAway => LedgerRefusals.SignaturesUnavailable,
            EvidenceOutcome.ActorsUnknown => LedgerRefusals.ActorsUnknown,
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

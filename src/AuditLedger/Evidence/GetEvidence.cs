using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.AuditLedger.Evidence;

/// <summary>
/// <c>GET /evidence/{kind}/{subject}</c>: all events on one subject in a period, with the proof that none is missing. The query is an event
/// itself, confirmed before anything leaves; who is refused leaves an event too.
/// </summary>
internal static class GetEvidence
{
    public static void Map(WebApplication app) => app.MapGet("/evidence/{kind}/{subject}", Handle).RequireScope("audit.read");

    private static async Task<Results<FileContentHttpResult, ProblemHttpResult>> Handle(
        string kind, string subject, string? from, string? to, long? size, string? caseNumber, HttpContext context, EvidenceMaker maker, Outbox outbox,
        Npgsql.NpgsqlDataSource db, ProblemSet problems)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (Question.TryRead(kind, subject, from, to, size, caseNumber, out var why) is not { } question)
        {
            return problems.Of("malformed-question", 400, why);
        }

        var caller = context.Caller();
        if (caller is not { Role: "regulator", Region: { } region })
        {
            await RecordRefusal(db, outbox, caller, question, "not-a-regulator", context.RequestAborted);
            return problems.Of("not-a-regulator", 403, "Evidence is given to a regulator, for its own region.");
        }

        var outcome = await maker.Make(question, caller, region, context.RequestAborted);
        if (outcome is EvidenceOutcome.TooMuch)
        {
            // That a subject has so many events is an answer too.
            await RecordRefusal(db, outbox, caller, question, "too-much-recorded", context.RequestAborted);
        }

        return Answer(outcome, problems);
    }

    private static Results<FileContentHttpResult, ProblemHttpResult> Answer(EvidenceOutcome outcome, ProblemSet problems) =>
        outcome switch
        {
            EvidenceOutcome.Made(var bytes) => TypedResults.File(bytes, "application/json"),
            EvidenceOutcome.NoSuchTree(var newest) => problems.Of("no-such-tree", 400, $"No checkpoint of this size was published; the newest has {newest} entries."),
            EvidenceOutcome.TooMuch(var most) => problems.Of(
                "too-much-recorded", 413,
                $"More than {most.MaxEvents} events, or more than {most.MaxBatchHashes} hashes of the batches they came in; ask for a shorter period."),
            EvidenceOutcome.NotRecorded => problems.Of("query-not-recorded", 503, "The query could not be recorded, so it is not answered. Ask again."),
            EvidenceOutcome.NotWitnessed => problems.Of("witnesses-away", 503, "Too few witnesses have rebuilt the log and cosigned it, so completeness cannot be shown. Ask again."),
            EvidenceOutcome.SignaturesAway => problems.Of("signatures-unavailable", 503, "The signing service does not answer; evidence without signatures would be partial."),
            EvidenceOutcome.Standby => problems.Of("standby", 503, "Another process sequences."),
            var other => throw new InvalidOperationException($"Unknown outcome {other}."),
        };

    private static async Task RecordRefusal(Npgsql.NpgsqlDataSource db, Outbox outbox, Caller caller, Question question, string reason, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await outbox.Append(tx, EvidenceMaker.QueryEvent(caller, question, EventOutcome.Refused, basis: null) with { Reason = reason }, ct);
        await tx.CommitAsync(ct);
    }
}

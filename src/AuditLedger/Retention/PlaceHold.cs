using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;

namespace Trust.AuditLedger.Retention;

/// <summary>A regulator places a hold.</summary>
internal sealed class PlaceHold(NpgsqlDataSource db, Outbox outbox, TimeProvider clock)
{
    private const string Insert =
        "INSERT INTO legal_holds (id, kind, subject, case_number, placed_by, placed_at, region) VALUES ($1, $2, $3, $4, $5, $6, $7)";

    /// <summary>Answers the hold.</summary>
    public async Task<Results<Created<HoldAnswer>, Refusal>> Handle(HoldRequest request, HttpContext context)
    {
        var ct = context.RequestAborted;
        if (SubjectText.TryRead(request.Kind, request.Subject) is not { } subject)
        {
            return LedgerRefusals.MalformedIdentifier;
        }

        if (!CaseNumber.IsValid(request.CaseNumber))
        {
            return LedgerRefusals.MalformedHold;
        }

        if (context.Caller() is not { Role: "regulator", Region: { } region } caller)
        {
            return LedgerRefusals.NotARegulator;
        }

        var now = clock.GetUtcNow();
        var id = Guid.CreateVersion7(now);
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await tx.Sql(Insert).With(id).With(subject.Kind).With(subject.Key.ToArray()).With(request.CaseNumber).With(caller.Subject).With(now).With(region).Execute(ct);
        if (await outbox.Append(tx, LegalHolds.EventOf("LEDGER.hold", caller, subject, request.CaseNumber), ct) is AppendOutcome.Refused(var why))
        {
            return CommonRefusals.From(why);
        }

        await tx.CommitAsync(ct);
        return TypedResults.Created($"/holds/{id}", new HoldAnswer(id, subject.Kind, request.CaseNumber, now));
    }
}

/// <summary>Asks for a hold.</summary>
/// <param name="Kind">Kind of subject.</param>
/// <param name="Subject">Identifier, or a patient's key (base64url).</param>
/// <param name="CaseNumber">Case that needs the evidence.</param>
public sealed record HoldRequest(string Kind, string Subject, string CaseNumber);

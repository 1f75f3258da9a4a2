using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.LogFormat;
using Trust.SignService.Signatures;

namespace Trust.SignService.Prescriptions;

/// <summary>
/// <c>GET /prescriptions/{id}</c> for the prescribing institution and the pharmacy that claimed it, and <c>…/evidence</c> for the ledger.
/// A disclosure is announced to the ledger before the answer leaves.
/// </summary>
public static class ReadPrescription
{
    /// <summary>Maps the endpoints.</summary>
    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapGet("/prescriptions/{id:guid}", Handle).RequireScope("rx.read");
        app.MapGet("/prescriptions/{id:guid}/evidence", Evidence).RequirePeer("ledger");
    }

    private static async Task<Results<Ok<PrescriptionResponse>, ProblemHttpResult>> Handle(
        Guid id, HttpContext context, PrescriptionStore store, SignatureStore signatures, NpgsqlDataSource db, Outbox outbox, ProblemSet problems)
    {
        var ct = context.RequestAborted;
        var caller = context.Caller();
        var row = await store.Find(id, ct);
        if (row is null || caller.Institution is not { } institution || !MaySee(row, caller, institution))
        {
            return Refusal.NotFound.ToProblem(problems);
        }

        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        var actor = new Actor(caller.Subject, caller.LoginCertificate, caller.Role, institution);
        switch (await outbox.AppendConfirmed(tx, PrescriptionEvents.Of("REC.read", row, actor), ct))
        {
            case ConfirmOutcome.Confirmed:
                return TypedResults.Ok(new PrescriptionResponse(
                    row.Id, row.Number, row.Status, row.ValidUntil, row.Payload, row.ReturnReason, await Signatures(signatures, id, ct)));
            case ConfirmOutcome.Refused refused:
                return Refusal.From(refused.Reason).ToProblem(problems);
            default:
                return Refusal.Unavailable("ledger-unconfirmed", "The audit ledger has not confirmed this disclosure; try again.").ToProblem(problems);
        }
    }

    // Within an institution employment is not enough (docs/RULES.md §7): the author, its pharmacists, and its own system acting for them.
    private static bool MaySee(PrescriptionRow row, Caller caller, string institution) =>
        string.Equals(row.ClaimedBy, institution, StringComparison.Ordinal)
        || (string.Equals(row.Institution, institution, StringComparison.Ordinal)
            && (string.Equals(row.Author, caller.Subject, StringComparison.Ordinal)
                || caller.Role is "pharmacist" or "retail-pharmacist"
                || !caller.Subject.StartsWith("urn:mdid:p:", StringComparison.Ordinal)));

    // The ledger announces the regulator's query itself, before it asks here.
    private static async Task<Results<Ok<PrescriptionEvidence>, ProblemHttpResult>> Evidence(
        Guid id, HttpContext context, PrescriptionStore store, SignatureStore signatures, ProblemSet problems)
    {
        var ct = context.RequestAborted;
        return await store.Find(id, ct) is { } row
            ? TypedResults.Ok(new PrescriptionEvidence(row.Id, row.Payload, await Signatures(signatures, id, ct)))
            : Refusal.NotFound.ToProblem(problems);
    }

    private static async Task<List<SignatureEvidence>> Signatures(SignatureStore signatures, Guid id, CancellationToken ct) =>
        [.. (await signatures.Done(id, ct)).Select(s => new SignatureEvidence(
            s.Kind.Name(), s.Protected, s.Signature!, s.Certificates, s.TimeStamp!, s.Payload))];
}

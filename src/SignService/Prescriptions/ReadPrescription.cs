using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.SignService.Signatures;

namespace Trust.SignService.Prescriptions;

/// <summary>A prescription as its institution or pharmacy sees it.</summary>
/// <param name="Id">Identifier.</param>
/// <param name="Number">Number.</param>
/// <param name="Status">State.</param>
/// <param name="ValidUntil">First instant at which it is not valid.</param>
/// <param name="Payload">base64 of the signed document.</param>
/// <param name="ReturnReason">Why it was returned.</param>
/// <param name="Signatures">Released signatures in order.</param>
public sealed record PrescriptionResponse(
    Guid Id, string Number, string Status, DateTimeOffset ValidUntil, byte[] Payload,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? ReturnReason, IReadOnlyList<SignatureEvidence> Signatures);

/// <summary>A prescription's signed material, as it goes into evidence.</summary>
/// <param name="Prescription">Identifier.</param>
/// <param name="Payload">base64 of the signed document.</param>
/// <param name="Signatures">Released signatures in order.</param>
public sealed record PrescriptionEvidence(Guid Prescription, byte[] Payload, IReadOnlyList<SignatureEvidence> Signatures);

/// <summary>
/// Discloses a prescription: to the prescribing institution and the pharmacy that claimed it, announced to the ledger before the answer
/// leaves; and as evidence to the ledger, which announces the regulator's query itself before it asks here.
/// </summary>
internal sealed class ReadPrescription(
    PrescriptionStore store, SignatureStore signatures, ClinicalText texts, SystemStanding standing, NpgsqlDataSource db, Outbox outbox)
{
    /// <summary>The prescription with its state.</summary>
    public async Task<Results<Ok<PrescriptionResponse>, Refusal>> Handle(Guid id, HttpContext context)
    {
        var ct = context.RequestAborted;
        var caller = context.Caller();
        var row = await store.Find(id, ct);
        if (row is null || caller.ActsFor is not { } institution || !MaySee(row, caller, institution))
        {
            return SignRefusals.NotFound;
        }

        if (await standing.Judge(caller, ct) is { } fallen)
        {
            return fallen;
        }

        if (await texts.Payload(row, ct) is not { } payload)
        {
            return SignRefusals.Shredded;
        }

        var reason = await texts.ReturnReason(row, ct);
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        return await outbox.AppendConfirmed(tx, PrescriptionEvents.Of("REC.read", row, caller.AsActor()), ct) switch
        {
            ConfirmOutcome.Confirmed => TypedResults.Ok(new PrescriptionResponse(
                row.Id, row.Number, row.Status, row.ValidUntil, payload, reason, await Released(id, ct))),
            ConfirmOutcome.Refused refused => CommonRefusals.From(refused.Reason),
            _ => SignRefusals.LedgerUnconfirmed,
        };
    }

    /// <summary>Its signed material, for the ledger's evidence file.</summary>
    public async Task<Results<Ok<PrescriptionEvidence>, Refusal>> Evidence(Guid id, CancellationToken ct) =>
        await store.Find(id, ct) is not { } row ? SignRefusals.NotFound
        : await texts.Payload(row, ct) is { } payload ? TypedResults.Ok(new PrescriptionEvidence(row.Id, payload, await Released(id, ct)))
        : SignRefusals.Shredded;

    // Within an institution employment is not enough (docs/RULES.md §7): the author, its pharmacists, and its own system acting for them.
    private static bool MaySee(PrescriptionRow row, Caller caller, InstitutionId institution) =>
        row.ClaimedBy == institution
        || (row.Institution == institution
            && (caller.Person is not { } person || row.Author == person || caller.Role is "pharmacist" or "retail-pharmacist"));

    private async Task<List<SignatureEvidence>> Released(Guid id, CancellationToken ct) =>
        [.. (await signatures.Done(id, ct)).Select(s => new SignatureEvidence(
            s.Kind.Name(), s.Protected, s.Signature!, s.Certificates, s.TimeStamp!, s.Payload))];
}

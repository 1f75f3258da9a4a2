using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Hosting;
using Trust.SignService.Signatures;

namespace Trust.SignService.Prescriptions;

/// <summary>The card's answer.</summary>
/// <param name="Signature">base64url r‖s.</param>
public sealed record SignatureRequest(string Signature);

/// <summary>A released signature.</summary>
/// <param name="Id">The prescription.</param>
/// <param name="Status">Its state now.</param>
/// <param name="Protected">base64url header.</param>
/// <param name="Signature">base64url r‖s.</param>
/// <param name="Timestamp">RFC 3161 token over the ASCII of <paramref name="Signature"/>.</param>
public sealed record SignedResponse(Guid Id, string Status, string Protected, string Signature, byte[] Timestamp)
{
    internal static SignedResponse For(Guid id, string status, SignedValue value) => new(id, status, value.Protected, value.Signature, value.TimeStamp);
}

/// <summary>Takes the doctor's signature, checks the entitlement again, stamps the time, releases.</summary>
internal sealed class CompletePrescription(PersonalSigning signing, PatientConsents consents, PrescriptionStore store, TimeProvider clock)
{
    private static readonly string[] Roles = ["physician"];
    private static readonly SignedStep Step = new(PrescriptionStatus.Draft, PrescriptionStatus.Signed, "RX.sign");

    /// <summary>Completes the signature; the same key and value get the same answer again.</summary>
    public async Task<Results<Ok<SignedResponse>, Refusal>> Handle(Guid id, SignatureRequest request, HttpContext context)
    {
        var ct = context.RequestAborted;
        var caller = context.Caller();
        if (await store.Find(id, ct) is not { } prescription || prescription.Author != caller.Person)
        {
            return SignRefusals.NotFound;
        }

        return await signing.FindPrepared(prescription, SignatureKind.Prescribe, caller, request.Signature, context.IdempotencyKey(), ct) switch
        {
            PreparedOutcome.Complete complete => TypedResults.Ok(SignedResponse.For(id, prescription.Status, complete.Value)),
            PreparedOutcome.Fits fits => await Complete(prescription, fits.Row, request.Signature, context, ct),
            PreparedOutcome.Refused refused => refused.Why,
            _ => throw new InvalidOperationException("A closed set."),
        };
    }

    private async Task<Results<Ok<SignedResponse>, Refusal>> Complete(
        PrescriptionRow prescription, SignatureRow row, string signature, HttpContext context, CancellationToken ct)
    {
        var caller = context.Caller();
        var actor = caller.AsActor(row.Leaf.Sha256Hex);
        var signer = await signing.Judge(caller, "prescribe", Roles, row.Certificates[0], ct);
        if (((signer as SignerOutcome.Refused)?.Why ?? StillStands(prescription, row, caller, clock.GetUtcNow()) ?? await Consented(prescription, ct)) is { } why)
        {
            await signing.RecordDenial(prescription, actor, why, ct);
            return why;
        }

        return await signing.Finish(
            row, prescription, signature, context.IdempotencyKey(), actor, Step, cancel => signing.StillEntitled(caller, "prescribe", row, cancel), ct) switch
        {
            FinishOutcome.Done done => TypedResults.Ok(
                SignedResponse.For(prescription.Id, PrescriptionStatus.Signed, new SignedValue(row.Protected, done.Signature, done.TimeStamp))),
            FinishOutcome.Refused refused => refused.Why,
            _ => throw new InvalidOperationException("A closed set."),
        };
    }

    // Taken back since the preparation: nothing is signed any more.
    private async Task<Refusal?> Consented(PrescriptionRow prescription, CancellationToken ct) =>
        await consents.Find(prescription.Patient, prescription.Institution, ct) switch
        {
            null => SignRefusals.ConsentUnknown,
            { Granted: true } => null,
            _ => SignRefusals.NoConsent,
        };

    private static Refusal? StillStands(PrescriptionRow prescription, SignatureRow row, Caller caller, DateTimeOffset now) =>
        !string.Equals(row.Institution, caller.Institution, StringComparison.Ordinal) ? SignRefusals.OtherInstitution
        : prescription.ValidUntil <= now ? SignRefusals.Expired
        : null;
}

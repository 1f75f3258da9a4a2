using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Hosting;
using Trust.Kernel.Keys;
using Trust.Kernel.LiveStatus;

namespace Trust.SignService.Prescriptions;

/// <summary>Why.</summary>
/// <param name="Reason">For the other party, at most 500 characters; stays in this service.</param>
public sealed record ReasonRequest(string Reason);

/// <summary>The pharmacist sends a prescription back with a reason; a changed prescription is a new one.</summary>
internal sealed class ReturnPrescription(
    PrescriptionStore store, Transition transition, ClinicalText texts, EntitlementClient entitlements, TimeProvider clock)
{
    private const int LongestReason = 500;

    /// <summary>Returns it.</summary>
    public async Task<Results<Ok<StatusResponse>, Refusal>> Handle(Guid id, ReasonRequest request, HttpContext context)
    {
        var ct = context.RequestAborted;
        var caller = context.Caller();
        if (await store.Find(id, ct) is not { } prescription)
        {
            return SignRefusals.NotFound;
        }

        if (ReviewPrescription.JudgeReviewer(prescription, caller, clock.GetUtcNow()) is { } refused)
        {
            return refused;
        }

        if (request.Reason.Trim() is not { Length: > 0 and <= LongestReason } reason)
        {
            return SignRefusals.Reason;
        }

        if (await entitlements.Check(new EntitlementQuestion(caller.Subject, caller.Institution, "review"), ct) is Entitlement.Deny deny)
        {
            return RegistryRefusals.From(deny);
        }

        // The reason is clinical text: it stays here; the event says only that it was returned.
        var e = PrescriptionEvents.Of("RX.return", prescription, caller.AsActor(), "returned");
        if (await texts.SealReason(id, prescription.Region, prescription.PatientKey, reason, ct) is not { } sealedReason)
        {
            return SignRefusals.Shredded;
        }

        var isShredded = false;
        var answer = await transition.Move(id, PrescriptionStatus.Returned, Return, e, ct);
        return isShredded ? SignRefusals.Shredded : answer;

        async Task<bool> Return(NpgsqlTransaction tx, DateTimeOffset now)
        {
            var held = await PersonKeys.Hold(tx, prescription.PatientKey, ct);
            isShredded = held is null;
            return held is not null && await PrescriptionStore.Return(held, id, sealedReason, now, ct);
        }
    }
}

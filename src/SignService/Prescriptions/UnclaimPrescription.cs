using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Hosting;

namespace Trust.SignService.Prescriptions;

/// <summary>The pharmacy that holds the lock gives it back undispensed, so that the patient may go to another.</summary>
internal sealed class UnclaimPrescription(PrescriptionStore store, Transition transition, SystemStanding standing)
{
    /// <summary>Gives it back.</summary>
    public async Task<Results<Ok<StatusResponse>, Refusal>> Handle(Guid id, HttpContext context)
    {
        var ct = context.RequestAborted;
        var caller = context.Caller();
        if (caller.ActsFor is not { } pharmacy)
        {
            return SignRefusals.NoInstitution;
        }

        if (await standing.Judge(caller, ct) is { } fallen)
        {
            return fallen;
        }

        // Another pharmacy than the one that claimed sees nothing of it.
        if (await store.Find(id, ct) is not { } prescription || prescription.ClaimedBy != pharmacy)
        {
            return SignRefusals.NotFound;
        }

        if (prescription.Status == PrescriptionStatus.Dispensed)
        {
            return SignRefusals.AlreadyDispensed;
        }

        var e = PrescriptionEvents.Of("RX.unclaim", prescription, caller.AsActor() with { Role = caller.Role ?? "pharmacy-system" });
        return await transition.Move(id, PrescriptionStatus.Released, (tx, now) => PrescriptionStore.Unclaim(tx, id, pharmacy, now, ct), e, ct);
    }
}

using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Hosting;

namespace Trust.SignService.Prescriptions;

/// <summary>
/// The author withdraws before dispensing. It only takes a right away, so it waits neither for the ledger nor for the registry: a suspended
/// doctor may still withdraw.
/// </summary>
internal sealed class VoidPrescription(PrescriptionStore store, Transition transition)
{
    /// <summary>Withdraws it.</summary>
    public async Task<Results<Ok<StatusResponse>, Refusal>> Handle(Guid id, HttpContext context)
    {
        var ct = context.RequestAborted;
        var caller = context.Caller();
        if (await store.Find(id, ct) is not { } prescription || prescription.Author != caller.Person)
        {
            return SignRefusals.NotFound;
        }

        if (prescription.Status == PrescriptionStatus.Dispensed)
        {
            return SignRefusals.AlreadyDispensed;
        }

        var e = PrescriptionEvents.Of("RX.void", prescription, caller.AsActor());
        return await transition.Move(id, PrescriptionStatus.Voided, (tx, now) => PrescriptionStore.Void(tx, id, now, ct), e, ct);
    }
}

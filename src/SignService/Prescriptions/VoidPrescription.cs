using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Hosting;

namespace Trust.SignService.Prescriptions;

/// <summary>
/// The author, or the institution's own system, withdraws before dispensing. It only takes a right away, so it does not wait for the ledger. A
/// suspended doctor cannot log in; her institution answers for what she prescribed and withdraws it.
/// </summary>
internal sealed class VoidPrescription(PrescriptionStore store, Transition transition, SystemStanding standing)
{
    /// <summary>The author withdraws it.</summary>
    public async Task<Results<Ok<StatusResponse>, Refusal>> Handle(Guid id, HttpContext context)
    {
        var caller = context.Caller();
        return await store.Find(id, context.RequestAborted) is { } prescription && prescription.Author == caller.Person
            ? await Withdraw(prescription, caller, context.RequestAborted) : SignRefusals.NotFound;
    }

    /// <summary>The institution withdraws it.</summary>
    public async Task<Results<Ok<StatusResponse>, Refusal>> ByInstitution(Guid id, HttpContext context)
    {
        var ct = context.RequestAborted;
        var caller = context.Caller();
        if (caller.Person is not null || caller.ActsFor is not { } institution
            || await store.Find(id, ct) is not { } prescription || prescription.Institution != institution)
        {
            return SignRefusals.NotFound;
        }

        return await standing.Judge(caller, ct) is { } fallen ? fallen : await Withdraw(prescription, caller, ct);
    }

    private async Task<Results<Ok<StatusResponse>, Refusal>> Withdraw(PrescriptionRow prescription, Caller caller, CancellationToken ct)
    {
        if (prescription.Status == PrescriptionStatus.Dispensed)
        {
            return SignRefusals.AlreadyDispensed;
        }

        var e = PrescriptionEvents.Of("RX.void", prescription, caller.AsActor());
        return await transition.Move(
            prescription.Id, PrescriptionStatus.Voided, (tx, now) => PrescriptionStore.Void(tx, prescription.Id, now, ct), e, ct);
    }
}

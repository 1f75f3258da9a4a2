using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.Kernel.LiveStatus;
using Trust.LogFormat;

namespace Trust.SignService.Prescriptions;

/// <summary>Who hands the medicine over.</summary>
/// <param name="Dispenser">The practitioner, when the caller is a system.</param>
public sealed record DispenseRequest(PersonId? Dispenser = null);

/// <summary>The pharmacy that holds the lock hands the medicine over, once, within validity.</summary>
internal sealed class DispensePrescription(PrescriptionStore store, Transition transition, EntitlementClient entitlements)
{
    /// <summary>Dispenses it.</summary>
    public async Task<Results<Ok<StatusResponse>, Refusal>> Handle(Guid id, DispenseRequest request, HttpContext context)
    {
        var ct = context.RequestAborted;
        var caller = context.Caller();
        if (caller.ActsFor is not { } pharmacy || (caller.Person ?? request.Dispenser) is not { } person)
        {
            return SignRefusals.DispenserRequired;
        }

        if (await entitlements.Check(new EntitlementQuestion(person.Value, pharmacy.Value, "dispense"), ct) is Entitlement.Deny deny)
        {
            return RegistryRefusals.From(deny);
        }

        // Another pharmacy than the one that claimed sees nothing of it.
        if (await store.Find(id, ct) is not { } prescription || (prescription.ClaimedBy is { } holder && holder != pharmacy))
        {
            return SignRefusals.NotFound;
        }

        if (prescription.Status == PrescriptionStatus.Dispensed)
        {
            return SignRefusals.AlreadyDispensed;
        }

        var e = PrescriptionEvents.Of("RX.dispense", prescription, new Actor(person.Value, caller.LoginCertificate, caller.Role ?? "pharmacist", pharmacy.Value));
        return await transition.Move(id, PrescriptionStatus.Dispensed, (tx, now) => PrescriptionStore.Dispense(tx, id, pharmacy, now, ct), e, ct);
    }
}

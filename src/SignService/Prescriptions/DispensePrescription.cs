using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.Kernel.LiveStatus;
using Trust.LogFormat;

namespace Trust.SignService.Prescriptions;

/// <summary>Who hands the medicine over.</summary>
/// <param name="Dispenser">The practitioner for whom a system acts; a person who is logged in dispenses herself.</param>
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

        // One who is logged in dispenses herself; only a system names another.
        if (caller.Person is not null && request.Dispenser is { } other && other != person)
        {
            return SignRefusals.OtherDispenser;
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

        var e = caller.Person is null
            ? PrescriptionEvents.Of("RX.dispense", prescription, caller.AsActor() with { Role = caller.Role ?? "pharmacy-system" }, onBehalfOf: person)
            : PrescriptionEvents.Of("RX.dispense", prescription, caller.AsActor());
        return await transition.Move(id, PrescriptionStatus.Dispensed, (tx, now) => PrescriptionStore.Dispense(tx, id, pharmacy, now, ct), e, ct);
    }
}

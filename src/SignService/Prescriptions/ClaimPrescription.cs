using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Hosting;
using Trust.Kernel.LiveStatus;
using Trust.LogFormat;

namespace Trust.SignService.Prescriptions;

/// <summary>One pharmacy locks a released prescription, once; of many at a time one wins.</summary>
internal sealed class ClaimPrescription(PrescriptionStore store, Transition transition, EntitlementClient entitlements)
{
    /// <summary>Claims it.</summary>
    public async Task<Results<Ok<StatusResponse>, Refusal>> Handle(Guid id, HttpContext context)
    {
        var ct = context.RequestAborted;
        var caller = context.Caller();
        if (caller.ActsFor is not { } pharmacy)
        {
            return SignRefusals.NoInstitution;
        }

        if (await entitlements.Check(new EntitlementQuestion(null, pharmacy.Value, "claim"), ct) is Entitlement.Deny deny)
        {
            return RegistryRefusals.From(deny);
        }

        if (await store.Find(id, ct) is not { } prescription)
        {
            return SignRefusals.NotFound;
        }

        var e = PrescriptionEvents.Of("RX.claim", prescription, new Actor(caller.Subject, caller.LoginCertificate, caller.Role ?? "pharmacy-system", pharmacy.Value));
        return await transition.Move(id, PrescriptionStatus.Claimed, (tx, now) => PrescriptionStore.Claim(tx, id, pharmacy, now, ct), e, ct);
    }
}

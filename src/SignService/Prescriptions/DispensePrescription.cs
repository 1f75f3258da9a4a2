using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Trust.Kernel.Hosting;
using Trust.Kernel.LiveStatus;
using Trust.LogFormat;

namespace Trust.SignService.Prescriptions;

/// <summary><c>POST /prescriptions/{id}/dispense</c>: the pharmacy that holds the lock hands the medicine over, once, within validity.</summary>
public static class DispensePrescription
{
    /// <summary>Maps the endpoint.</summary>
    public static void Map(IEndpointRouteBuilder app) =>
        app.MapPost("/prescriptions/{id:guid}/dispense", Handle).RequireScope("rx.dispense").Idempotent();

    private static async Task<Results<Ok<StatusResponse>, ProblemHttpResult>> Handle(
        Guid id, DispenseRequest request, HttpContext context, PrescriptionStore store, Transition transition, EntitlementClient entitlements, ProblemSet problems)
    {
        var ct = context.RequestAborted;
        var caller = context.Caller();
        var person = caller.Subject.StartsWith("urn:mdid:p:", StringComparison.Ordinal) ? caller.Subject : request.Dispenser;
        if (caller.Institution is not { } pharmacy || person is null)
        {
            return Refusal.Content("dispenser-required", "Name the person who dispenses, and act for a pharmacy.").ToProblem(problems);
        }

        if (await entitlements.Check(new EntitlementQuestion(person, pharmacy, "dispense"), ct) is Entitlement.Deny deny)
        {
            return ClaimPrescription.Entitled(deny).ToProblem(problems);
        }

        // Another pharmacy than the one that claimed sees nothing of it.
        if (await store.Find(id, ct) is not { } prescription
            || (prescription.ClaimedBy is { } holder && !string.Equals(holder, pharmacy, StringComparison.Ordinal)))
        {
            return Refusal.NotFound.ToProblem(problems);
        }

        if (prescription.Status == PrescriptionStatus.Dispensed)
        {
            return Refusal.Conflict("already-dispensed", "This prescription was dispensed; it is not dispensed twice.").ToProblem(problems);
        }

        var e = PrescriptionEvents.Of("RX.dispense", prescription, new Actor(person, caller.LoginCertificate, caller.Role ?? "pharmacist", pharmacy));
        var refusal = await transition.Run(id, (tx, now) => PrescriptionStore.Dispense(tx, id, pharmacy, now, ct), e, ct);
        return Transition.Answer(id, PrescriptionStatus.Dispensed, refusal, problems);
    }
}

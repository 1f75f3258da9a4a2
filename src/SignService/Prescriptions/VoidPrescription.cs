using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.SignService.Prescriptions;

/// <summary>
/// <c>POST /prescriptions/{id}/void</c>: the author withdraws before dispensing. It only takes a right away, so it waits neither for the
/// ledger nor for the registry: a suspended doctor may still withdraw.
/// </summary>
public static class VoidPrescription
{
    /// <summary>Maps the endpoint.</summary>
    public static void Map(IEndpointRouteBuilder app) =>
        app.MapPost("/prescriptions/{id:guid}/void", Handle).RequireScope("rx.sign").Idempotent();

    private static async Task<Results<Ok<StatusResponse>, ProblemHttpResult>> Handle(
        Guid id, HttpContext context, PrescriptionStore store, Transition transition, ProblemSet problems)
    {
        var ct = context.RequestAborted;
        var caller = context.Caller();
        if (await store.Find(id, ct) is not { } prescription || !string.Equals(prescription.Author, caller.Subject, StringComparison.Ordinal))
        {
            return Refusal.NotFound.ToProblem(problems);
        }

        if (prescription.Status == PrescriptionStatus.Dispensed)
        {
            return Refusal.Conflict("already-dispensed", "A dispensed prescription is not withdrawn; write an addendum.").ToProblem(problems);
        }

        var e = PrescriptionEvents.Of("RX.void", prescription, new Actor(caller.Subject, caller.LoginCertificate, caller.Role, caller.Institution));
        var refusal = await transition.Run(id, (tx, now) => PrescriptionStore.Void(tx, id, now, ct), e, ct);
        return Transition.Answer(id, PrescriptionStatus.Voided, refusal, problems);
    }
}

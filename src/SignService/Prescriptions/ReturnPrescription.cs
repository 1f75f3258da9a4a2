using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Trust.Kernel.Hosting;
using Trust.Kernel.LiveStatus;
using Trust.LogFormat;

namespace Trust.SignService.Prescriptions;

/// <summary><c>POST /prescriptions/{id}/return</c>: the pharmacist sends it back with a reason; a changed prescription is a new one.</summary>
public static class ReturnPrescription
{
    /// <summary>Maps the endpoint.</summary>
    public static void Map(IEndpointRouteBuilder app) =>
        app.MapPost("/prescriptions/{id:guid}/return", Handle).RequireScope("rx.review").Idempotent();

    private static async Task<Results<Ok<StatusResponse>, ProblemHttpResult>> Handle(
        Guid id, ReasonRequest request, HttpContext context, PrescriptionStore store, Transition transition, EntitlementClient entitlements,
        TimeProvider clock, ProblemSet problems)
    {
        var ct = context.RequestAborted;
        var caller = context.Caller();
        var prescription = await store.Find(id, ct);
        var why = ReviewPrescription.Judge(prescription, caller, clock.GetUtcNow())
            ?? (request.Reason.Trim() is { Length: > 0 and <= 500 } ? null : Refusal.Content("reason", "Give a reason of at most 500 characters."));
        if (why is null
            && await entitlements.Check(new EntitlementQuestion(caller.Subject, caller.Institution, "review"), ct) is Entitlement.Deny deny)
        {
            why = ClaimPrescription.Entitled(deny);
        }

        if (why is not null)
        {
            return why.ToProblem(problems);
        }

        // The reason is clinical text: it stays here; the event says only that it was returned.
        var actor = new Actor(caller.Subject, caller.LoginCertificate, caller.Role, caller.Institution);
        var e = PrescriptionEvents.Of("RX.return", prescription!, actor, "returned");
        var refusal = await transition.Run(id, (tx, now) => PrescriptionStore.Return(tx, id, request.Reason.Trim(), now, ct), e, ct);
        return Transition.Answer(id, PrescriptionStatus.Returned, refusal, problems);
    }
}

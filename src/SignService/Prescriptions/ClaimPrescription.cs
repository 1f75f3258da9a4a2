using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Trust.Kernel.Hosting;
using Trust.Kernel.LiveStatus;
using Trust.LogFormat;

namespace Trust.SignService.Prescriptions;

/// <summary><c>POST /prescriptions/{id}/claim</c>: one pharmacy locks a released prescription, once; of many at a time one wins.</summary>
public static class ClaimPrescription
{
    /// <summary>Maps the endpoint.</summary>
    public static void Map(IEndpointRouteBuilder app) =>
        app.MapPost("/prescriptions/{id:guid}/claim", Handle).RequireScope("rx.claim").Idempotent();

    private static async Task<Results<Ok<StatusResponse>, ProblemHttpResult>> Handle(
        Guid id, HttpContext context, PrescriptionStore store, Transition transition, EntitlementClient entitlements, ProblemSet problems)
    {
        var ct = context.RequestAborted;
        var caller = context.Caller();
        if (caller.Institution is not { } pharmacy)
        {
            return Refusal.Forbidden("no-institution", "Claim for a pharmacy: the access token names none.").ToProblem(problems);
        }

        if (await entitlements.Check(new EntitlementQuestion(null, pharmacy, "claim"), ct) is Entitlement.Deny deny)
        {
            return Entitled(deny).ToProblem(problems);
        }

        if (await store.Find(id, ct) is not { } prescription)
        {
            return Refusal.NotFound.ToProblem(problems);
        }

        var e = PrescriptionEvents.Of("RX.claim", prescription, new Actor(caller.Subject, caller.LoginCertificate, caller.Role ?? "pharmacy-system", pharmacy));
        var refusal = await transition.Run(id, (tx, now) => PrescriptionStore.Claim(tx, id, pharmacy, now, ct), e, ct);
        return Transition.Answer(id, PrescriptionStatus.Claimed, refusal, problems);
    }

    /// <summary>The registry's denial as a refusal.</summary>
    internal static Refusal Entitled(Entitlement.Deny deny) => deny.Reason == "status-unknown"
        ? Refusal.Unavailable("status-unknown", "The registry does not answer, and nothing is done on old knowledge. Try again shortly.")
        : Refusal.Forbidden(deny.Reason, "The registry does not permit this now.");
}

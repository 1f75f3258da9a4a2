using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Trust.Kernel.Hosting;
using Trust.LogFormat;
using Trust.SignService.Signatures;

namespace Trust.SignService.Prescriptions;

/// <summary><c>POST /prescriptions/{id}/signature</c>: takes the doctor's signature, checks the entitlement again, stamps the time, releases.</summary>
public static class CompletePrescription
{
    private static readonly string[] Roles = ["physician"];

    /// <summary>Maps the endpoint.</summary>
    public static void Map(IEndpointRouteBuilder app) =>
        app.MapPost("/prescriptions/{id:guid}/signature", Handle).RequireScope("rx.sign").Idempotent();

    private static async Task<Results<Ok<SignedResponse>, ProblemHttpResult>> Handle(
        Guid id, SignatureRequest request, HttpContext context, PersonalSigning signing, PrescriptionStore store, TimeProvider clock, ProblemSet problems)
    {
        var ct = context.RequestAborted;
        var caller = context.Caller();
        if (await store.Find(id, ct) is not { } prescription || !string.Equals(prescription.Author, caller.Subject, StringComparison.Ordinal))
        {
            return Refusal.NotFound.ToProblem(problems);
        }

        var key = context.IdempotencyKey();
        var (row, already, why) = await signing.Find(prescription, SignatureKind.Prescribe, caller, request.Signature, key, ct);
        if (already is not null)
        {
            return TypedResults.Ok(Response(id, prescription.Status, already));
        }

        if (row is null)
        {
            return why!.ToProblem(problems);
        }

        var actor = new Actor(caller.Subject, row.Leaf.Sha256Hex, caller.Role, caller.Institution);
        (_, _, why) = await signing.Entitled(caller, "prescribe", Roles, row.Certificates[0], ct);
        why ??= Standing(prescription, row, caller, clock.GetUtcNow());
        if (why is not null)
        {
            await signing.Deny(prescription, actor, why.Rule, ct);
            return why.ToProblem(problems);
        }

        var outcome = await signing.Finish(
            row, prescription, request.Signature, key, actor, PrescriptionStatus.Draft, PrescriptionStatus.Signed, "RX.sign", ct);
        return outcome switch
        {
            FinishOutcome.Done done => TypedResults.Ok(
                Response(id, PrescriptionStatus.Signed, new SignedValue(row.Protected, done.Signature, done.TimeStamp))),
            FinishOutcome.Refused refused => refused.Why.ToProblem(problems),
            _ => throw new InvalidOperationException("A closed set."),
        };
    }

    /// <summary>The answer that carries a released signature.</summary>
    internal static SignedResponse Response(Guid id, string status, SignedValue value) =>
        new(id, status, value.Protected, value.Signature, value.TimeStamp);

    private static Refusal? Standing(PrescriptionRow prescription, SignatureRow row, Caller caller, DateTimeOffset now) =>
        !string.Equals(row.Institution, caller.Institution, StringComparison.Ordinal)
            ? Refusal.Forbidden("other-institution", "You prepared this for another institution.")
            : prescription.ValidUntil <= now
                ? Refusal.Conflict("expired", "The prescription's validity is over; write a new one.")
                : null;
}

using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Npgsql;
using Trust.Crypto.Json;
using Trust.Kernel.Hosting;
using Trust.LogFormat;
using Trust.SignService.Signatures;

namespace Trust.SignService.Prescriptions;

/// <summary>
/// <c>POST /prescriptions/{id}/review</c> and <c>…/review/signature</c>: a pharmacist, another person, countersigns. The statement signed
/// names the prescription, the hash of its bytes, the doctor's signature value and the decision.
/// </summary>
public static class ReviewPrescription
{
    private static readonly string[] Roles = ["pharmacist", "retail-pharmacist"];

    /// <summary>Maps the endpoints.</summary>
    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapPost("/prescriptions/{id:guid}/review", Prepare).RequireScope("rx.review").Idempotent();
        app.MapPost("/prescriptions/{id:guid}/review/signature", Complete).RequireScope("rx.review").Idempotent();
    }

    /// <summary>Whether the caller may review this prescription at all.</summary>
    internal static Refusal? Judge(PrescriptionRow? prescription, Caller caller, DateTimeOffset now)
    {
        // A pharmacist of another institution learns nothing, not even that it exists.
        if (prescription is null || !string.Equals(prescription.Institution, caller.Institution, StringComparison.Ordinal))
        {
            return Refusal.NotFound;
        }

        if (string.Equals(prescription.Author, caller.Subject, StringComparison.Ordinal))
        {
            return Refusal.Forbidden("own-prescription", "The one who prescribes does not review: another person must.");
        }

        return prescription.ValidUntil <= now ? Refusal.Conflict("expired", "The prescription's validity is over.") : null;
    }

    private static async Task<Results<Ok<PreparedResponse>, ProblemHttpResult>> Prepare(
        Guid id, ReviewRequest request, HttpContext context, PersonalSigning signing, PrescriptionStore store, SignatureStore signatures,
        NpgsqlDataSource db, TimeProvider clock, ProblemSet problems)
    {
        var ct = context.RequestAborted;
        var caller = context.Caller();
        var prescription = await store.Find(id, ct);
        var why = request.Decision == "approve" ? null : Refusal.Content("decision", "Only approve is signed; return it with a reason instead.");
        why ??= Judge(prescription, caller, clock.GetUtcNow());
        why ??= prescription!.Status == PrescriptionStatus.Signed ? null : Refusal.Conflict("wrong-state", $"The prescription is {prescription.Status}.");
        if (why is not null)
        {
            return why.ToProblem(problems);
        }

        (var permit, var certificates, why) = await signing.Entitled(caller, "review", Roles, request.Certificate, ct);
        if (permit is null)
        {
            await signing.Deny(prescription!, new Actor(caller.Subject, caller.LoginCertificate, caller.Role, caller.Institution), why!.Rule, ct);
            return why.ToProblem(problems);
        }

        var doctor = await signatures.Started(id, SignatureKind.Prescribe, ct);
        var statement = Statement(prescription!, doctor!.Signature!);
        var row = signing.NewRow(prescription!, SignatureKind.Review, caller, certificates, statement, prescription!.ObjectUri + "#review");
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await SignatureStore.Insert(tx, row, clock.GetUtcNow(), ct);
        await tx.CommitAsync(ct);
        return TypedResults.Ok(PreparePrescription.Prepared(prescription, row, statement));
    }

    private static async Task<Results<Ok<SignedResponse>, ProblemHttpResult>> Complete(
        Guid id, SignatureRequest request, HttpContext context, PersonalSigning signing, SealPrescription seal, PrescriptionStore store,
        TimeProvider clock, ProblemSet problems)
    {
        var ct = context.RequestAborted;
        var caller = context.Caller();
        var prescription = await store.Find(id, ct);
        if (Judge(prescription, caller, clock.GetUtcNow()) is { } refused)
        {
            return refused.ToProblem(problems);
        }

        var key = context.IdempotencyKey();
        var (row, already, why) = await signing.Find(prescription!, SignatureKind.Review, caller, request.Signature, key, ct);
        if (already is not null)
        {
            return TypedResults.Ok(CompletePrescription.Response(id, prescription!.Status, already));
        }

        if (row is null)
        {
            return why!.ToProblem(problems);
        }

        var actor = new Actor(caller.Subject, row.Leaf.Sha256Hex, caller.Role, caller.Institution);
        (_, _, why) = await signing.Entitled(caller, "review", Roles, row.Certificates[0], ct);
        if (why is not null)
        {
            await signing.Deny(prescription!, actor, why.Rule, ct);
            return why.ToProblem(problems);
        }

        var outcome = await signing.Finish(
            row, prescription!, request.Signature, key, actor, PrescriptionStatus.Signed, PrescriptionStatus.Approved, "RX.review", ct);
        if (outcome is FinishOutcome.Refused stopped)
        {
            return stopped.Why.ToProblem(problems);
        }

        var done = (FinishOutcome.Done)outcome;
        // Another process of this service may have sealed it, and a pharmacy claimed it, meanwhile: the state is read, not guessed.
        var status = await seal.TryRun(id) is null ? PrescriptionStatus.Released : (await store.Find(id, CancellationToken.None))!.Status;
        return TypedResults.Ok(CompletePrescription.Response(id, status, new SignedValue(row.Protected, done.Signature, done.TimeStamp)));
    }

    private static byte[] Statement(PrescriptionRow prescription, string doctorSignature) => CanonicalJson.Encode(new JsonObject
    {
        ["decision"] = "approve",
        ["number"] = prescription.Number,
        ["payloadSha256"] = Convert.ToHexStringLower(prescription.PayloadSha256),
        ["prescription"] = prescription.ObjectUri,
        ["signatures"] = new JsonArray(doctorSignature),
    });
}

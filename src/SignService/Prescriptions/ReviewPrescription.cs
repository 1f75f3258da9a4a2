using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Crypto.Json;
using Trust.Kernel.Hosting;
using Trust.SignService.Signatures;

namespace Trust.SignService.Prescriptions;

/// <summary>A pharmacist's decision.</summary>
/// <param name="Decision">Only <c>approve</c>; anything else is a return with a reason.</param>
/// <param name="Certificate">DER of the pharmacist's signature certificate.</param>
public sealed record ReviewRequest(string Decision, byte[] Certificate);

/// <summary>
/// A pharmacist, another person, countersigns: first the statement to be signed, which names the prescription, the hash of its bytes, the
/// doctor's signature value and the decision; then its signature. The institution's seal follows at once where it can.
/// </summary>
internal sealed class ReviewPrescription(
    PersonalSigning signing, SealPrescription seal, PrescriptionStore store, SignatureStore signatures, NpgsqlDataSource db, TimeProvider clock)
{
    private static readonly string[] Roles = ["pharmacist", "retail-pharmacist"];
    private static readonly SignedStep Step = new(PrescriptionStatus.Signed, PrescriptionStatus.Approved, "RX.review");

    /// <summary>Whether the caller may review this prescription at all.</summary>
    internal static Refusal? JudgeReviewer(PrescriptionRow prescription, Caller caller, DateTimeOffset now)
    {
        // A pharmacist of another institution learns nothing, not even that it exists.
        if (prescription.Institution != caller.ActsFor)
        {
            return SignRefusals.NotFound;
        }

        return prescription.Author == caller.Person ? SignRefusals.OwnPrescription
            : prescription.ValidUntil <= now ? SignRefusals.Expired
            : null;
    }

    /// <summary>Answers the statement to be signed.</summary>
    public async Task<Results<Ok<PreparedResponse>, Refusal>> Prepare(Guid id, ReviewRequest request, HttpContext context)
    {
        var ct = context.RequestAborted;
        var caller = context.Caller();
        if (request.Decision != "approve")
        {
            return SignRefusals.Decision;
        }

        if (await store.Find(id, ct) is not { } prescription)
        {
            return SignRefusals.NotFound;
        }

        if (JudgeReviewer(prescription, caller, clock.GetUtcNow()) is { } refused)
        {
            return refused;
        }

        if (prescription.Status != PrescriptionStatus.Signed)
        {
            return SignRefusals.WrongState.With("state", prescription.Status);
        }

        switch (await signing.Judge(caller, "review", Roles, request.Certificate, ct))
        {
            case SignerOutcome.Refused not:
                await signing.RecordDenial(prescription, caller.AsActor(), not.Why, ct);
                return not.Why;
            case SignerOutcome.Entitled entitled:
                return TypedResults.Ok(await PrepareStatement(prescription, caller, entitled, ct));
            default:
                throw new InvalidOperationException("A closed set.");
        }
    }

    /// <summary>Takes the pharmacist's signature.</summary>
    public async Task<Results<Ok<SignedResponse>, Refusal>> Complete(Guid id, SignatureRequest request, HttpContext context)
    {
        var ct = context.RequestAborted;
        var caller = context.Caller();
        if (await store.Find(id, ct) is not { } prescription)
        {
            return SignRefusals.NotFound;
        }

        if (JudgeReviewer(prescription, caller, clock.GetUtcNow()) is { } refused)
        {
            return refused;
        }

        return await signing.FindPrepared(prescription, SignatureKind.Review, caller, request.Signature, context.IdempotencyKey(), ct) switch
        {
            PreparedOutcome.Complete complete => TypedResults.Ok(SignedResponse.For(id, prescription.Status, complete.Value)),
            PreparedOutcome.Fits fits => await CompleteReview(prescription, fits.Row, request.Signature, context, ct),
            PreparedOutcome.Refused not => not.Why,
            _ => throw new InvalidOperationException("A closed set."),
        };
    }

    private async Task<PreparedResponse> PrepareStatement(PrescriptionRow prescription, Caller caller, SignerOutcome.Entitled signer, CancellationToken ct)
    {
        var doctor = await signatures.Started(prescription.Id, SignatureKind.Prescribe, ct);
        var statement = Statement(prescription, doctor!.Signature!);
        var row = signing.NewRow(prescription, SignatureKind.Review, caller, signer.Certificates, statement, prescription.ObjectUri + "#review");
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await SignatureStore.Insert(tx, row, clock.GetUtcNow(), ct);
        await tx.CommitAsync(ct);
        return PreparedResponse.For(prescription, row, statement);
    }

    private async Task<Results<Ok<SignedResponse>, Refusal>> CompleteReview(
        PrescriptionRow prescription, SignatureRow row, string signature, HttpContext context, CancellationToken ct)
    {
        var caller = context.Caller();
        var actor = caller.AsActor(row.Leaf.Sha256Hex);
        if (await signing.Judge(caller, "review", Roles, row.Certificates[0], ct) is SignerOutcome.Refused refused)
        {
            await signing.RecordDenial(prescription, actor, refused.Why, ct);
            return refused.Why;
        }

        switch (await signing.Finish(
            row, prescription, signature, context.IdempotencyKey(), actor, Step, cancel => signing.StillEntitled(caller, "review", row, cancel), ct))
        {
            case FinishOutcome.Refused stopped:
                return stopped.Why;
            case FinishOutcome.Done done:
                // Another process of this service may have sealed it, and a pharmacy claimed it, meanwhile: the state is read, not guessed.
                var status = await seal.TrySeal(prescription.Id) is null
                    ? PrescriptionStatus.Released : (await store.Find(prescription.Id, CancellationToken.None))!.Status;
                return TypedResults.Ok(SignedResponse.For(prescription.Id, status, new SignedValue(row.Protected, done.Signature, done.TimeStamp)));
            default:
                throw new InvalidOperationException("A closed set.");
        }
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

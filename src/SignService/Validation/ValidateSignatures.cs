using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Hosting;
using Trust.SignService.Prescriptions;
using Trust.SignService.Signatures;

namespace Trust.SignService.Validation;

/// <summary>Signatures to be judged.</summary>
/// <param name="Payload">base64 of the prescription's bytes.</param>
/// <param name="Signatures">1 to 8, in their order.</param>
public sealed record ValidationRequest(byte[] Payload, IReadOnlyList<SignatureEvidence> Signatures);

/// <summary>The verdict.</summary>
/// <param name="Verdict">
/// <c>valid</c>: signed, reviewed and sealed. <c>incomplete</c>: what is there holds, and parts are missing. <c>invalid</c>. <c>indeterminate</c>:
/// what is there holds, and something about it cannot be known now.
/// </param>
/// <param name="Stage">How far it is proved, each stage with all before it: <c>signed</c>, <c>reviewed</c>, <c>sealed</c>; null when not even signed.</param>
/// <param name="Missing">Kinds of signatures that are not there and that a prescription needs to be in force.</param>
/// <param name="Signers">Who signed, for each signature that is intact.</param>
/// <param name="Reasons">Why not valid, in the order found; empty when valid.</param>
public sealed record ValidationResponse(
    string Verdict, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Stage, IReadOnlyList<string> Missing,
    IReadOnlyList<ValidatedSigner> Signers, IReadOnlyList<ValidationReason> Reasons);

/// <summary>Who made one signature.</summary>
/// <param name="Signature">Position in the request.</param>
/// <param name="Kind">prescribe, review or seal.</param>
/// <param name="Signer">Person or institution URN of the certificate.</param>
/// <param name="Certificate">SHA-256 in hex.</param>
/// <param name="SignedAt">The time-stamp's.</param>
/// <param name="CertificateStatus">At that time: good, revoked-since, hold, revoked, key-lost, expired, not-yet-valid or unknown; null when not asked.</param>
public sealed record ValidatedSigner(
    int Signature, string Kind, string? Signer, string Certificate,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DateTimeOffset? SignedAt,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? CertificateStatus);

/// <summary>One finding.</summary>
/// <param name="Signature">Position in the request.</param>
/// <param name="Code">Stable code.</param>
public sealed record ValidationReason(int Signature, string Code);

/// <summary>Judges a prescription's signatures against the prescription itself, all as of their time-stamps.</summary>
internal sealed class ValidateSignatures(SignatureJudge judge, StatusJudge statuses, SystemStanding standing)
{
    private const int Most = 8;
    private static readonly SignatureKind[] Needed = [SignatureKind.Prescribe, SignatureKind.Review, SignatureKind.Seal];
    private static readonly string[] Stages = ["signed", "reviewed", "sealed"];

    /// <summary>Judges them.</summary>
    public async Task<Results<Ok<ValidationResponse>, Refusal>> Handle(ValidationRequest request, HttpContext context)
    {
        var ct = context.RequestAborted;
        if (await standing.Judge(context.Caller(), ct) is { } fallen)
        {
            return fallen;
        }

        if (request.Signatures.Count is 0 or > Most || request.Payload.Length is 0 or > PrescriptionProfile.MaxBytes)
        {
            return SignRefusals.TooMuch.With("signatures", Most).With("bytes", PrescriptionProfile.MaxBytes);
        }

        var judgement = judge.Judge(request.Payload, request.Signatures, ct);
        var faults = judgement.Faults.ToList();
        var doubts = new List<ValidationReason>();
        var signers = new List<ValidatedSigner>();
        foreach (var one in judgement.Intact)
        {
            var finding = one.Time is { } time && judgement.Prescription is { } prescription && faults.TrueForAll(f => f.Signature != one.Index)
                ? await statuses.Judge(one, prescription, time, ct) : null;
            if (finding?.Code is { } code)
            {
                (finding.IsFault ? faults : doubts).Add(new ValidationReason(one.Index, code));
            }

            signers.Add(new ValidatedSigner(one.Index, one.Kind.Name(), one.Signer, one.Leaf.Sha256Hex, one.Time, finding?.CertificateStatus));
        }

        return TypedResults.Ok(Response(judgement, faults, doubts, signers));
    }

    private static ValidationResponse Response(
        Judgement judgement, List<ValidationReason> faults, List<ValidationReason> doubts, List<ValidatedSigner> signers)
    {
        var missing = Needed.Except(judgement.Intact.Select(s => s.Kind)).Select(k => k.Name()).ToList();
        var stands = Needed.TakeWhile(k => judgement.Intact.Any(s => s.Kind == k) && !faults.Concat(doubts).Any(r => r.Signature == (int)k)).Count();
        var verdict = faults.Count > 0 ? "invalid" : doubts.Count > 0 ? "indeterminate" : missing.Count > 0 ? "incomplete" : "valid";
        return new ValidationResponse(verdict, stands == 0 ? null : Stages[stands - 1], missing, signers, [.. faults, .. doubts]);
    }
}

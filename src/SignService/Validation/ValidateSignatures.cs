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
/// <param name="Verdict"><c>valid</c>, <c>invalid</c> or <c>indeterminate</c>.</param>
/// <param name="Reasons">Why not valid, in the order found; empty when valid.</param>
public sealed record ValidationResponse(string Verdict, IReadOnlyList<ValidationReason> Reasons);

/// <summary>One finding.</summary>
/// <param name="Signature">Position in the request.</param>
/// <param name="Code">Stable code.</param>
public sealed record ValidationReason(int Signature, string Code);

/// <summary>Judges a prescription's signatures as of their time-stamps, and the certificates' status as of now.</summary>
internal sealed class ValidateSignatures(SignatureJudge judge, HolderClient holders)
{
    private const int Most = 8;

    /// <summary>Judges them.</summary>
    public async Task<Results<Ok<ValidationResponse>, Refusal>> Handle(ValidationRequest request, CancellationToken ct)
    {
        if (request.Signatures.Count is 0 or > Most || request.Payload.Length is 0 or > PrescriptionProfile.MaxBytes)
        {
            return SignRefusals.TooMuch.With("signatures", Most).With("bytes", PrescriptionProfile.MaxBytes);
        }

        var judgement = judge.Judge(request.Payload, request.Signatures, ct);
        if (judgement.Faults.Count > 0)
        {
            return TypedResults.Ok(new ValidationResponse("invalid", judgement.Faults));
        }

        var doubts = new List<ValidationReason>();
        for (var i = 0; i < judgement.Leaves.Count; i++)
        {
            // A certificate revoked since then does not undo an earlier signature, but who relies on it should look (TS 119 102-1: indeterminate).
            switch (await holders.Status(judgement.Leaves[i].Sha256Hex, ct))
            {
                case "good" or "expired":
                    break;
                case null:
                    doubts.Add(new ValidationReason(i, "status-unknown"));
                    break;
                case var status:
                    doubts.Add(new ValidationReason(i, "certificate-" + status));
                    break;
            }
        }

        return TypedResults.Ok(new ValidationResponse(doubts.Count == 0 ? "valid" : "indeterminate", doubts));
    }
}

using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;
using Trust.SignService.Prescriptions;

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

/// <summary>The registry's word on a certificate.</summary>
/// <param name="Status">good, hold, revoked or expired.</param>
public sealed record Holder(string Status);

/// <summary><c>POST /validations</c>: judges a prescription's signatures as of their time-stamps, and the certificates' status as of now.</summary>
public static class ValidateSignatures
{
    private const int Most = 8;

    /// <summary>Maps the endpoint.</summary>
    public static void Map(IEndpointRouteBuilder app) => app.MapPost("/validations", Handle).RequireScope("validate").Idempotent();

    private static async Task<Results<Ok<ValidationResponse>, ProblemHttpResult>> Handle(
        ValidationRequest request, HttpContext context, SignatureJudge judge, HolderClient holders, ProblemSet problems)
    {
        if (request.Signatures.Count is 0 or > Most || request.Payload.Length is 0 or > PrescriptionProfile.MaxBytes)
        {
            return Refusal.Content("too-much", $"Send 1 to {Most} signatures and a payload of at most {PrescriptionProfile.MaxBytes} bytes.").ToProblem(problems);
        }

        var (faults, leaves) = judge.Judge(request.Payload, request.Signatures, context.RequestAborted);
        if (faults.Count > 0)
        {
            return TypedResults.Ok(new ValidationResponse("invalid", faults));
        }

        var doubts = new List<ValidationReason>();
        for (var i = 0; i < leaves.Count; i++)
        {
            // A certificate revoked since then does not undo an earlier signature, but who relies on it should look (TS 119 102-1: indeterminate).
            switch (await holders.Status(leaves[i].Sha256Hex, context.RequestAborted))
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

/// <summary>Asks the CA about a certificate.</summary>
public sealed class HolderClient(Outbound outbound, ILogger<HolderClient> log)
{
    /// <summary>good, hold, revoked or expired; null when there is no answer.</summary>
    public async Task<string?> Status(string certificateSha256, CancellationToken ct)
    {
        try
        {
            using var answer = await outbound.Client("ca").GetAsync("holders/" + certificateSha256, ct);
            return answer.StatusCode == HttpStatusCode.OK
                ? (await answer.Content.ReadFromJsonAsync(SignPeerJson.Default.Holder, ct))?.Status
                : null;
        }
        catch (Exception e) when (e is HttpRequestException or JsonException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            SignLog.PeerAway(log, e.GetType().Name);
            return null;
        }
    }
}

using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;
using Trust.Pkcs11;

namespace Trust.SignService.Timestamps;

/// <summary>RFC 3161 over HTTP (3.4). Open to everyone who reaches the listener: an imprint says nothing.</summary>
internal sealed class AnswerTimeStampRequest(TimeStampAuthority authority)
{
    private const string ReplyType = "application/timestamp-reply";

    /// <summary>Stamps the imprint, or answers the protocol's own rejection.</summary>
    [Consumes(typeof(Stream), "application/timestamp-query")]
    public async Task<Results<FileContentHttpResult, Refusal>> Handle(HttpContext context)
    {
        // Routing takes a request without any type; RFC 3161 3.4 asks for this one.
        if (context.Request.ContentType is null)
        {
            return CommonRefusals.UnsupportedMediaType;
        }

        var ct = context.RequestAborted;
        var body = await RequestBody.Read(context.Request, TimeStampRequest.MaxBytes, ct);
        var answer = body is null ? TimeStamp.Rejected(TimeStampFailure.BadDataFormat, "The request is too large.")
            : TimeStampRequest.TryParse(body, out var request, out var failure) ? await Stamp(request, ct)
            : TimeStamp.Rejected(failure, "The request is not acceptable.");
        return TypedResults.Bytes(answer, ReplyType);
    }

    /// <summary>A refusal of the doors, or a fault, as a response without a token. What went wrong stands in the response, as RFC 3161 has it; only being called too often is HTTP's.</summary>
    public static async Task WriteRejection(HttpContext context, Refusal refusal)
    {
        var failure = refusal.Status >= StatusCodes.Status500InternalServerError ? TimeStampFailure.SystemFailure : TimeStampFailure.BadRequest;
        context.Response.StatusCode = refusal.Status == StatusCodes.Status429TooManyRequests ? refusal.Status : StatusCodes.Status200OK;
        context.Response.ContentType = ReplyType;
        await context.Response.Body.WriteAsync(TimeStamp.Rejected(failure, refusal.Detail("en")), context.RequestAborted);
    }

    private async Task<byte[]> Stamp(TimeStampRequest request, CancellationToken ct)
    {
        try
        {
            return await authority.Stamp(request, TokenLane.Anonymous, ct) switch
            {
                StampOutcome.Stamped stamped => TimeStamp.Granted(stamped.Token),
                StampOutcome.Refused refused => TimeStamp.Rejected(refused.Failure, refused.Text),
                _ => throw new InvalidOperationException("A closed set."),
            };
        }
        catch (Exception e) when (e is TokenException or FileNotFoundException)
        {
            // RFC 3161 fixes its own body for faults.
            return TimeStamp.Rejected(TimeStampFailure.SystemFailure, "The authority's key is not available.");
        }
    }
}

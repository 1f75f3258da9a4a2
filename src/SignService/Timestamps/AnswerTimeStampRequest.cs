using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Trust.Crypto.Asn1;
using Trust.Pkcs11;

namespace Trust.SignService.Timestamps;

/// <summary><c>POST /timestamp</c>: RFC 3161 over HTTP (3.4). Open to everyone who reaches the listener: an imprint says nothing.</summary>
public static class AnswerTimeStampRequest
{
    /// <summary>Maps the endpoint.</summary>
    public static void Map(IEndpointRouteBuilder app) => app.MapPost("/timestamp", Handle).AllowAnonymous();

    private static async Task<IResult> Handle(HttpContext context, TimeStampAuthority authority)
    {
        if (context.Request.ContentType is not "application/timestamp-query")
        {
            return TypedResults.StatusCode(StatusCodes.Status415UnsupportedMediaType);
        }

        var body = await RequestBody.Read(context.Request, TimeStampRequest.MaxBytes, context.RequestAborted);
        var answer = body is null ? TimeStamp.Rejected(TimeStampFailure.BadDataFormat, "The request is too large.")
            : TimeStampRequest.TryParse(body, out var request, out var failure) ? await Answer(authority, request, context.RequestAborted)
            : TimeStamp.Rejected(failure, "The request is not acceptable.");
        return TypedResults.Bytes(answer, "application/timestamp-reply");
    }

    private static async Task<byte[]> Answer(TimeStampAuthority authority, TimeStampRequest request, CancellationToken ct)
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

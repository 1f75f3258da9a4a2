using Microsoft.AspNetCore.Http;
using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;

namespace Trust.CA.Revocation;

/// <summary>An OCSP response as the body of an answer.</summary>
/// <param name="response">OCSPResponse, DER.</param>
internal class OcspAnswer(byte[] response) : IResult
{
    private const string MediaType = "application/ocsp-response";

    /// <summary>malformedRequest: the question cannot be read.</summary>
    public static OcspAnswer Malformed { get; } = new(OcspResponse.Error(OcspError.MalformedRequest));

    /// <summary>unauthorized: not ours to answer (RFC 5019 2.2.3).</summary>
    public static OcspAnswer Unauthorized { get; } = new(OcspResponse.Error(OcspError.Unauthorized));

    /// <summary>tryLater: the responder is there and cannot sign at the moment (RFC 6960 2.3).</summary>
    public static OcspAnswer TryLater { get; } = new(OcspResponse.Error(OcspError.TryLater));

    /// <summary>tryLater with status 429: the caller asks for more signatures than it may.</summary>
    public static OcspAnswer TooMany { get; } = new Limited();

    private static OcspAnswer InternalError { get; } = new(OcspResponse.Error(OcspError.InternalError));

    /// <summary>The response, DER.</summary>
    public byte[] Response => response;

    /// <summary>
    /// Writes a refusal of the host as OCSP says it. What is wrong with the question is status 200 with malformedRequest: the exchange
    /// over HTTP went well (RFC 6960 A.1). Limits and faults keep their status, so that proxies and probes see them.
    /// </summary>
    public static Task Refuse(HttpContext context, Refusal refusal)
    {
        var answer = refusal.Status switch
        {
            StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable => TryLater,
            >= StatusCodes.Status500InternalServerError => InternalError,
            _ => Malformed,
        };
        context.Response.StatusCode = answer == Malformed ? StatusCodes.Status200OK : refusal.Status;
        return answer.ExecuteAsync(context);
    }

    /// <inheritdoc/>
    public virtual async Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.ContentType = MediaType;
        httpContext.Response.ContentLength = response.Length;
        await httpContext.Response.Body.WriteAsync(response, httpContext.RequestAborted);
    }

    private sealed class Limited() : OcspAnswer(TryLater.Response)
    {
        public override Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.StatusCode = StatusCodes.Status429TooManyRequests;
            return base.ExecuteAsync(httpContext);
        }
    }
}

using System.Text;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Npgsql;
using Trust.Pkcs11;

namespace Trust.Kernel.Hosting;

/// <summary>Turns what no handler answered into an answer that says nothing of our inside (rule 7 of docs/CONTRIBUTING.md), in the route's own body.</summary>
internal static class Faults
{
    /// <summary>After an exception.</summary>
    public static Task Answer(HttpContext context, ILogger log)
    {
        var feature = context.Features.Get<IExceptionHandlerFeature>();
        // The handler runs without the endpoint, and so without the body its protocol fixes.
        if (feature?.Endpoint is { } endpoint)
        {
            context.SetEndpoint(endpoint);
        }

        var error = feature?.Error;
        if (OfInput(error) is { } refusal)
        {
            return context.Refuse(refusal);
        }

        HostLog.Fault(log, context.TraceIdentifier, error);
        return context.Refuse((error is NpgsqlException or TokenException ? CommonRefusals.FaultUnavailable : CommonRefusals.Fault).With("traceId", context.TraceIdentifier));
    }

    /// <summary>Gives a body to the bare 404, 405 and 415 of routing, where Allow stands already, and to the bare 400 and 413 of who binds bodies.</summary>
    public static Task Explain(HttpContext context) => context.Response.StatusCode switch
    {
        StatusCodes.Status404NotFound when context.GetEndpoint() is null => CommonRefusals.NoSuchPath.ExecuteAsync(context),
        StatusCodes.Status405MethodNotAllowed => CommonRefusals.MethodNotAllowed.ExecuteAsync(context),
        StatusCodes.Status415UnsupportedMediaType => CommonRefusals.UnsupportedMediaType.ExecuteAsync(context),
        StatusCodes.Status413PayloadTooLarge => context.Refuse(CommonRefusals.BodyTooLarge),
        StatusCodes.Status400BadRequest => context.Refuse(CommonRefusals.MalformedRequest),
        _ => Task.CompletedTask,
    };

    // What a reader of the platform throws because of the bytes it was given is the caller's to mend, and never a 5xx.
    private static Refusal? OfInput(Exception? error) => error switch
    {
        BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => CommonRefusals.BodyTooLarge,
        BadHttpRequestException { StatusCode: StatusCodes.Status415UnsupportedMediaType } => CommonRefusals.UnsupportedMediaType,
        BadHttpRequestException unbound => MalformedInput.Of(unbound),
        // Form limits: too many fields, keys or values too long.
        InvalidDataException { Source: "Microsoft.AspNetCore.WebUtilities" or "Microsoft.AspNetCore.Http" } => CommonRefusals.MalformedRequest,
        DecoderFallbackException => CommonRefusals.MalformedRequest,
        // What the trigger region_is_storable raises: nobody's fault but the region's, and not mended by asking again.
        PostgresException { SqlState: PostgresErrorCodes.IntegrityConstraintViolation } refused when refused.MessageText.StartsWith("residency: ", StringComparison.Ordinal) => CommonRefusals.RegionNotStorable,
        // 22021: U+0000 and what is no UTF-8; 22P05: no such character in the database.
        PostgresException { SqlState: "22021" or "22P05" } => CommonRefusals.MalformedRequest,
        _ => null,
    };
}

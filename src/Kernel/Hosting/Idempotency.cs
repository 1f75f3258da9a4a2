using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;

namespace Trust.Kernel.Hosting;

/// <summary>
/// <c>Idempotency-Key</c> on every non-protocol POST: the same key and bytes get the same bytes back; the same key with
/// other bytes is refused. Answers of status 500 and above are not kept, so that a fault can be retried.
/// </summary>
public static class Idempotency
{
    private const string Header = "Idempotency-Key";

    extension(HttpContext context)
    {
        /// <summary>The request's key, scoped to its caller; store it in the domain row so that a retry after a crash finds the first attempt.</summary>
        public string IdempotencyKey() => CallerOf(context) + "|" + context.Request.Headers[Header];
    }

    /// <summary>Runs an endpoint at most once per key.</summary>
    internal static async Task Enforce(HttpContext context, RequestDelegate next, IdempotencyStore keys)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<Route>() is not { Repeats: not Repeats.ByProtocol } route)
        {
            await next(context);
            return;
        }

        var header = context.Request.Headers[Header];
        if (header.Count != 1 || header[0] is not { Length: > 0 and <= 128 } key || key.Any(c => c is <= ' ' or > '~'))
        {
            await context.Refuse(CommonRefusals.IdempotencyKeyRequired);
            return;
        }

        if (route.Repeats is Repeats.FirstRow)
        {
            await next(context);
            return;
        }

        // Never to a file: bodies carry clinical data, and are bounded (ServiceHost.MaximumBody).
        context.Request.EnableBuffering((int)ServiceHost.MaximumBody);
        var hash = await SHA256.HashDataAsync(context.Request.Body, context.RequestAborted);
        context.Request.Body.Position = 0;
        var row = new IdempotencyRow(CallerOf(context), context.Request.Path.Value ?? "", key, hash);
        if (await keys.Claim(row))
        {
            await RunAndKeep(context, next, keys, row);
            return;
        }

        var kept = await keys.Find(row, context.RequestAborted);
        if (kept is { Status: null, Holder: { } holder } && kept.Hash.AsSpan().SequenceEqual(hash) && await keys.TakeOver(row, holder))
        {
            await RunAndKeep(context, next, keys, row);
            return;
        }

        await Repeat(context, kept, row);
    }

    private static async Task RunAndKeep(HttpContext context, RequestDelegate next, IdempotencyStore keys, IdempotencyRow row)
    {
        var outside = context.Response.Body;
        using var captured = new MemoryStream();
        context.Response.Body = captured;
        try
        {
            await next(context);
            // What a handler wrote through the pipe is not in the stream before.
            await context.Response.BodyWriter.FlushAsync(CancellationToken.None);
        }
        catch
        {
            context.Response.Body = outside;
            await keys.Free(row);
            throw;
        }

        context.Response.Body = outside;
        // Not cancelled with the request: the act is done, and a caller that hung up will ask for this answer again.
        if (context.Response.StatusCode >= 500)
        {
            await keys.Free(row);
        }
        else
        {
            await keys.Keep(row, context.Response.StatusCode, context.Response.ContentType, context.Response.Headers.Location.ToString(), captured.ToArray());
        }

        captured.Position = 0;
        await captured.CopyToAsync(outside, context.RequestAborted);
    }

    private static async Task Repeat(HttpContext context, KeptAnswer? kept, IdempotencyRow row)
    {
        if (kept is not null && !kept.Hash.AsSpan().SequenceEqual(row.Hash))
        {
            await context.Refuse(CommonRefusals.IdempotencyMismatch);
            return;
        }

        if (kept?.Status is not { } status)
        {
            context.Response.Headers.RetryAfter = "1";
            await context.Refuse(CommonRefusals.IdempotencyInFlight);
            return;
        }

        context.Response.StatusCode = status;
        context.Response.ContentType = kept.ContentType;
        if (!string.IsNullOrEmpty(kept.Location))
        {
            context.Response.Headers.Location = kept.Location;
        }

        await context.Response.Body.WriteAsync(kept.Body, context.RequestAborted);
    }

    // Keys are the caller's own: another caller guessing one neither sees an answer nor blocks it.
    private static string CallerOf(HttpContext context)
    {
        if (context.Connection.ClientCertificate is { } certificate)
        {
            return "tls:" + Convert.ToHexStringLower(SHA256.HashData(certificate.RawDataMemory.Span));
        }

        return EndpointAccess.TryCaller(context) is { } caller ? $"token:{caller.ClientId}:{caller.Subject}" : "anyone";
    }
}

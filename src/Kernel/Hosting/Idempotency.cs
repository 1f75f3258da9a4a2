using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Postgres;

namespace Trust.Kernel.Hosting;

/// <summary>
/// <c>Idempotency-Key</c> on every non-protocol POST: the same key and bytes get the same bytes back; the same key with
/// other bytes is refused. Answers of status 500 and above are not kept, so that a fault can be retried.
/// </summary>
public static class Idempotency
{
    private const string Header = "Idempotency-Key";
    private const int MaximumKept = 1024 * 1024;

    // Longer than any request may run (ServiceHost's timeout); a process that died frees its keys after this.
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(10);

    private const string Claim = """
        INSERT INTO idempotency (caller, endpoint, key, request_hash, lease_until, created_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (caller, endpoint, key) DO UPDATE SET lease_until = excluded.lease_until
        WHERE idempotency.status IS NULL AND idempotency.lease_until < $6 AND idempotency.request_hash = excluded.request_hash
        """;
    private const string Find = "SELECT request_hash, status, content_type, location, body FROM idempotency WHERE caller = $1 AND endpoint = $2 AND key = $3";
    private const string Keep = """
        UPDATE idempotency SET status = $4, content_type = $5, location = $6, body = $7
        WHERE caller = $1 AND endpoint = $2 AND key = $3 AND status IS NULL
        """;
    private const string Free = "DELETE FROM idempotency WHERE caller = $1 AND endpoint = $2 AND key = $3 AND status IS NULL";

    /// <summary>Makes the header compulsory on this endpoint.</summary>
    public static TBuilder Idempotent<TBuilder>(this TBuilder builder) where TBuilder : IEndpointConventionBuilder =>
        builder.WithMetadata(new Marker());

    extension(HttpContext context)
    {
        /// <summary>The request's key, scoped to its caller; store it in the domain row so that a retry after a crash finds the first attempt.</summary>
        public string IdempotencyKey() => CallerOf(context) + "|" + context.Request.Headers[Header];
    }

    /// <summary>Runs an endpoint at most once per key.</summary>
    internal static async Task Enforce(HttpContext context, RequestDelegate next, NpgsqlDataSource db, TimeProvider clock, ProblemSet problems)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<Marker>() is null)
        {
            await next(context);
            return;
        }

        var header = context.Request.Headers[Header];
        if (header.Count != 1 || header[0] is not { Length: > 0 and <= 128 } key || key.Any(c => c is <= ' ' or > '~'))
        {
            await problems.Of("idempotency-key-required", 400, "Send an Idempotency-Key header of 1 to 128 visible ASCII characters.").ExecuteAsync(context);
            return;
        }

        context.Request.EnableBuffering(64 * 1024);
        var hash = await SHA256.HashDataAsync(context.Request.Body, context.RequestAborted);
        context.Request.Body.Position = 0;
        var row = new Row(CallerOf(context), context.Request.Path.Value ?? "", key, hash);
        var now = clock.GetUtcNow();
        if (await db.Sql(Claim).With(row.Caller).With(row.Endpoint).With(row.Key).With(row.Hash).With(now + Lease).With(now).Execute(context.RequestAborted) == 1)
        {
            await RunAndKeep(context, next, db, row);
            return;
        }

        await Repeat(context, db, row, problems);
    }

    private static async Task RunAndKeep(HttpContext context, RequestDelegate next, NpgsqlDataSource db, Row row)
    {
        var outside = context.Response.Body;
        using var captured = new MemoryStream();
        context.Response.Body = captured;
        try
        {
            await next(context);
        }
        catch
        {
            context.Response.Body = outside;
            await db.Sql(Free).With(row.Caller).With(row.Endpoint).With(row.Key).Execute(CancellationToken.None);
            throw;
        }

        context.Response.Body = outside;
        // What happened has happened: a caller hanging up must not lose the answer it will ask for again.
        if (context.Response.StatusCode >= 500 || captured.Length > MaximumKept)
        {
            await db.Sql(Free).With(row.Caller).With(row.Endpoint).With(row.Key).Execute(CancellationToken.None);
        }
        else
        {
            await db.Sql(Keep).With(row.Caller).With(row.Endpoint).With(row.Key).With(context.Response.StatusCode)
                .With(context.Response.ContentType).With(context.Response.Headers.Location.ToString()).With(captured.ToArray()).Execute(CancellationToken.None);
        }

        captured.Position = 0;
        await captured.CopyToAsync(outside, context.RequestAborted);
    }

    private static async Task Repeat(HttpContext context, NpgsqlDataSource db, Row row, ProblemSet problems)
    {
        var kept = await db.Sql(Find).With(row.Caller).With(row.Endpoint).With(row.Key).One(
            r => new Kept(r.GetFieldValue<byte[]>(0), r.IsDBNull(1) ? null : r.GetInt32(1), r.Nullable<string>(2), r.Nullable<string>(3), r.Nullable<byte[]>(4)),
            context.RequestAborted);
        if (kept is not null && !kept.Hash.AsSpan().SequenceEqual(row.Hash))
        {
            await problems.Of("idempotency-mismatch", 422, "This Idempotency-Key was used with another body; choose a new key.").ExecuteAsync(context);
            return;
        }

        if (kept?.Status is not { } status)
        {
            context.Response.Headers.RetryAfter = "1";
            await problems.Of("idempotency-in-flight", 409, "The first request with this key is still running; ask again shortly.").ExecuteAsync(context);
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

    private sealed record Marker;

    private sealed record Row(string Caller, string Endpoint, string Key, byte[] Hash);

    private sealed record Kept(byte[] Hash, int? Status, string? ContentType, string? Location, byte[]? Body);
}

using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Mvc;

namespace Trust.Witness;

/// <summary>
/// <c>POST /add-checkpoint</c> (C2SP tlog-witness) and <c>GET /&lt;hex SHA-256 of origin&gt;/checkpoint</c>. Anyone may call: what counts is the log's
/// own signature. The specification fixes statuses and bodies, so refusals are plain text.
/// </summary>
internal static class AddCheckpoint
{
    private static readonly TimeSpan Wait = TimeSpan.FromSeconds(5);
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    public static void Map(WebApplication app)
    {
        app.MapPost("/add-checkpoint", Handle).AllowAnonymous().WithMetadata(new RequestSizeLimitAttribute(AddCheckpointRequest.MaxBytes));
        app.MapGet("/{log}/checkpoint", Newest).AllowAnonymous();
    }

    private static async Task<IResult> Handle(HttpContext context, WatchedLogs logs, IHostApplicationLifetime life, ILogger<WatchedLog> log)
    {
        if (AddCheckpointRequest.TryParse(await Read(context)) is not { } request)
        {
            return Text(400, "the body is no add-checkpoint request");
        }

        if (logs.Find(request.Checkpoint.Origin) is not { } watched)
        {
            return Text(404, "this witness does not know that log");
        }

        switch (await watched.Add(request, Wait, life.ApplicationStopping))
        {
            case AddOutcome.Cosigned(var line):
                WitnessLog.Cosigned(log, watched.Origin, request.Checkpoint.Size);
                return Text(200, line.ToString());
            case AddOutcome.NotSigned:
                return Text(403, "no known key of the log signed the checkpoint");
            case AddOutcome.OldTooLarge:
                return Text(400, "the old size is larger than the checkpoint's");
            case AddOutcome.Elsewhere(var size):
                return Results.Text(string.Create(CultureInfo.InvariantCulture, $"{size}\n"), "text/x.tlog.size", statusCode: 409);
            case AddOutcome.Wrong(var why):
                WitnessLog.Refused(log, watched.Origin, request.Checkpoint.Size, why);
                return Text(422, why);
            case AddOutcome.NotNow(var why):
                WitnessLog.Unreadable(log, watched.Origin, why);
                context.Response.Headers.RetryAfter = "1";
                return Text(503, why);
            default:
                throw new InvalidOperationException("A closed set.");
        }
    }

    private static IResult Newest(string log, HttpContext context, WatchedLogs logs)
    {
        if (logs.FindById(log) is not { Note.Length: > 0 } watched)
        {
            return Text(404, "this witness has cosigned nothing of that log");
        }

        context.Response.Headers.CacheControl = "public, max-age=1";
        return Results.Text(watched.Note, "text/plain", Encoding.UTF8);
    }

    private static async Task<string> Read(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        try
        {
            return Strict.GetString(body.GetBuffer(), 0, (int)body.Length);
        }
        catch (DecoderFallbackException)
        {
            return "";
        }
    }

    private static IResult Text(int status, string text) => Results.Text(text + "\n", "text/plain", Encoding.UTF8, status);
}

using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Trust.Witness;

/// <summary>
/// <c>add-checkpoint</c> of C2SP tlog-witness. Anyone may call: what counts is the log's own signature. The specification fixes statuses and
/// bodies, so refusals are plain text.
/// </summary>
internal sealed class AddCheckpoint(WatchedLogs logs, IHostApplicationLifetime life, ILogger<WatchedLog> log)
{
    private static readonly TimeSpan Wait = TimeSpan.FromSeconds(5);
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <summary>Answers the cosignature's line, or 409 with the size at which this witness stands.</summary>
    public async Task<ContentHttpResult> Handle(HttpContext context)
    {
        if (AddCheckpointRequest.TryParse(await Read(context)) is not { } request)
        {
            return WitnessRefusals.MalformedRequest.AsText(context);
        }

        if (logs.Find(request.Checkpoint.Origin) is not { } watched)
        {
            return WitnessRefusals.UnknownLog.AsText(context);
        }

        switch (await watched.Add(request, Wait, life.ApplicationStopping))
        {
            case AddOutcome.Cosigned(var line):
                WitnessLog.Cosigned(log, watched.Origin, request.Checkpoint.Size);
                return TypedResults.Text(line + "\n", "text/plain", Encoding.UTF8);
            case AddOutcome.NotSigned:
                return WitnessRefusals.NotSigned.AsText(context);
            case AddOutcome.OldTooLarge:
                return WitnessRefusals.OldTooLarge.AsText(context);
            case AddOutcome.Elsewhere(var size):
                return TypedResults.Text(string.Create(CultureInfo.InvariantCulture, $"{size}\n"), "text/x.tlog.size", statusCode: StatusCodes.Status409Conflict);
            case AddOutcome.Wrong(var why):
                WitnessLog.Refused(log, watched.Origin, request.Checkpoint.Size, why);
                return WitnessRefusals.WrongLog.With("why", why).AsText(context);
            case AddOutcome.NotNow(var why):
                WitnessLog.Unreadable(log, watched.Origin, why);
                context.Response.Headers.RetryAfter = "1";
                return WitnessRefusals.NotNow.With("why", why).AsText(context);
            default:
                throw new InvalidOperationException("A closed set.");
        }
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
}

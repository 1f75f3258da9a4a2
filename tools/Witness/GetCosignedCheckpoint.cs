using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Trust.Witness;

/// <summary>The newest checkpoint that this witness has cosigned of a log; for anyone.</summary>
internal sealed class GetCosignedCheckpoint(WatchedLogs logs)
{
    /// <summary>Answers a signed note.</summary>
    public ContentHttpResult Handle(string log, HttpContext context)
    {
        if (logs.FindById(log) is not { Note.Length: > 0 } watched)
        {
            return WitnessRefusals.NothingCosigned.AsText(context);
        }

        context.Response.Headers.CacheControl = "public, max-age=1";
        return TypedResults.Text(watched.Note, "text/plain", Encoding.UTF8);
    }
}

using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Trust.Witness;

/// <summary>Where the last volume ended that this witness recomputed, cosigned: a later witness of a pruned log begins there. For anyone; hashes only.</summary>
internal sealed class GetLandmark(WatchedLogs logs)
{
    /// <summary>Answers the note and the state it names.</summary>
    public ContentHttpResult Handle(string log, HttpContext context)
    {
        if (logs.FindById(log)?.Shown is not { } landmark)
        {
            return WitnessRefusals.NoLandmark.AsText(context);
        }

        context.Response.Headers.CacheControl = "public, max-age=1";
        return TypedResults.Text(landmark.Write(), "application/json", Encoding.UTF8);
    }
}

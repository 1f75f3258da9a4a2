using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Hosting;

namespace Trust.AuditLedger.Anchoring;

/// <summary>
/// <c>GET /anchors/latest</c> and <c>GET /anchors/{size}</c> (the earliest anchor that covers that size): size, root, time and tokens, for an outside
/// notary or anyone. The first token is over the bytes of <c>note</c>, each later one over <c>note</c> and the tokens before it.
/// </summary>
internal static class GetAnchors
{
    public static void Map(WebApplication app)
    {
        app.MapGet("/anchors/latest", (AnchorStore store, ProblemSet problems, HttpContext context) => Answer(store.Latest(context.RequestAborted), problems)).AllowAnonymous();
        app.MapGet("/anchors/{size:long}", (long size, AnchorStore store, ProblemSet problems, HttpContext context) => Answer(store.Covering(size, context.RequestAborted), problems)).AllowAnonymous();
    }

    private static async Task<Results<Ok<AnchorAnswer>, ProblemHttpResult>> Answer(Task<Anchor?> found, ProblemSet problems) =>
        await found is { } anchor
            ? TypedResults.Ok(new AnchorAnswer(
                anchor.Checkpoint.Size, anchor.Checkpoint.Root, anchor.Note, [.. anchor.Stamps.Select(s => new AnchorStamp(s.Authority, s.Time, s.Ends, s.Token))]))
            : problems.Of("not-anchored", 404, "No anchor covers that size yet.");
}

/// <summary>An anchored checkpoint. Bytes are Base64.</summary>
/// <param name="Size">Number of entries.</param>
/// <param name="Root">RFC 6962 root.</param>
/// <param name="Note">The signed note that was stamped.</param>
/// <param name="Stamps">The time-stamp over the note, then its renewals.</param>
public sealed record AnchorAnswer(long Size, byte[] Root, string Note, IReadOnlyList<AnchorStamp> Stamps);

/// <summary>One time-stamp of an anchor.</summary>
/// <param name="Authority">Peer name of the authority.</param>
/// <param name="Time">genTime.</param>
/// <param name="Ends">When the authority's certificate ends.</param>
/// <param name="Token">RFC 3161 token, DER.</param>
public sealed record AnchorStamp(string Authority, DateTimeOffset Time, DateTimeOffset Ends, byte[] Token);

/// <summary>JSON of the anchors.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(AnchorAnswer))]
public sealed partial class AnchorJson : JsonSerializerContext;

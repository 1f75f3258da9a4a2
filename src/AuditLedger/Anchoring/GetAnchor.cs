using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.AuditLedger.Proofs;
using Trust.Kernel.Hosting;

namespace Trust.AuditLedger.Anchoring;

/// <summary>
/// The newest anchor, or the earliest that covers a size: size, root, time and tokens, for an outside notary or anyone. The first token is
/// over the bytes of <c>note</c>, each later one over <c>note</c> and the tokens before it.
/// </summary>
internal sealed class GetAnchor(AnchorStore store, ReaderGate gate)
{
    /// <summary>The newest.</summary>
    public async Task<Results<Ok<AnchorAnswer>, Refusal>> Latest(HttpContext context) => Answer(await gate.Read(() => store.Latest(context.RequestAborted), context.RequestAborted));

    /// <summary>The earliest that covers a size.</summary>
    public async Task<Results<Ok<AnchorAnswer>, Refusal>> Covering(long size, HttpContext context) => Answer(await gate.Read(() => store.Covering(size, context.RequestAborted), context.RequestAborted));

    private static Results<Ok<AnchorAnswer>, Refusal> Answer(Anchor? found) =>
        found is { } anchor
            ? TypedResults.Ok(new AnchorAnswer(
                anchor.Checkpoint.Size, anchor.Checkpoint.Root, anchor.Note, [.. anchor.Stamps.Select(s => new AnchorStamp(s.Authority, s.Time, s.Ends, s.Token))]))
            : LedgerRefusals.NoSuchAnchor;
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

using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Proofs;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.AuditLedger.Tiles;

/// <summary>
/// <c>/tile/&lt;L&gt;/&lt;N&gt;[.p/&lt;W&gt;]</c> (C2SP tlog-tiles), for anyone: hashes only. Only the path names a tile; a query is never read, so a
/// cache that drops or reorders one cannot mix answers up.
/// </summary>
internal sealed class GetHashTile(Sequencer sequencer, TileStore tiles, ReaderGate gate)
{
    private const string Prefix = "/tile/";
    private const string Forever = "max-age=31536000, immutable";

    // A partial tile never changes either, but a reader should soon ask for the full one instead.
    private const string Shortly = "max-age=60";

    /// <summary>Answers the tile's hashes, concatenated.</summary>
    public async Task<Results<FileContentHttpResult, Refusal>> Handle(HttpContext context)
    {
        if (sequencer.Published is not { } head)
        {
            return SubmitRefusal.Standby.Answer(context);
        }

        return PathOf(context) is { } path && await gate.Read(() => tiles.Hashes(path, head, context.RequestAborted), context.RequestAborted) is { } hashes
            ? Answer(context, path, hashes, "public")
            : LedgerRefusals.NoSuchTile;
    }

    /// <summary>The tile that the request names; null when it is not the one spelling of a tile.</summary>
    public static TilePath? PathOf(HttpContext context)
    {
        // The bytes as sent: routing has decoded its own copy, where %78 and x would be two addresses of one tile.
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget.AsSpan();
        var path = target.IndexOf('?') is >= 0 and var query ? target[..query] : target;
        return path.StartsWith(Prefix, StringComparison.Ordinal) ? TilePath.TryParse(path[Prefix.Length..]) : null;
    }

    /// <summary>A tile as an answer.</summary>
    /// <param name="context">The request.</param>
    /// <param name="path">Which tile.</param>
    /// <param name="bytes">Its bytes.</param>
    /// <param name="audience">Which caches may keep it: <c>public</c> or <c>private</c>.</param>
    public static FileContentHttpResult Answer(HttpContext context, TilePath path, byte[] bytes, string audience)
    {
        context.Response.Headers.CacheControl = $"{audience}, {(path.Width == LogTree.Width ? Forever : Shortly)}";
        return TypedResults.File(bytes, "application/octet-stream");
    }
}

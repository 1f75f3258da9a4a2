using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.AuditLedger.Entries;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.AuditLedger.Tiles;

/// <summary>
/// <c>GET /tile/&lt;L&gt;/&lt;N&gt;[.p/&lt;W&gt;]</c> (C2SP tlog-tiles), for anyone: hashes only. <c>GET /tile/entries/…</c>, for regulators and witnesses: bundles
/// hold events. Only the path names a tile; a query is never read, so a cache that drops or reorders one cannot mix answers up.
/// </summary>
internal static class GetTiles
{
    private const string Prefix = "/tile/";
    private const string Forever = "max-age=31536000, immutable";

    // A partial tile never changes either, but a reader should soon ask for the full one instead.
    private const string Shortly = "max-age=60";

    public static void Map(WebApplication app, IReadOnlyList<string> witnesses)
    {
        app.MapGet("/tile/entries/{**path}", Entries).RequireScopeOrPeer("audit.read", [.. witnesses]);
        app.MapGet("/tile/{level}/{**path}", Hashes).AllowAnonymous();
    }

    private static async Task<Results<FileContentHttpResult, ProblemHttpResult>> Hashes(
        HttpContext context, Sequencer sequencer, TileStore tiles, ProblemSet problems)
    {
        if (sequencer.Published is not { } head)
        {
            return SubmitRefusal.Standby.ToProblem(problems, context);
        }

        return Parse(context) is { } path && await tiles.Hashes(path, head, context.RequestAborted) is { } hashes
            ? Answer(context, path, hashes, "public")
            : Missing(problems);
    }

    private static async Task<Results<FileContentHttpResult, ProblemHttpResult>> Entries(
        HttpContext context, Sequencer sequencer, TileStore tiles, BundleReaders readers, ProblemSet problems)
    {
        if (!context.IsPeer() && !readers.MayRead(context.Caller()))
        {
            return problems.Of("not-a-regulator", 403, "Entries hold events; they are given to witnesses, and to regulators of the whole region of this log.");
        }

        if (sequencer.Published is not { } head)
        {
            return SubmitRefusal.Standby.ToProblem(problems, context);
        }

        if (Parse(context) is not { } path || await tiles.Entries(path, head, context.RequestAborted) is not { } bundle)
        {
            return Missing(problems);
        }

        return context.IsPeer() || await readers.Record(context.Caller(), path, context.RequestAborted)
            ? Answer(context, path, bundle, "private")
            : problems.Of("query-not-recorded", 503, "The query could not be recorded, so it is not answered. Ask again.");
    }

    // The bytes as sent: routing has decoded its own copy, where %78 and x would be two addresses of one tile.
    private static TilePath? Parse(HttpContext context)
    {
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget.AsSpan();
        var path = target.IndexOf('?') is >= 0 and var query ? target[..query] : target;
        return path.StartsWith(Prefix, StringComparison.Ordinal) ? TilePath.TryParse(path[Prefix.Length..]) : null;
    }

    private static FileContentHttpResult Answer(HttpContext context, TilePath path, byte[] bytes, string audience)
    {
        context.Response.Headers.CacheControl = $"{audience}, {(path.Width == LogTree.Width ? Forever : Shortly)}";
        return TypedResults.File(bytes, "application/octet-stream");
    }

    private static ProblemHttpResult Missing(ProblemSet problems) =>
        problems.Of("no-such-tile", 404, "No published checkpoint covers such a tile, or its entries were pruned; a full tile is addressed without .p.");
}

using Microsoft.AspNetCore.Http.HttpResults;
using Trust.AuditLedger.Entries;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;

namespace Trust.AuditLedger.Tiles;

/// <summary>
/// <c>/tile/entries/&lt;N&gt;[.p/&lt;W&gt;]</c> (C2SP tlog-tiles), for regulators and witnesses: bundles hold events. What a regulator reads is an
/// event itself, confirmed before the bundle leaves.
/// </summary>
internal sealed class GetEntryBundle(Sequencer sequencer, TileStore tiles, BundleReaders readers)
{
    /// <summary>Answers the bundle's entries, each after its length.</summary>
    public async Task<Results<FileContentHttpResult, Refusal>> Handle(HttpContext context)
    {
        if (!context.IsPeer() && !readers.MayRead(context.Caller()))
        {
            return LedgerRefusals.NotARegulator;
        }

        if (sequencer.Published is not { } head)
        {
            return SubmitRefusal.Standby.Answer(context);
        }

        if (GetHashTile.PathOf(context) is not { } path || await tiles.Entries(path, head, context.RequestAborted) is not { } bundle)
        {
            return LedgerRefusals.NoSuchTile;
        }

        return context.IsPeer() ? GetHashTile.Answer(context, path, bundle, "private") : await readers.Record(context.Caller(), "tile:" + path, context.RequestAborted) switch
        {
            ConfirmOutcome.Confirmed => GetHashTile.Answer(context, path, bundle, "private"),
            ConfirmOutcome.Refused(var why) => CommonRefusals.From(why),
            _ => CommonRefusals.LedgerAway,
        };
    }
}

using Trust.AuditLedger.Anchoring;
using Trust.AuditLedger.Checkpoints;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Evidence;
using Trust.AuditLedger.Proofs;
using Trust.AuditLedger.Retention;
using Trust.AuditLedger.Shredding;
using Trust.AuditLedger.Tiles;
using Trust.AuditLedger.Watching;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.AuditLedger;

/// <summary>Every address of the ledger: who may call it, how often, and what it does.</summary>
internal static class Map
{
    /// <summary>The table; sources and witnesses are those that the configuration declares.</summary>
    public static RouteTable Routes(IConfiguration configuration)
    {
        var options = configuration.Section<AuditLedgerOptions>("AuditLedger");
        var sources = Who.Peers([.. options.Sources.Select(s => s.Name)]);
        string[] witnesses = [.. options.Witnessing.Witnesses.Select(w => w.Peer)];
        return new RouteTable()
            .Protocol<PostEntries>("/entries", sources, Limit.None, e => e.Handle, "Takes a signed batch of one source's events, once.",
                row => row with { MaximumBody = BatchFrame.MaxBytes })
            .Get<GetSourceHead>("/sources/{name}/head", sources, Limit.None, e => e.Handle, "Where the calling source's own chain stands.")
            .Protocol<OpenEpoch>("/sources/{name}/epochs", sources, Limit.None, e => e.Handle, "Lets the calling source's relay take over its own chain.")
            .Get<GetCheckpoint>("/checkpoint", Who.Anyone, Limit.Read, e => e.Handle, "The newest signed head, cosigned by the witnesses that are asked for.")
            .Get<GetSm3Checkpoint>("/checkpoint/sm3", Who.Anyone, Limit.Read, e => e.Handle, "The newest signed head of the same entries under SM3.")
            .Get<GetHashTile>("/tile/{level}/{**path}", Who.Anyone, Limit.Read, e => e.Handle, "A tile of the log's hashes (C2SP tlog-tiles).")
            .Get<GetEntryBundle>("/tile/entries/{**path}", Who.TokenOrPeers("audit.read", witnesses), Limit.Client, e => e.Handle,
                "A bundle of whole entries (C2SP tlog-tiles), for regulators of the log's region, who leave a record, and for witnesses.")
            .Get<GetTlogProof>("/proofs/tlog-proof", Who.Anyone, Limit.Read, e => e.Handle, "Proves an entry under the newest checkpoint (C2SP tlog-proof).")
            .Get<GetInclusionProof>("/proofs/inclusion", Who.Anyone, Limit.Read, e => e.Handle, "Proves that an entry stands in a tree (RFC 6962).")
            .Get<GetConsistencyProof>("/proofs/consistency", Who.Anyone, Limit.Read, e => e.Handle, "Proves that one tree extends another (RFC 6962).")
            .Get<GetAnchor>("/anchors/latest", Who.Anyone, Limit.Read, e => e.Latest, "The newest checkpoint that an outside authority has time-stamped.")
            .Get<GetAnchor>("/anchors/{size:long}", Who.Anyone, Limit.Read, e => e.Covering, "The earliest time-stamped checkpoint that covers a size.")
            .Get<GetEvidence>("/evidence/{kind}/{subject}", Who.Token("audit.read"), Limit.Client, e => e.Handle,
                "All events on one subject in a period, with the proof that none is missing; for regulators, who leave a record.")
            .Get<ListAlarms>("/alarms", Who.Token("audit.read"), Limit.Client, e => e.Handle,
                "The alarms that the log holds, oldest first, by time and kind; for regulators of the log's region, who leave a record.")
            .Post<PlaceHold>("/holds", Who.Token("audit.hold"), Limit.Client, e => e.Handle, "A regulator keeps everything on a subject while a case is open.")
            .Post<ReleaseHold>("/holds/{id:guid}/release", Who.Token("audit.hold"), Limit.Client, e => e.Handle, "A regulator asks that a hold of the own region be released; a second one confirms it.")
            .Get<ListHolds>("/holds", Who.Token("audit.hold"), Limit.Client, e => e.Handle, "The open holds of the own region, oldest first.")
            .Protocol<ListHeld>("/holds/held", sources, Limit.None, e => e.Handle, "Which of a source's subjects an open hold lies on, before it deletes.")
            .Post<RequestShredding>("/shreddings", Who.Token("audit.shred"), Limit.Client, e => e.Handle, "A records officer asks that a subject's sealed detail be destroyed.")
            .Post<ApproveShredding>("/shreddings/{id:guid}/approve", Who.Token("audit.shred"), Limit.Client, e => e.Handle, "A second records officer approves it.")
            .Get<GetShredding>("/shreddings/{id:guid}", Who.Token("audit.shred"), Limit.Client, e => e.Handle, "Where a shredding stands.");
    }
}

using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Tiles;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.AuditLedger.Watching;

/// <summary>
/// The alarms that the log holds, for regulators whose region is the log's or holds it. What is told of each is read from its entry; that none is missing is
/// proved by an evidence question of kind <c>alarm</c>. The look-up is an event itself, confirmed before anything leaves.
/// </summary>
internal sealed class ListAlarms(NpgsqlDataSource db, Sequencer sequencer, BundleReaders readers, ILogger<ListAlarms> log)
{
    // A pruned alarm leaves the list with its entry; an entry that no published head covers is not there yet.
    private const string Select = """
        SELECT a.idx, e.leaf, e.leaf_hash FROM alarms a JOIN entries e ON e.idx = a.idx
        WHERE (a.at, a.id) > ($1, $2) AND a.at >= $3 AND a.at < $4 AND ($5 = '' OR a.kind = $5) AND a.idx < $6
        ORDER BY a.at, a.id LIMIT $7
        """;

    private static readonly string[] Parameters = ["from", "to", "kind", "after", "limit"];

    /// <summary>Answers them, oldest first, a page at a time.</summary>
    public async Task<Results<Ok<IReadOnlyList<LoggedAlarm>>, Refusal>> Handle(
        HttpContext context, string? from, string? to, string? kind, string? after, int? limit, CancellationToken ct)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (!readers.MayRead(context.Caller()))
        {
            return LedgerRefusals.NotARegulator;
        }

        if (Page.Of(after, limit) is not { } page)
        {
            return CommonRefusals.MalformedPage;
        }

        var (begin, end) = (DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue);
        if (Malformed(context.Request.Query, from, to, kind, ref begin, ref end) is { } member)
        {
            return LedgerRefusals.MalformedAlarmQuestion.With("member", member);
        }

        if (sequencer.Published is not { } head)
        {
            return LedgerRefusals.Standby;
        }

        var rows = await db.Sql(Select).With(page.After.At).With(page.After.Id).With(begin.ToUniversalTime()).With(end.ToUniversalTime()).With(kind ?? "").With(head.Checkpoint.Size).With(page.Fetch)
            .All(r => (Index: r.GetInt64(0), Leaf: r.GetFieldValue<byte[]>(1), Hash: r.GetFieldValue<byte[]>(2)), ct);
        // Hashed before it is read: a row that somebody altered is not told as the log's word, and need not be JSON.
        var found = rows.ConvertAll(r => MerkleProof.LeafHash(r.Leaf).AsSpan().SequenceEqual(r.Hash) ? LoggedAlarm.Of(r.Index, r.Leaf) : null);
        if (found.IndexOf(null) is >= 0 and var damaged)
        {
            LedgerLog.EntryDamaged(log, rows[damaged].Index);
            return LedgerRefusals.EntryDamaged.With("index", rows[damaged].Index);
        }

        var answer = page.Take(context, found.ConvertAll(a => a!), alarm => new Cursor(alarm.At, alarm.Id));
        // Nothing leaves before the ledger has on record who was told.
        return await readers.Record(context.Caller(), $"alarms:{kind ?? "all"}", ct) switch
        {
            ConfirmOutcome.Confirmed => TypedResults.Ok(answer),
            ConfirmOutcome.Refused(var why) => CommonRefusals.From(why),
            _ => CommonRefusals.LedgerAway,
        };
    }

    // The member at fault; null when there is none. A misspelt parameter would ask another question.
    private static string? Malformed(IQueryCollection query, string? from, string? to, string? kind, ref DateTimeOffset begin, ref DateTimeOffset end) =>
        query.FirstOrDefault(p => !Parameters.Contains(p.Key, StringComparer.Ordinal) || p.Value.Count != 1).Key is { } name ? name[..Math.Min(name.Length, 64)]
        : from is not null && !InstantText.TryRead(from, out begin) ? "from"
        : (to is not null && !InstantText.TryRead(to, out end)) || begin >= end ? "to"
        : kind is not null && !AlarmNames.Has(kind) ? "kind"
        : null;
}

using System.Text;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Anchoring;

/// <summary>An anchored checkpoint with all its time-stamps: the first over the note, each later one over the note and the tokens before it.</summary>
/// <param name="Id">Row of the first.</param>
/// <param name="Checkpoint">Size and root.</param>
/// <param name="Note">The signed note that was stamped.</param>
/// <param name="Stamps">In order.</param>
internal sealed record Anchor(long Id, Checkpoint Checkpoint, string Note, IReadOnlyList<Stamp> Stamps)
{
    /// <summary>What the next renewal stamps: the note's bytes, then every token's.</summary>
    public byte[] Renewable() => [.. Encoding.UTF8.GetBytes(Note), .. Stamps.SelectMany(s => s.Token)];
}

/// <summary>SQL of anchors.</summary>
internal sealed class AnchorStore(NpgsqlDataSource db, Outbox outbox)
{
    private const string SelectLastStamped = "SELECT max(time) FROM anchor_stamps WHERE number = 0";
    private const string InsertAnchor = "INSERT INTO anchors (size, root, note) VALUES ($1, $2, $3) RETURNING id";
    private const string InsertStamp = "INSERT INTO anchor_stamps (anchor, number, authority, token, time, ends) VALUES ($1, $2, $3, $4, $5, $6)";
    private const string SelectLatest = "SELECT id FROM anchors ORDER BY size DESC, id DESC LIMIT 1";
    private const string SelectCovering = "SELECT id FROM anchors WHERE size >= $1 ORDER BY size, id LIMIT 1";
    private const string SelectAnchor = "SELECT note FROM anchors WHERE id = $1";
    private const string SelectStamps = "SELECT authority, token, time, ends FROM anchor_stamps WHERE anchor = $1 ORDER BY number";
    private const string SelectEntries = "SELECT leaf FROM entries WHERE idx >= $1 AND idx < $2 ORDER BY idx";

    // The last stamp of each anchor decides until when it proves anything by itself. Of each day the first anchor is renewed: what was
    // logged on a day then stays provable to the next day's beginning, and renewing costs one stamp a day instead of one a minute.
    private const string SelectEnding = """
        SELECT last.anchor
        FROM (SELECT DISTINCT ON (date_trunc('day', time AT TIME ZONE 'UTC')) anchor FROM anchor_stamps
              WHERE number = 0 ORDER BY date_trunc('day', time AT TIME ZONE 'UTC'), time, anchor) first
        JOIN LATERAL (SELECT anchor, ends FROM anchor_stamps s WHERE s.anchor = first.anchor ORDER BY number DESC LIMIT 1) last ON true
        WHERE last.ends < $1 AND last.ends > $2 ORDER BY last.ends LIMIT $3
        """;

    private static readonly byte[] AnchorEvent = "{\"action\":\"LEDGER.anchor\""u8.ToArray();

    /// <summary>When a checkpoint was stamped last; null when none was.</summary>
    public async Task<DateTimeOffset?> LastStamped(CancellationToken ct) =>
        (await db.Sql(SelectLastStamped).All(r => r.IsDBNull(0) ? (DateTimeOffset?)null : r.GetFieldValue<DateTimeOffset>(0), ct))[0];

    /// <summary>The newest anchor; null before the first.</summary>
    public async Task<Anchor?> Latest(CancellationToken ct) => await Read(await db.Sql(SelectLatest).Scalar<long?>(ct), ct);

    /// <summary>The earliest anchor of at least that size: the oldest proof of time for what lies below it.</summary>
    public async Task<Anchor?> Covering(long size, CancellationToken ct) => await Read(await db.Sql(SelectCovering).With(size).Scalar<long?>(ct), ct);

    /// <summary>Anchors, the first of each day, whose last stamp ends between two instants.</summary>
    public async Task<List<Anchor>> Ending(DateTimeOffset before, DateTimeOffset after, int most, CancellationToken ct)
    {
        var anchors = new List<Anchor>();
        foreach (var id in await db.Sql(SelectEnding).With(before).With(after).With(most).All(r => r.GetInt64(0), ct))
        {
            anchors.Add((await Read(id, ct))!);
        }

        return anchors;
    }

    /// <summary>Keeps a first stamp and tells of it.</summary>
    /// <returns>False when the event cannot be recorded now; nothing is kept then.</returns>
    public async Task<bool> Keep(Checkpoint checkpoint, string note, Stamp stamp, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        var id = await tx.Sql(InsertAnchor).With(checkpoint.Size).With(checkpoint.Root).With(note).Scalar<long>(ct);
        return await Finish(tx, id, 0, checkpoint, stamp, ct);
    }

    /// <summary>Keeps a renewal and tells of it.</summary>
    /// <returns>False when the event cannot be recorded now; nothing is kept then.</returns>
    public async Task<bool> Keep(Anchor renewed, Stamp stamp, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        return await Finish(tx, renewed.Id, (short)renewed.Stamps.Count, renewed.Checkpoint, stamp, ct);
    }

    /// <summary>True when nothing but anchors was logged between two sizes: anchoring that would beget the next anchor for ever.</summary>
    public async Task<bool> OnlyAnchorsBetween(long from, long to, CancellationToken ct)
    {
        const int most = 64;
        if (to - from > most)
        {
            return false;
        }

        var leaves = await db.Sql(SelectEntries).With(from).With(to).All(r => r.GetFieldValue<byte[]>(0), ct);
        return leaves.TrueForAll(leaf => leaf[0] == EntryType.Commit
            || (EventLeaf.TryRead(leaf, out var e) && e.Source is "ledger" && e.Body.StartsWith(AnchorEvent)));
    }

    private async Task<bool> Finish(NpgsqlTransaction tx, long anchor, short number, Checkpoint checkpoint, Stamp stamp, CancellationToken ct)
    {
        await tx.Sql(InsertStamp).With(anchor).With(number).With(stamp.Authority).With(stamp.Token).With(stamp.Time).With(stamp.Ends).Execute(ct);
        var told = await outbox.Append(tx, new AuditEvent
        {
            Action = "LEDGER.anchor",
            Actor = new Actor("ledger"),
            Subjects = [],
            Outcome = EventOutcome.Success,
            Basis = $"checkpoint:{checkpoint.Size}:{Convert.ToHexStringLower(checkpoint.Root)}",
            Reason = number == 0 ? "stamped" : "renewed",
            Correlation = stamp.Authority,
        }, ct);
        if (told is not AppendOutcome.Appended)
        {
            return false;
        }

        await tx.CommitAsync(ct);
        return true;
    }

    private async Task<Anchor?> Read(long? id, CancellationToken ct)
    {
        if (id is not { } anchor)
        {
            return null;
        }

        var stamps = await db.Sql(SelectStamps).With(anchor).All(
            r => new Stamp(r.GetString(0), r.GetFieldValue<byte[]>(1), r.GetFieldValue<DateTimeOffset>(2), r.GetFieldValue<DateTimeOffset>(3)), ct);
        return await db.Sql(SelectAnchor).With(anchor).One(
            r => new Anchor(anchor, Checkpoint.TryParse(SignedNote.TryRead(r.GetString(0))!.Value.Text)!, r.GetString(0), stamps), ct);
    }
}

using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using Npgsql;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Shredding;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Fsck;

/// <summary>
/// Puts back what was damaged, as the owner's role: derived hashes from the entries, entries from the mirror or from what their producers
/// still hold. A byte is written only when it gives the hash that the signed root proves, so the root stays the same, and a data key only when it
/// opens what is sealed; each repair and its event share a transaction.
/// </summary>
internal sealed class LogRepair(
    NpgsqlDataSource owner, NpgsqlDataSource db, Mirror mirror, Outbound outbound, Sources sources, Outbox outbox, SubjectKeyVault vault)
{
    private const string UpsertTile = "INSERT INTO tiles (level, n, hashes) VALUES ($1, $2, $3) ON CONFLICT (level, n) DO UPDATE SET hashes = excluded.hashes";
    private const string UpsertEntry = "INSERT INTO entries (idx, leaf_hash, leaf) VALUES ($1, $2, $3) ON CONFLICT (idx) DO UPDATE SET leaf_hash = excluded.leaf_hash, leaf = excluded.leaf";
    private const string DeleteVolumes = "DELETE FROM index_epochs WHERE epoch >= $1";
    private const string SelectRebuildable = "SELECT COALESCE((SELECT start FROM index_epochs WHERE epoch = $1), $2) >= minimum FROM entries_layout";
    private const string UpdateHash = "UPDATE entries SET leaf_hash = $2 WHERE idx = $1";
    private const string SelectLeaf = "SELECT leaf FROM entries WHERE idx = $1";
    private const string UpsertDataKey = "INSERT INTO data_keys (idx, key) VALUES ($1, $2) ON CONFLICT (idx) DO UPDATE SET key = excluded.key";
    private const string DeleteDataKey = "DELETE FROM data_keys WHERE idx = $1";
    private const string UpdateRoot = "UPDATE head SET root = $1 WHERE size = $2";
    private const string UpdateSource = "UPDATE sources SET epoch = $2, seq = $3, hash = $4 WHERE name = $1";

    /// <summary>Repairs what can be repaired.</summary>
    /// <returns>The faults that are gone; a further check shows what is left.</returns>
    public async Task<List<Fault>> Run(CheckReport report, CancellationToken ct)
    {
        var repaired = new List<Fault>();
        await using var connection = await owner.OpenConnectionAsync(ct);
        // Every copy was voted on; where no signature covers the outcome, nobody knows which history it is.
        foreach (var fault in report.Faults.Where(f => Last(f, report) < report.SignedSize))
        {
            await using var tx = await connection.BeginTransactionAsync(ct);
            if (await Repair(tx, fault, report, ct) is { } from && await Record(tx, fault, from, ct))
            {
                await tx.CommitAsync(ct);
                repaired.Add(fault);
            }
        }

        return repaired;
    }

    // The last entry that a fault's repair rests on.
    private static long Last(Fault fault, CheckReport report) => fault.Code switch
    {
        "tile-missing" or "tile-differs" => ((fault.Index!.Value + 1) << (8 * (Level(fault) + 1))) - 1,
        "head-root" or "source-head" or "index-row" => report.Size - 1,
        "data-key-stray" => 0,
        _ => fault.Index ?? long.MaxValue,
    };

    private static int Level(Fault fault) => int.Parse(fault.Detail["level ".Length..], CultureInfo.InvariantCulture);

    private async Task<string?> Repair(NpgsqlTransaction tx, Fault fault, CheckReport report, CancellationToken ct)
    {
        switch (fault.Code)
        {
            case "tile-missing" or "tile-differs":
                var tile = report.Tiles.First(t => t.Number == fault.Index && t.Level == Level(fault));
                await tx.Sql(UpsertTile).With((short)tile.Level).With(tile.Number).With(tile.Hashes).Execute(ct);
                return "entries";
            case "entry-hash":
                var leaf = await tx.Sql(SelectLeaf).With(fault.Index!.Value).Scalar<byte[]>(ct);
                await tx.Sql(UpdateHash).With(fault.Index.Value).With(MerkleProof.LeafHash(leaf!)).Execute(ct);
                return "entries";
            case "entry-missing" or "entry-leaf" or "leaf-malformed":
                return report.Expected.TryGetValue(fault.Index!.Value, out var expected) && await Whole(fault.Index.Value, expected, ct) is var (bytes, from)
                    && await tx.Sql(UpsertEntry).With(fault.Index.Value).With(expected).With(bytes).Execute(ct) == 1 ? from : null;
            case "head-root":
                return await tx.Sql(UpdateRoot).With(report.Root).With(report.Size).Execute(ct) == 1 ? "entries" : null;
            case "source-head":
                var name = fault.Detail.Split(':')[0];
                return report.Ends.TryGetValue(name, out var end) && end.Hash.Length > 0
                    && await tx.Sql(UpdateSource).With(name).With(end.Epoch).With(end.Seq).With(end.Hash).Execute(ct) == 1 ? "entries" : null;
            case "index-row":
                var volume = long.Parse(fault.Detail["volume ".Length..fault.Detail.IndexOf(':', StringComparison.Ordinal)], CultureInfo.InvariantCulture);
                if (!await tx.Sql(SelectRebuildable).With(volume).With(fault.Index!.Value).Scalar<bool>(ct))
                {
                    return null; // Its entries are pruned: what is stored, damaged as it is, is all there is.
                }

                // All of it is derived: the ledger makes it again from the entries when it starts.
                await tx.Sql(DeleteVolumes).With(volume).Execute(ct);
                return "entries";
            case "data-key" or "data-key-missing":
                return await DataKey(tx, fault.Index!.Value, ct);
            case "data-key-stray":
                await tx.Sql(DeleteDataKey).With(fault.Index!.Value).Execute(ct);
                return "entries";
            default:
                return null;
        }
    }

    // Only its producer has it besides, and only as long as its outbox keeps the event: the mirror must not survive a shredding.
    private async Task<string?> DataKey(NpgsqlTransaction tx, long index, CancellationToken ct)
    {
        var leaf = await tx.Sql(SelectLeaf).With(index).Scalar<byte[]>(ct);
        foreach (var source in sources.Names)
        {
            if (await Sent(source, index, ct) is { } sent && Opens(sent, leaf))
            {
                var (key, under) = await vault.Seal(sent.Body, SHA256.HashData(sent.Body), sent.DataKey, ct);
                return (await SubjectKeyVault.Hold(tx, [key[..SubjectKey.Size]], ct)).Contains(under) && await tx.Sql(UpsertDataKey).With(index).With(key).Execute(ct) == 1 ? "outbox of " + source : null;
            }
        }

        return null;
    }

    private static bool Opens(SentEvent sent, ReadOnlySpan<byte> leaf)
    {
        if (!EventLeaf.TryRead(leaf, out var e) || !e.Body.SequenceEqual(sent.Body) || EventBodyReader.Check(sent.Body) is not null
            || !EventBodyReader.HoldsSealed(sent.Body) || sent.DataKey is not { Length: SubjectKeyVault.KeySize })
        {
            return false;
        }

        using var body = JsonDocument.Parse(sent.Body);
        try
        {
            EventBody.Open(body.RootElement.GetProperty("sealed").GetString()!, sent.DataKey, new Trust.LogFormat.EventId(body.RootElement.GetProperty("id").GetGuid()));
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }
    }

    private async Task<(byte[] Leaf, string From)?> Whole(long index, byte[] expected, CancellationToken ct)
    {
        if (mirror.Find(index) is { } mirrored && MerkleProof.LeafHash(mirrored).AsSpan().SequenceEqual(expected))
        {
            return (mirrored, "mirror");
        }

        foreach (var source in sources.Names)
        {
            if (await Sent(source, index, ct) is { } sent && sent.Leaves(source).FirstOrDefault(l => MerkleProof.LeafHash(l).AsSpan().SequenceEqual(expected)) is { } leaf)
            {
                return (leaf, "outbox of " + source);
            }
        }

        return null;
    }

    private async Task<SentEvent?> Sent(string source, long index, CancellationToken ct)
    {
        if (source is "ledger")
        {
            return await GetSentEvent.Find(db, index, ct);
        }

        try
        {
            using var answer = await outbound.Client(source).GetAsync(string.Create(CultureInfo.InvariantCulture, $"audit/sent/{index}"), ct);
            return answer.StatusCode == HttpStatusCode.OK ? await answer.Content.ReadFromJsonAsync(SentEventJson.Default.SentEvent, ct) : null;
        }
        catch (Exception e) when (e is HttpRequestException or UndeclaredPeerException or JsonException)
        {
            return null; // This producer cannot help now; the fault stays listed.
        }
    }

    private async Task<bool> Record(NpgsqlTransaction tx, Fault fault, string from, CancellationToken ct) =>
        await outbox.Append(tx, new AuditEvent
        {
            Action = "LEDGER.repair",
            Actor = new Actor("ledger"),
            Subjects = [],
            Outcome = EventOutcome.Success,
            Reason = fault.Code,
            Basis = string.Create(CultureInfo.InvariantCulture, $"at:{fault.Index} from:{from}"),
        }, ct) is AppendOutcome.Appended;
}

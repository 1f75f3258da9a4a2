using System.Text;
using Npgsql;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Fsck;
using Trust.AuditLedger.Index;
using Trust.AuditLedger.Retention;
using Trust.AuditLedger.Tests.Index;
using Trust.Cli.Verify;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Tests;

/// <summary>What need not be kept goes as whole ranges, nothing else goes, and every proof stands.</summary>
public sealed class PruneTests
{
    private static readonly byte[] Body = "{\"action\":\"REC.read\",\"class\":\"ACCESS\"}"u8.ToArray();

    [Fact]
    public async Task Only_sealed_ranges_past_their_retention_and_free_of_holds_go_and_every_proof_stands()
    {
        await using var log = await Filled(i => i == 0 ? Key : []);
        var clock = new ShiftedClock();
        Assert.Contains("has to be kept until", (await Prune(log, clock)).Why, StringComparison.Ordinal);
        clock.Shift(TimeSpan.FromDays(220));
        await Run(log, "INSERT INTO legal_holds VALUES (gen_random_uuid(), 'patient', decode('07' || repeat('00', 31), 'hex'), 'C', 'x', now())");
        Assert.Equal(new PruneLimit(0, "entry 0 is under a legal hold"), await Prune(log, clock));
        await Run(log, "UPDATE legal_holds SET released_by = 'x', released_at = now()");

        var limit = await Prune(log, clock);
        Assert.Equal(65_536, limit.Below);
        Assert.Contains("is not sealed", limit.Why, StringComparison.Ordinal);
        Assert.Equal(65_536, await log.Database.Runtime.Sql("SELECT min(idx) FROM entries").Scalar<long>(default));
        Assert.Equal(1, await log.Database.Runtime.Sql("SELECT count(*) FROM audit_outbox WHERE action = 'LEDGER.prune'").Scalar<long>(default));
        await Proves(log);
        await log.Load();
        await Proves(log);
        await log.Append([Key], body: Body);
        await Proves(log);
    }

    [Fact]
    public async Task A_range_that_holds_the_logs_own_events_goes_when_they_are_past_their_time_too()
    {
        string[] actions = ["LEDGER.anchor", "REC.read", "AUTH.fail", "LEDGER.alarm"];
        await using var log = await Filled(i => i == 0 ? Key : [], group => Encoding.ASCII.GetBytes($"{{\"action\":\"{actions[group % 4]}\"}}"));
        var clock = new ShiftedClock();
        clock.Shift(TimeSpan.FromDays(220));
        Assert.StartsWith("entry 0 has to be kept until", (await Prune(log, clock)).Why, StringComparison.Ordinal);
        clock.Shift(TimeSpan.FromDays(2 * 365));
        Assert.Equal(65_536, (await Prune(log, clock)).Below);
        await Proves(log);
    }

    [Fact]
    public async Task The_stored_index_of_pruned_entries_is_held_against_the_hashes_that_are_left_of_them()
    {
        // Some events concern nobody and look like commit entries; of each group's first event two keys are known.
        await using var log = await Filled(i => i == 0 ? [.. Key, .. Other] : i % 50 == 0 ? [] : Other);
        var clock = new ShiftedClock();
        clock.Shift(TimeSpan.FromDays(220));
        Assert.Equal(65_536, (await Prune(log, clock)).Below);
        Assert.Empty(await IndexFaults(log));

        await Damages("UPDATE index_history SET changes = set_bit(changes, 99, 1 - get_bit(changes, 99)) WHERE epoch = 0 AND tile = 256");
        await Damages("DELETE FROM index_history WHERE epoch = 1 AND tile = 7");
        await Damages("UPDATE index_epochs SET trie_root = set_bit(trie_root, 9, 1 - get_bit(trie_root, 9)) WHERE epoch = 0");
        await Damages("UPDATE index_image SET keys = set_bit(keys, 300, 1 - get_bit(keys, 300)) WHERE epoch = 0 AND slice = 112");
        await Damages("DELETE FROM index_image WHERE epoch = 0 AND slice = 5");
        // An image whole in itself that leaves a key out, and one that has it in other events.
        await Damages("UPDATE index_image SET keys = (SELECT keys FROM index_image WHERE epoch = 0 AND slice = 5) WHERE epoch = 0 AND slice = 112");
        await Damages("UPDATE index_image i SET keys = o.keys FROM index_image o WHERE i.epoch = 0 AND i.slice = 112 AND o.epoch = 1 AND o.slice = 112");
        // Checksums that are right over a key in the wrong slice, and over postings that end in the midst of a number.
        await Damages("UPDATE index_image SET keys = (SELECT keys FROM index_image WHERE epoch = 0 AND slice = 112) WHERE epoch = 0 AND slice = 5");
        await Damages("UPDATE index_image SET keys = o.k || sha256(o.k) FROM (SELECT set_byte(substring(keys FROM 1 FOR octet_length(keys) - 32), octet_length(keys) - 33, 255) AS k FROM index_image WHERE epoch = 0 AND slice = 112) o WHERE epoch = 0 AND slice = 112");
        Assert.Empty(await IndexFaults(log));

        async Task Damages(string statement)
        {
            await Run(log, "CREATE TABLE kept_h AS TABLE index_history; CREATE TABLE kept_i AS TABLE index_image; CREATE TABLE kept_e AS TABLE index_epochs");
            await Run(log, statement);
            Assert.Contains(await IndexFaults(log), f => f.StartsWith("index-ro", StringComparison.Ordinal));
            await Run(log, "DELETE FROM index_epochs; INSERT INTO index_epochs TABLE kept_e; INSERT INTO index_history TABLE kept_h; INSERT INTO index_image TABLE kept_i");
            await Run(log, "DROP TABLE kept_h, kept_i, kept_e");
        }
    }

    private static byte[] Key { get; } = [7, .. new byte[31]];

    private static byte[] Other { get; } = [9, .. new byte[31]];

    // Nine groups in volumes of 40,000 entries and ranges of 65,536.
    private static async Task<DirectLog> Filled(Func<int, byte[]> keys, Func<int, byte[]>? bodies = null)
    {
        var log = await DirectLog.Create(40_000, new IndexPace { ImageAtStop = 1 });
        await Run(log, "UPDATE entries_layout SET width = 65536; UPDATE entries_ranges SET next = 65536");
        await Run(log, "ALTER TABLE entries DETACH PARTITION entries_000000000000; ALTER TABLE entries ATTACH PARTITION entries_000000000000 FOR VALUES FROM (0) TO (65536)");
        for (var g = 0; g < 9; g++)
        {
            await log.Append([.. Enumerable.Range(0, 16_000).Select(keys)], body: bodies?.Invoke(g) ?? Body);
        }

        await log.Live.StoreImage();
        return log;
    }

    // What a check of the whole log finds of the index; such a log has no chains and signatures that it could check besides.
    // At once, and in portions that each go on where the one before came to: both find the same.
    private static async Task<List<string>> IndexFaults(DirectLog log)
    {
        var (whole, _) = await IndexFaults(log, from: null, inPortions: false);
        var portions = 0;
        var (faults, next) = await IndexFaults(log, from: null, inPortions: true);
        for (; next is not null && faults.Count == 0; portions++)
        {
            (faults, next) = await IndexFaults(log, next, inPortions: true);
        }

        Assert.Equal(whole.Count > 0, faults.Count > 0);
        Assert.True(faults.Count > 0 || portions > 0, "the log has one volume only");
        return whole;
    }

    private static async Task<(List<string> Faults, CheckPosition? Next)> IndexFaults(DirectLog log, CheckPosition? from, bool inPortions)
    {
        var faults = new List<string>();
        void Report(string code, long? at, string detail) => faults.Add($"{code} {at}: {detail}");
        using var sources = new Sources(new AuditLedgerOptions { Origin = "o", LockStoreDirectory = "/", Sources = [] });
        using var reader = EntryReader.Open(log.Database.Runtime);
        var entries = new EntryCheck(sources, fromTheFirst: false, (_, _, _) => { });
        var minimum = await log.Database.Runtime.Sql("SELECT minimum FROM entries_layout").Scalar<long>(default);
        var stored = await IndexCheck.Load(log.Database.Runtime, from, inPortions, Report, default);
        var (first, size) = (from?.Size ?? 0, log.Heads[^1].Size);
        var end = Math.Min(stored.End, size);
        var tree = from is null ? new LogTree() : LogTree.FromEdge(first, from.Edge);
        using var index = IndexReplay.Open(log.Database.Runtime, stored, minimum, byActor: true, Report, note => faults.Add(note), from);
        var reading = Task.Run(() => reader.Read(first, end, minimum, default));
        index.Follow(Judged(), reader.Return, end == size);
        await reading;
        Assert.True(faults.Count > 0 || end < size || tree.Root().AsSpan().SequenceEqual(log.Heads[^1].Root), "the last portion ends in another root");
        return (faults, end == size || index.Last is not { } last ? null : new CheckPosition(tree.Edge(), [.. index.Sealed], last.Write(), entries.Time, entries.ByActor, []));

        IEnumerable<EntryBlock> Judged()
        {
            foreach (var block in reader.All(default))
            {
                entries.Check(block);
                for (var i = 0; i < block.Count; i++)
                {
                    tree.Append(block.Hash(i), null);
                }

                yield return block;
            }
        }
    }

    private static async Task Proves(DirectLog log)
    {
        var (size, root) = log.Heads[^1];
        var answer = Assert.IsType<SubjectAnswer.Proved>(await log.Prover.Prove(log.Head, Key, 0, size - 1, size, 1000, default));
        Assert.Equal(log.Written.Where(w => w.Key.StartsWith("07", StringComparison.Ordinal)).Select(w => w.Index), answer.Shown.Select(p => p.Index));
        Assert.True(CompletenessProof.TryRead(answer.Proof)!.Holds(size, root, Key, 0, size - 1, [.. answer.Shown.Select(p => p.LeafHash)]));
    }

    private static Task<PruneLimit> Prune(DirectLog log, TimeProvider clock)
    {
        var options = new AuditLedgerOptions
        {
            Origin = "o", LockStoreDirectory = "/", Sources = [], RetentionMonths = new Dictionary<string, int>(StringComparer.Ordinal) { ["ACCESS"] = 6 },
        };
        var audit = new AuditOptions { Source = "ledger", Region = "510000", Node = "n" };
        var outbox = new Outbox(log.Database.Runtime, audit, new OutboxState(TimeProvider.System), new ReceiptBoard(), TimeProvider.System, new GroupCommit(log.Database.Runtime));
        return PruneCommand.Prune(log.Database.Owner, new RetentionSchedule(options), outbox, clock, dry: false, default);
    }

    private static async Task Run(DirectLog log, string statement)
    {
        await using var command = log.Database.Owner.CreateCommand(statement);
        await command.ExecuteNonQueryAsync();
    }
}

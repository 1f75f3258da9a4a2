using System.Security.Cryptography;
using System.Text;
using Npgsql;
using Trust.AuditLedger.Index;
using Trust.AuditLedger.Proofs;
using Trust.AuditLedger.Tests.Index;
using Trust.AuditLedger.Tiles;
using Trust.Cli.Verify;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Entries;

/// <summary>The entries' table in ranges, as the roles of a real installation see it.</summary>
public sealed class RangeTests
{
    [Theory]
    [InlineData("UPDATE entries SET idx = 7")]
    [InlineData("DELETE FROM entries")]
    [InlineData("TRUNCATE entries")]
    [InlineData("UPDATE entries_000000000000 SET idx = 7")]
    [InlineData("DELETE FROM entries_000000000000")]
    [InlineData("TRUNCATE entries_000000000000")]
    [InlineData("INSERT INTO entries_000000000000 VALUES (5, '', '')")]
    [InlineData("DROP TABLE entries_000000000000")]
    [InlineData("ALTER TABLE entries DETACH PARTITION entries_000000000000")]
    [InlineData("CREATE TABLE more PARTITION OF entries FOR VALUES FROM (99999999999) TO (999999999999)")]
    [InlineData("UPDATE entries_layout SET minimum = 5")]
    [InlineData("DELETE FROM entries_ranges")]
    [InlineData("SELECT drop_entries_below(100)")]
    [InlineData("UPDATE batches SET first_idx = 9")]
    public async Task The_role_that_sequences_cannot_rewrite_remove_or_rearrange_entries(string statement)
    {
        await using var log = await DirectLog.Create(1 << 20);
        await log.Append([new byte[32]]);
        var refused = await Assert.ThrowsAsync<PostgresException>(() => Run(log.Database.Runtime, statement));
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
    }

    [Theory]
    [InlineData(65_536)]
    // As made from now on, behind a narrow one that stands.
    [InlineData(67_108_864)]
    public async Task The_log_grows_over_ranges_made_ahead_of_any_width_and_proves_across_them(long width)
    {
        await using var log = await DirectLog.Create(1 << 20);
        Assert.Equal(67_108_864, await log.Database.Runtime.Sql("SELECT width FROM entries_layout").Scalar<long>(default));
        await log.Database.Owner.Sql("UPDATE entries_layout SET width = $1").With(width).Execute(default);
        await Run(log.Database.Owner, "UPDATE entries_ranges SET next = 65536");
        await Run(log.Database.Owner, "ALTER TABLE entries DETACH PARTITION entries_000000000000; ALTER TABLE entries ATTACH PARTITION entries_000000000000 FOR VALUES FROM (0) TO (65536)");
        var key = RandomNumberGenerator.GetBytes(32);
        for (var g = 0; g < 5; g++)
        {
            await log.Append([.. Enumerable.Range(0, 16_000).Select(i => i == 0 ? key : [])]);
        }

        Assert.Equal(["0-65536", $"65536-{65_536 + width}"], await log.Database.Runtime.Sql("SELECT first || '-' || next FROM entries_ranges ORDER BY first").All(r => r.GetString(0), default));
        Assert.Equal(80_005, await log.Database.Runtime.Sql("SELECT count(*) FROM entries").Scalar<long>(default));
        // Asked before the log has come half-way, nothing is made.
        Assert.Equal(65_536 + width, await log.Database.Runtime.Sql("SELECT extend_entries()").Scalar<long>(default));
        await CompletenessTests.Ask(log, new KeyPool(new Random(3), 4), new Random(4), 20);

        // Hash tiles stay when a whole range goes, so every proof of the tree stays possible.
        Assert.Equal(0, await log.Database.Owner.Sql("SELECT drop_entries_below(65535)").Scalar<long>(default));
        Assert.Equal(65_536, await log.Database.Owner.Sql("SELECT drop_entries_below(131071)").Scalar<long>(default));
        Assert.Equal(65_536, await log.Database.Runtime.Sql("SELECT min(idx) FROM entries").Scalar<long>(default));
        var tiles = new TileStore(log.Database.Runtime);
        Assert.Null(await tiles.Entries(TilePath.TryParse("entries/255")!.Value, log.Head, default));
        Assert.NotNull(await tiles.Entries(TilePath.TryParse("entries/256")!.Value, log.Head, default));
        Assert.NotNull(await tiles.Hashes(TilePath.TryParse("0/255")!.Value, log.Head, default));
        var (size, root) = log.Heads[^1];
        var inclusion = await new TreeReader(log.Database.Runtime, log.Head.Edge).Inclusion(16_001, size, default);
        var posting = log.Written.Find(w => w.Index == 16_001);
        Assert.True(MerkleProof.VerifyInclusion(16_001, size, posting.LeafHash, inclusion, root));
        var answer = Assert.IsType<SubjectAnswer.Proved>(await log.Prover.Prove(log.Head, key, 0, size - 1, size, 100, default));
        Assert.True(CompletenessProof.TryRead(answer.Proof)?.Holds(size, root, key, 0, size - 1, [.. answer.Shown.Select(p => p.LeafHash)]));
        Assert.Equal(log.Written.Select(w => w.Index), answer.Shown.Select(p => p.Index));
    }

    [Fact]
    public async Task A_range_is_not_vacuumed_for_having_grown()
    {
        await using var log = await DirectLog.Create(1 << 20);
        await Run(log.Database.Owner, "UPDATE entries_layout SET width = 65536; UPDATE head SET size = 1040000");
        await Run(log.Database.Owner, "SELECT extend_entries()");
        var options = await log.Database.Owner.Sql("SELECT relname || ' ' || array_to_string(reloptions, ' ') FROM pg_class WHERE relkind = 'r' AND relispartition AND relnamespace = current_schema()::regnamespace ORDER BY relname")
            .All(r => r.GetString(0), default);
        Assert.Equal(
            ["entries_000000000000 autovacuum_vacuum_insert_threshold=-1", "entries_000001048576 autovacuum_vacuum_insert_threshold=-1"], options);
    }

    [Fact]
    public async Task A_producers_place_is_given_once_even_if_a_batch_only_overlaps_another()
    {
        await using var log = await DirectLog.Create(1 << 20);
        await log.Append([[], [], []]);
        foreach (var (first, last) in new[] { (1, 3), (2, 5), (3, 3), (0, 9), (7, 6) })
        {
            var refused = await Assert.ThrowsAsync<PostgresException>(() => Run(log.Database.Runtime,
                $"INSERT INTO batches (source, epoch, first_seq, last_seq, first_idx, signature) SELECT id, 1, {first}, {last}, 100, '' FROM sources"));
            Assert.Equal(PostgresErrorCodes.UniqueViolation, refused.SqlState);
        }
    }

    [Fact]
    public async Task A_batch_is_placed_without_reading_the_batches_before_it_however_many_they_are()
    {
        await using var log = await DirectLog.Create(1 << 20);
        await log.Append([[], [], []]);
        const string insert = "INSERT INTO batches (source, epoch, first_seq, last_seq, first_idx, signature) SELECT id, 1, n, n, n, '' FROM sources, ";
        await Run(log.Database.Owner, insert + "generate_series(1000, 20000) AS g (n) WHERE name = 'ca'; ANALYZE batches; SELECT pg_stat_force_next_flush()");
        await using var connection = await log.Database.Runtime.OpenConnectionAsync();
        // A session's statistics come after its work: those of the batches before must not be counted as of the hundred.
        await Eventually.Holds(async () => await Reads() >= 19_001, "what the batches before have read shows");
        var before = await Reads();
        await Run(log.Database.Runtime, insert + "generate_series(20001, 20100) AS g (n) WHERE name = 'ca'");
        await Eventually.Holds(async () => await Reads() - before >= 100, "what was read shows in the statistics");
        Assert.True(await Reads() - before < 1000, $"{await Reads() - before} rows read for 100 batches");

        Task<long> Reads() => connection.Sql("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relid = 'batches'::regclass").Scalar<long>(default);
    }

    [Fact]
    public async Task A_log_from_before_ranges_is_taken_over_entry_by_entry()
    {
        await using var database = await TestDatabase.Create("ledger");
        await Older(database.Owner, ["0001_log", "0002_batch_index"]);
        await Run(database.Owner, "INSERT INTO entries SELECT i, sha256(i::text::bytea), i::text::bytea FROM generate_series(0, 999) AS g (i); UPDATE head SET size = 1000");
        await Migrator.Apply(database.Owner, "ledger_runtime", "510000", [typeof(Migrator).Assembly, typeof(Program).Assembly], null, default);
        Assert.Equal(1000, await database.Runtime.Sql("SELECT count(*) FROM entries WHERE leaf_hash = sha256(leaf) AND leaf = idx::text::bytea").Scalar<long>(default));
        await Assert.ThrowsAsync<PostgresException>(() => Run(database.Runtime, "DELETE FROM entries"));
    }

    // Applies migrations as an older build did.
    private static async Task Older(NpgsqlDataSource owner, string[] names)
    {
        foreach (var name in names)
        {
            const string part = "Trust.AuditLedger";
            using var reader = new StreamReader(typeof(Program).Assembly.GetManifestResourceStream($"{part}.Migrations.{name}.sql")!, Encoding.UTF8);
            var text = await reader.ReadToEndAsync();
            await Run(owner, text);
            await owner.Sql("INSERT INTO migrations (part, number, name, sha256) VALUES ($1, $2, $3, $4)")
                .With(part).With(int.Parse(name[..4], System.Globalization.CultureInfo.InvariantCulture)).With(name).With(SHA256.HashData(Encoding.UTF8.GetBytes(text))).Execute(default);
        }
    }

#pragma warning disable CA1857 // The tests' own texts.
    private static Task<int> Run(NpgsqlDataSource db, string text) => db.Sql(text).Execute(default);
#pragma warning restore CA1857
}

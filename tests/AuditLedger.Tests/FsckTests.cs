using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Fsck;
using Trust.AuditLedger.Index;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.LogFormat;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests;

/// <summary>Every stored byte is checked, and what can be repaired is repaired to the same root.</summary>
public sealed class FsckTests : IAsyncLifetime
{
    private LedgerFixture _fixture = null!;
    private RunningLedger _ledger = null!;
    private TokenOptions _token = null!;
    private NpgsqlDataSource _owner = null!;

    public async ValueTask InitializeAsync()
    {
        _fixture = await LedgerFixture.Create();
        _fixture.Mirror = Scratch.Directory("mirror");
        // Little enough that some of the index is stored.
        _token = Tokens.NewOptions("ledger");
        _ledger = await _fixture.Start(_token, with: s => s.AddSingleton(new IndexPace { HistoryBytes = 1, ImageEvery = 100 }));
        await _ledger.Leads();
        var sign = await Fill();
        _owner = Outbound.Database(_fixture.Database.Options, asOwner: true);
        await Eventually.Holds(async () => await _owner.Sql("SELECT count(*) FROM index_history WHERE base IS NOT NULL").Scalar<long>(default) > 0, "history is stored in parts");
        await Eventually.Holds(
            async () =>
            {
                // The writer may have taken several steps as one: more to write brings the next.
                await Post("sign", sign.Next([.. Enumerable.Range(0, 20).Select(n => sign.Body($"rx-{n}"))]), 20);
                return await _owner.Sql("SELECT count(*) FROM index_image WHERE part > 0").Scalar<long>(default) > 0;
            },
            "an image is stored in parts");
        // Nothing more is on its way: a row that is replaced while a test changes it would be neither damaged nor mended.
        await Eventually.Holds(async () => await _owner.Sql("SELECT flushed = (SELECT size - 1 FROM head) FROM index_epochs").Scalar<bool>(default), "the index is at rest");
    }

    public async ValueTask DisposeAsync()
    {
        await _owner.DisposeAsync();
        await _ledger.DisposeAsync();
        await _fixture.DisposeAsync();
    }

    [Fact]
    public async Task A_whole_log_has_no_faults_and_a_signed_root()
    {
        var report = await Check();
        Assert.Empty(report.Faults);
        Assert.Equal(report.Size, report.SignedSize);
        Assert.True(report.Size > 700);
        Assert.Equal(_ledger.Sequencer.Published!.Checkpoint.Root, report.Root);
    }

    [Fact]
    public async Task Any_flipped_bit_in_a_row_a_tile_the_index_or_a_checkpoint_is_found()
    {
        var random = new Random();
        for (var i = 0; i < (Environment.GetEnvironmentVariable("TRUST_TEST_LONG") is null ? 20 : 100); i++)
        {
            var (where, undo) = await Flip(random);
            var report = await Check();
            Assert.True(report.Faults.Count > 0, where);
            await undo();
        }

        Assert.Empty((await Check()).Faults);
    }

    [Fact]
    public async Task A_damaged_entry_is_repaired_from_the_mirror_to_the_same_root_and_the_repair_is_logged()
    {
        await _ledger.App.Services.GetRequiredService<Mirror>().Extend(default);
        var before = await Check();
        await Damage(100);
        await _owner.Sql("DELETE FROM entries WHERE idx = 200").Execute(default);
        await _owner.Sql("UPDATE entries SET leaf_hash = set_bit(leaf_hash, 7, 1 - get_bit(leaf_hash, 7)) WHERE idx = 222").Execute(default);
        await _owner.Sql("DELETE FROM tiles WHERE level = 0 AND n = 1").Execute(default);
        var report = await Check();
        Assert.Contains(report.Faults, f => f is { Code: "entry-leaf", Index: 100 });
        Assert.Contains(report.Faults, f => f is { Code: "entry-missing", Index: 200 });
        Assert.Contains(report.Faults, f => f is { Code: "entry-hash", Index: 222 });
        Assert.Contains(report.Faults, f => f is { Code: "tile-missing", Index: 1 });

        await Repair(report);
        var after = await Check();
        Assert.Empty(after.Faults);
        Assert.Equal(before.Root, (await RootAt(before.Size)));
        var logged = await _ledger.App.Services.GetRequiredService<NpgsqlDataSource>()
            .Sql("SELECT convert_from(body, 'UTF8') FROM audit_outbox WHERE action = 'LEDGER.repair'").All(r => r.GetString(0), default);
        Assert.Equal(4, logged.Count);
        Assert.Contains(logged, b => b.Contains("at:100 from:mirror", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_damaged_entry_is_repaired_from_its_producers_outbox()
    {
        // The ledger is a producer itself; its own events are in its outbox, and the tail of the log is in no full bundle.
        var index = await OwnEvent();
        await Damage(index);
        var report = await Check();
        Assert.Equal(["entry-leaf"], report.Faults.Select(f => f.Code));
        await Repair(report);
        Assert.Empty((await Check()).Faults);
    }

    [Fact]
    public async Task Tiles_of_pruned_entries_still_give_the_root_and_an_index_that_nothing_could_replace_is_not_thrown_away()
    {
        var before = await Check();
        // In the midst of a batch, as a range may end; but of a volume that is not sealed, which no command does.
        await _owner.Sql("DELETE FROM entries WHERE idx < 256").Execute(default);
        await _owner.Sql("UPDATE entries_layout SET minimum = 256").Execute(default);
        var report = await Check();
        Assert.Equal(["index-row"], report.Faults.Select(f => f.Code));
        Assert.Equal(before.Root, report.Root);
        Assert.Empty(await Repair(report));
        Assert.Equal(1, await _owner.Sql("SELECT count(*) FROM index_epochs").Scalar<long>(default));
        await Damage(300);
        Assert.Equal(["entry-leaf", "index-row"], (await Check()).Faults.Select(f => f.Code).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task An_entry_that_no_head_covers_is_named()
    {
        var size = (await Check()).Size;
        await _owner.Sql("INSERT INTO entries (idx, leaf_hash, leaf) SELECT $1, leaf_hash, leaf FROM entries WHERE idx = 100").With(size + 1).Execute(default);
        var fault = Assert.Single((await Check()).Faults);
        Assert.Equal(("entries-beyond", size), (fault.Code, fault.Index));
        Assert.Contains($"up to {size + 1} ", fault.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_no_other_copy_proves_is_not_repaired_but_stays_listed()
    {
        await Damage(_ledger.Sequencer.Published!.Checkpoint.Size - 2);
        var report = await Check();
        Assert.NotEmpty(report.Faults);
        Assert.Empty(await Repair(report));
        Assert.NotEmpty((await Check()).Faults);
    }

    [Theory]
    [InlineData("UPDATE index_image SET commit = commit - 1 WHERE slice = 7")]
    [InlineData("UPDATE index_image SET slice = -1 WHERE slice = 7")]
    [InlineData("DELETE FROM index_image WHERE slice = 7")]
    [InlineData("DELETE FROM index_image WHERE part = 0")]
    [InlineData("UPDATE index_image SET commit = commit - 1 WHERE part = 0")]
    [InlineData("UPDATE index_image SET part = part + 100")]
    [InlineData("UPDATE index_image SET commit = -1 WHERE part = 0")]
    [InlineData("DELETE FROM index_history WHERE (tile, from_commit) = (SELECT tile, from_commit FROM index_history ORDER BY from_commit DESC, tile LIMIT 1)")]
    [InlineData("UPDATE index_history SET tile = 1000 WHERE tile = 256 AND from_commit = (SELECT max(from_commit) FROM index_history WHERE tile = 256)")]
    [InlineData("UPDATE index_epochs SET flushed = flushed - 1")]
    public async Task A_row_of_the_stored_index_that_is_not_what_the_entries_give_is_named_and_made_again(string damage)
    {
        Assert.Empty((await Check()).Faults);
        await using (var act = _owner.CreateCommand(damage))
        {
            Assert.True(await act.ExecuteNonQueryAsync() > 0);
        }

        var report = await Check();
        Assert.All(report.Faults, f => Assert.Equal("index-row", f.Code));
        Assert.NotEmpty(await Repair(report));
        Assert.Empty((await Check()).Faults);
        await _ledger.DisposeAsync();
        _ledger = await _fixture.Start(_token, "ledger-2");
        await _ledger.Leads();
        Assert.Empty((await Check()).Faults);
    }

    [Fact]
    public async Task A_source_that_left_an_event_out_is_named()
    {
        // As if the sequencer had let it happen: the third event of a source is gone, everything after is hashed anew and signed by nobody.
        var rows = await _owner.Sql("SELECT idx, leaf FROM entries ORDER BY idx").All(r => (Index: r.GetInt64(0), Leaf: r.GetFieldValue<byte[]>(1)), default);
        var gone = rows.First(r => EventLeaf.TryRead(r.Leaf, out var e) && e.Source is "sign" && e.Seq == 3).Index;
        await _owner.Sql("DELETE FROM entries WHERE idx = $1").With(gone).Execute(default);
        await _owner.Sql("UPDATE entries SET leaf = (SELECT leaf FROM entries WHERE idx = $1 + 1), leaf_hash = (SELECT leaf_hash FROM entries WHERE idx = $1 + 1) WHERE idx = $1 + 2")
            .With(gone).Execute(default);
        var faults = (await Check()).Faults;
        Assert.Contains(faults, f => f.Code is "entry-missing" && f.Index == gone);
        Assert.Contains(faults, f => f.Code is "source-gap" && f.Detail.StartsWith("sign", StringComparison.Ordinal));
    }

    private Task<CheckReport> Check() => _ledger.Check();

    private Task<List<Fault>> Repair(CheckReport report) => _ledger.Repair(report, _owner);

    private async Task<byte[]> RootAt(long size)
    {
        var head = _ledger.Sequencer.Published!;
        return await new Proofs.TreeReader(_ledger.App.Services.GetRequiredService<NpgsqlDataSource>(), head.Edge).Root(size, default);
    }

    private Task<int> Damage(long index) =>
        _owner.Sql("UPDATE entries SET leaf = set_bit(leaf, 600, 1 - get_bit(leaf, 600)) WHERE idx = $1").With(index).Execute(default);

    private async Task<long> OwnEvent()
    {
        var services = _ledger.App.Services;
        var db = services.GetRequiredService<NpgsqlDataSource>();
        await Eventually.Holds(() => services.GetRequiredService<OutboxState>().LedgerReached == true, "the relay runs");
        await using var connection = await db.OpenConnectionAsync();
        await using var tx = await connection.BeginTransactionAsync();
        var confirmed = await services.GetRequiredService<Outbox>().AppendConfirmed(
            tx, new AuditEvent { Action = "REG.query", Actor = new Actor("test"), Subjects = [SubjectKey.Prescription("rx-1")], Outcome = EventOutcome.Success }, default);
        return Assert.IsType<ConfirmOutcome.Confirmed>(confirmed).Receipt.Index;
    }

    // One bit of one stored byte, and how to put it back.
    private async Task<(string Where, Func<Task> Undo)> Flip(Random random)
    {
        var size = _ledger.Sequencer.Published!.Checkpoint.Size;
        if (random.Next(8) == 0)
        {
            var file = System.IO.Directory.GetFiles(_fixture.LockStore).OrderByDescending(f => new FileInfo(f).LastWriteTimeUtc).First(f => new FileInfo(f).Length > 0);
            foreach (var copy in System.IO.Directory.GetFiles(_fixture.LockStore).Where(f => new FileInfo(f).Length > 0))
            {
                var bytes = await File.ReadAllBytesAsync(copy);
                bytes[^30] ^= 1;
                await File.WriteAllBytesAsync(copy, bytes);
            }

            return (file, async () =>
            {
                foreach (var copy in System.IO.Directory.GetFiles(_fixture.LockStore).Where(f => new FileInfo(f).Length > 0))
                {
                    var bytes = await File.ReadAllBytesAsync(copy);
                    bytes[^30] ^= 1;
                    await File.WriteAllBytesAsync(copy, bytes);
                }
            });
        }

        var index = random.NextInt64(size);
        return random.Next(9) switch
        {
            6 => await FlipColumn("index_history", "changes", await HistoryRow("true", random), 0, random),
            7 => await FlipColumn("index_history", "base", await HistoryRow("base IS NOT NULL", random), 0, random),
            8 => await FlipColumn("index_image", "keys", $"epoch = 0 AND part = {await Part(random)} AND slice", random.Next(4096), random),
            0 or 1 => await FlipColumn("entries", "leaf", "idx", index, random),
            2 => await FlipColumn("entries", "leaf_hash", "idx", index, random),
            3 => await FlipColumn("tiles", "hashes", "level = 0 AND n", random.Next(2), random),
            4 => await FlipColumn("batches", "signature", "first_idx", await FirstIndex(random), random),
            _ => await FlipColumn("head", "root", "size", size, random),
        };
    }

    private async Task<string> HistoryRow(string which, Random random)
    {
        await using var select = _owner.CreateCommand($"SELECT tile, from_commit FROM index_history WHERE {which} ORDER BY tile, from_commit");
        await using var rows = await select.ExecuteReaderAsync();
        var all = new List<(short Tile, long From)>();
        while (await rows.ReadAsync())
        {
            all.Add((rows.GetInt16(0), rows.GetInt64(1)));
        }

        var (tile, from) = all[random.Next(all.Count)];
        return $"tile = {tile} AND from_commit = {from} AND epoch";
    }

    private async Task<int> Part(Random random) => random.Next(await _owner.Sql("SELECT max(part) + 1 FROM index_image").Scalar<int>(default));

    private async Task<long> FirstIndex(Random random)
    {
        var all = await _owner.Sql("SELECT first_idx FROM batches ORDER BY first_idx").All(r => r.GetInt64(0), default);
        return all[random.Next(all.Count)];
    }

    private async Task<(string Where, Func<Task> Undo)> FlipColumn(string table, string column, string key, long at, Random random)
    {
        // Names are the test's own constants; nothing here comes from outside.
        await using var length = _owner.CreateCommand($"SELECT octet_length({column}) FROM {table} WHERE {key} = {at}");
        var bit = random.Next((int)(await length.ExecuteScalarAsync())! * 8);
        async Task Apply()
        {
            await using var update = _owner.CreateCommand($"UPDATE {table} SET {column} = set_bit({column}, {bit}, 1 - get_bit({column}, {bit})) WHERE {key} = {at}");
            Assert.Equal(1, await update.ExecuteNonQueryAsync());
        }

        await Apply();
        return ($"{table}.{column} at {at}, bit {bit}", Apply);
    }

    private async Task<TestProducer> Fill()
    {
        var ca = await Producer("ca");
        await Post("ca", ca.Next(TestProducer.Ceremony()), 1);
        var sign = await Producer("sign");
        for (var i = 0; i < 8; i++)
        {
            await Post("sign", sign.Next([.. Enumerable.Range(0, 80).Select(n => sign.Body($"rx-{n}"))]), 80);
            await Post("ca", ca.Next([.. Enumerable.Range(0, 10).Select(n => ca.Body($"rx-{n}"))]), 10);
        }

        return sign;
    }

    private async Task<TestProducer> Producer(string source)
    {
        using var client = _fixture.Client(source, _ledger.Address);
        await new LedgerLink(client, source).OpenEpoch(new string('0', 64), default);
        return _fixture.Producer(source);
    }

    private async Task Post(string source, byte[] frame, int count)
    {
        using var client = _fixture.Client(source, _ledger.Address);
        Assert.IsType<PostOutcome.Accepted>(await new LedgerLink(client, source).Post(frame, count, default));
    }
}

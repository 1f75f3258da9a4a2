using Microsoft.Extensions.DependencyInjection;
using Trust.AuditLedger.Fsck;
using Trust.AuditLedger.Watching;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Watching;

/// <summary>The check that runs by itself comes to an end, however often the process is started anew and however long the log is.</summary>
public sealed class ScrubTests
{
    private const string FlipEntry = "UPDATE entries SET leaf = set_bit(leaf, 600, 1 - get_bit(leaf, 600)) WHERE idx = $1";

    [Fact]
    public async Task A_check_goes_on_in_the_next_process_where_the_one_before_came_to()
    {
        await using var fixture = await LedgerFixture.Create();
        var token = Tokens.NewOptions("ledger");
        long reached;
        await using (var before = await Filled(fixture, token: token))
        {
            var first = await Check(before).CheckPortion(default);
            Assert.Empty(first.Faults);
            Assert.NotNull(first.Next);
            reached = first.Size;
        }

        await using var ledger = await fixture.Start(token);
        await ledger.Leads();
        var second = await Check(ledger).CheckPortion(default);
        Assert.Empty(second.Faults);
        Assert.True(second.Size > reached);
        Assert.Equal(0, await Verified(fixture));
        var last = await Check(ledger).CheckLog(default);
        Assert.Empty(last.Faults);
        Assert.Null(last.Next);
        // What was hashed from the position on gives a root that was signed behind it.
        Assert.InRange(last.SignedSize, second.Size, last.Size);
        Assert.Equal(1, await Verified(fixture));
        Assert.Null(await fixture.Database.Runtime.Sql("SELECT position FROM scrub").Scalar<byte[]>(default));
    }

    [Theory]
    [InlineData("UPDATE entries SET leaf = set_bit(leaf, 600, 1 - get_bit(leaf, 600)) WHERE idx = (SELECT max(ended) - 3 FROM index_epochs)")]
    [InlineData("UPDATE index_epochs SET trie_root = set_bit(trie_root, 9, 1 - get_bit(trie_root, 9)) WHERE epoch = (SELECT max(epoch) FROM index_epochs WHERE ended IS NOT NULL)")]
    [InlineData("UPDATE index_epochs SET ended = ended + 1, flushed = flushed + 1 WHERE epoch = (SELECT max(epoch) FROM index_epochs WHERE ended IS NOT NULL)")]
    [InlineData("UPDATE head SET root = set_bit(root, 9, 1 - get_bit(root, 9))")]
    [InlineData("UPDATE sources SET seq = seq + 1 WHERE name = 'ca'")]
    public async Task What_is_damaged_behind_where_it_came_to_is_found_by_a_later_portion(string damage)
    {
        await using var fixture = await LedgerFixture.Create();
        await using var ledger = await Filled(fixture);
        Assert.NotNull((await Check(ledger).CheckPortion(default)).Next);
        await Owner(fixture, damage);
        Assert.NotEmpty((await Check(ledger).CheckLog(default)).Faults);
        Assert.False(Check(ledger).Health().Ready);
    }

    [Fact]
    public async Task What_is_damaged_before_where_it_came_to_is_found_by_the_next_check_and_both_are_told()
    {
        await using var fixture = await LedgerFixture.Create();
        await using var ledger = await Filled(fixture);
        Assert.NotNull((await Check(ledger).CheckPortion(default)).Next);
        await using var owner = Outbound.Database(fixture.Database.Options, asOwner: true);
        await owner.Sql(FlipEntry).With(0L).Execute(default);
        Assert.Empty((await Check(ledger).CheckLog(default)).Faults);
        var next = await Check(ledger).CheckLog(default);
        Assert.Contains(next.Faults, f => f.Code == "entry-leaf" && f.Index == 0);
        Assert.Equal(next.Faults.Count, await fixture.Database.Runtime.Sql("SELECT faults FROM scrub").Scalar<int>(default));
    }

    [Fact]
    public async Task A_position_whose_bits_have_changed_is_found_out_and_the_next_check_begins_with_the_first_entry()
    {
        await using var fixture = await LedgerFixture.Create();
        await using var ledger = await Filled(fixture);
        var position = (await Check(ledger).CheckPortion(default)).Next!;
        position.Edge[0][5] ^= 1;
        await fixture.Database.Runtime.Sql("UPDATE scrub SET position = $1").With(position.Write()).Execute(default);
        Assert.NotEmpty((await Check(ledger).CheckLog(default)).Faults);
        Assert.Empty((await Check(ledger).CheckLog(default)).Faults);

        await fixture.Database.Runtime.Sql("UPDATE scrub SET position = $1").With(position.Write()[..^1]).Execute(default);
        Assert.Empty((await Check(ledger).CheckLog(default)).Faults);
    }

    [Fact]
    public async Task Keys_are_opened_in_a_portion_of_their_own_by_whichever_process_comes_to_it()
    {
        await using var fixture = await LedgerFixture.Create();
        var token = Tokens.NewOptions("ledger");
        long size;
        await using (var before = await Filled(fixture, token: token))
        {
            await Eventually.Holds(async () => await fixture.Database.Runtime.Sql("SELECT count(*) FROM subject_masters").Scalar<long>(default) == 1, "the first master exists");
            CheckReport report;
            do
            {
                report = await Check(before).CheckPortion(default);
                Assert.Empty(report.Faults);
            }
            while (report.Next is { Keys: null });
            Assert.NotNull(report.Next?.Keys);
            size = report.Size;
            Assert.Equal(0, await Verified(fixture));
        }

        await using var ledger = await fixture.Start(token);
        await ledger.Leads();
        await Owner(fixture, "INSERT INTO subject_keys (subject, master, wrapped) VALUES (decode(repeat('07', 32), 'hex'), 1, decode(repeat('00', 60), 'hex'))");
        // No entry is read again: the check comes to the log as it was.
        var keys = await Check(ledger).CheckPortion(default);
        Assert.Equal((size, "subject-key"), (keys.Size, Assert.Single(keys.Faults).Code));
        await Owner(fixture, "DELETE FROM subject_keys");
        Assert.Empty((await Check(ledger).CheckLog(default)).Faults);
    }

    [Fact]
    public async Task Of_a_log_that_is_as_it_was_written_no_tile_is_kept_and_of_another_those_that_differ()
    {
        await using var fixture = await LedgerFixture.Create();
        await using var ledger = await Filled(fixture, batches: 90);
        Assert.Empty((await ledger.Check()).Tiles);
        await Owner(fixture, "UPDATE tiles SET hashes = set_bit(hashes, 9, 1 - get_bit(hashes, 9)) WHERE level = 0 AND n = 0");
        Assert.Equal([(0, 0L)], (await ledger.Check()).Tiles.Select(t => (t.Level, t.Number)));
    }

    private static Scrub Check(RunningLedger ledger) => ledger.App.Services.GetRequiredService<Scrub>();

    private static Task<long> Verified(LedgerFixture fixture) =>
        fixture.Database.Runtime.Sql("SELECT count(*) FROM audit_outbox WHERE action = 'LEDGER.verify'").Scalar<long>(default);

    private static async Task Owner(LedgerFixture fixture, string statement)
    {
        await using var owner = Outbound.Database(fixture.Database.Options, asOwner: true);
#pragma warning disable CA2100 // The tests' own text.
        await using var command = owner.CreateCommand(statement);
#pragma warning restore CA2100
        Assert.True(await command.ExecuteNonQueryAsync() > 0);
    }

    // Volumes of a few groups each, and the start of another.
    private static async Task<RunningLedger> Filled(LedgerFixture fixture, int batches = 30, TokenOptions? token = null)
    {
        fixture.VolumeSize = 16;
        var ledger = await fixture.Start(token ?? Tokens.NewOptions("ledger"));
        await ledger.Leads();
        using var client = fixture.Client("ca", ledger.Address);
        var link = new LedgerLink(client, "ca");
        await link.OpenEpoch(new string('0', 64), default);
        var ca = fixture.Producer("ca");
        for (var i = 0; i < batches; i++)
        {
            Assert.IsType<PostOutcome.Accepted>(await link.Post(ca.Next(TestProducer.Ceremony(), TestProducer.Ceremony(), TestProducer.Ceremony()), 3, default));
        }

        return ledger;
    }
}

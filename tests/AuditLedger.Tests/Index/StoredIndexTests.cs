using System.Security.Cryptography;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Index;
using Trust.Cli.Verify;
using Trust.Kernel.Postgres;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Tests.Index;

/// <summary>What the index keeps in the database: history, images, sealed volumes.</summary>
public sealed class StoredIndexTests
{
    // So often that every test crosses many writes.
    private static readonly IndexPace Hasty = new() { HistoryBytes = 4_000, ImageEvery = 200, ImageShare = 1, ImageAtStop = 1 };

    [Fact]
    public async Task Sealed_volumes_and_old_history_leave_memory_and_every_size_is_still_answered_also_after_crashes()
    {
        await using var log = await DirectLog.Create(400, Hasty);
        var random = new Random(21);
        var pool = new KeyPool(random, 120);
        for (var start = 0; start < 5; start++)
        {
            for (var g = 0; g < 15; g++)
            {
                await log.Append(pool.Events(random.Next(1, 60)), fail: random.Next(6) == 0);
            }

            if (start % 2 == 0)
            {
                await log.Live.StoreImage();
                Assert.Equal(1, log.Live.Resident);
            }

            await CompletenessTests.Ask(log, pool, random, 60);
            // As a crash leaves it: some writes done, some not.
            await log.Load();
            await CompletenessTests.Ask(log, pool, random, 60);
        }

        Assert.True(await Count(log, "SELECT count(*) FROM index_epochs WHERE ended IS NOT NULL") >= 2);
        Assert.True(await Count(log, "SELECT count(*) FROM index_history") > 100);
    }

    [Fact]
    public async Task Answers_are_given_while_groups_are_appended_and_stored()
    {
        await using var log = await DirectLog.Create(500, Hasty);
        var random = new Random(22);
        var pool = new KeyPool(random, 60);
        await log.Append(pool.Events(50));
        var asking = new CancellationTokenSource();
        var (heads, head) = (log.Heads.ToList(), log.Head);
        var asks = Task.Run(async () =>
        {
            var own = new Random(23);
            var asked = 0;
            for (; !asking.IsCancellationRequested; asked++)
            {
                var (size, _) = heads[own.Next(heads.Count)];
                Assert.IsType<SubjectAnswer.Proved>(await log.Prover.Prove(head, pool.Any(), 0, size - 1, size, 10_000, default));
            }

            return asked;
        });
        for (var g = 0; g < 60; g++)
        {
            await log.Append(pool.Events(random.Next(1, 60)));
        }

        await asking.CancelAsync();
        Assert.True(await asks > 0);
        await CompletenessTests.Ask(log, pool, random, 60);
    }

    [Fact(Timeout = 60_000)]
    public async Task An_image_gives_way_to_groups_and_hurries_when_a_stop_waits_for_it()
    {
        // Pauses of hours: a millisecond of work a quarter of an hour.
        await using var log = await DirectLog.Create(100_000, Hasty with { ImageShare = 1e-6 });
        var pool = new KeyPool(new Random(28), 120);
        await log.Append(pool.Events(300));
        for (var g = 0; g < 10; g++)
        {
            await log.Append(pool.Events(20));
        }

        Assert.Equal(0, await Count(log, "SELECT count(*) FROM index_image"));
        await log.Live.StoreImage();
        Assert.Equal(VolumeImage.Slices, await Count(log, "SELECT count(*) FROM index_image"));
    }

    [Fact]
    public async Task An_image_grows_by_what_is_new_and_begins_anew_after_so_many_parts()
    {
        await using var log = await DirectLog.Create(100_000, Hasty with { ImageEvery = 100_000, ImageParts = 4 });
        var random = new Random(29);
        var (first, later) = (new KeyPool(random, 2_000), new KeyPool(random, 3));
        await log.Append(first.Events(3_000));
        var parts = new List<long>();
        for (var round = 0; round < 6; round++)
        {
            await log.Append(later.Events(10));
            await log.Live.StoreImage();
            parts.Add(await Count(log, "SELECT count(*) FROM index_image") / VolumeImage.Slices);
            await log.Load();
            await CompletenessTests.Ask(log, round % 2 == 0 ? first : later, random, 20);
        }

        Assert.Equal([1, 2, 3, 4, 1, 2], parts);
        // Each part names what the other keys of its round had, not what the first two thousand have.
        Assert.InRange(await Count(log, "SELECT sum(octet_length(keys) - 32) FROM index_image WHERE part = 1"), 1, 3 * 1_000);
        Assert.InRange(await Count(log, "SELECT sum(octet_length(keys) - 32) FROM index_image WHERE part = 0"), 1_000 * 40, long.MaxValue);
    }

    [Theory]
    [InlineData("UPDATE index_image SET keys = set_byte(keys, 40, get_byte(keys, 40) # 1) WHERE octet_length(keys) > 100")] // a flipped bit
    [InlineData("UPDATE index_image SET keys = s || sha256(s) FROM (SELECT epoch AS e, slice AS n, part AS p, set_byte(substr(keys, 1, octet_length(keys) - 32), 45, 7) AS s FROM index_image WHERE octet_length(keys) > 100) AS t WHERE e = epoch AND n = slice AND p = part")] // a lie
    [InlineData("DELETE FROM index_image WHERE part = 0")]
    [InlineData("DELETE FROM index_image i WHERE part = (SELECT max(part) FROM index_image m WHERE m.epoch = i.epoch) - 1")]
    [InlineData("UPDATE index_image SET commit = commit + 1")]
    [InlineData("UPDATE index_image i SET keys = p.keys FROM index_image p WHERE p.part = 0 AND i.part = 1 AND i.epoch = p.epoch AND i.slice = p.slice")] // keys that have not gone on
    [InlineData("DELETE FROM index_image WHERE slice = 17")]
    [InlineData("UPDATE index_epochs SET trie_root = sha256('') WHERE ended IS NOT NULL")]
    [InlineData("UPDATE index_epochs SET flushed = flushed + 1")]
    [InlineData("DELETE FROM index_epochs WHERE epoch = 0")]
    public async Task What_is_stored_is_never_believed_at_a_start(string tamper)
    {
        await using var log = await DirectLog.Create(400, Hasty);
        var random = new Random(24);
        var pool = new KeyPool(random, 30);
        for (var g = 0; g < 30; g++)
        {
            await log.Append(pool.Events(random.Next(1, 60)));
        }

        await log.Live.StoreImage();
        await Run(log, tamper);
        await log.Load();
        for (var g = 0; g < 5; g++)
        {
            await log.Append(pool.Events(20));
        }

        // The live volume is right in any case. A sealed one is bound to its root whenever it is read.
        var (size, _) = log.Heads[^1];
        Assert.IsType<SubjectAnswer.Proved>(await log.Prover.Prove(log.Head, pool.Any(), size - 20, size - 1, size, 10_000, default));
    }

    [Fact]
    public async Task A_crafted_image_whose_checksum_is_right_stops_neither_a_start_nor_what_is_logged_then_and_no_wrong_answer_comes_of_it()
    {
        var random = new Random(27);
        var pool = new KeyPool(random, 12);
        var (answers, faults) = (0, 0);
        for (var round = 0; round < 30; round++)
        {
            await using var log = await DirectLog.Create(100_000, Hasty);
            await log.Append(pool.Events(400));
            await log.Append(pool.Events(random.Next(1, 60)));
            await log.Live.StoreImage();
            var slices = await log.Database.Owner.Sql("SELECT slice, part, keys FROM index_image WHERE octet_length(keys) > 100").All(r => (r.GetInt16(0), r.GetInt16(1), r.GetFieldValue<byte[]>(2)), default);
            Assert.NotEmpty(slices);
            var (slice, part, stored) = slices[random.Next(slices.Count)];
            var keys = Crafted(random, round, stored[..^32]);
            await log.Database.Owner.Sql("UPDATE index_image SET keys = $3 WHERE slice = $1 AND part = $2").With(slice).With(part).With((byte[])[.. keys, .. SHA256.HashData(keys)]).Execute(default);
            await log.Load();
            await log.Append(pool.Events(300));
            var (size, root) = log.Heads[^1];
            foreach (var key in pool.All)
            {
                try
                {
                    var proved = Assert.IsType<SubjectAnswer.Proved>(await log.Prover.Prove(log.Head, key, 0, size - 1, size, 100_000, default));
                    Assert.True(CompletenessProof.TryRead(proved.Proof)!.Holds(size, root, key, 0, size - 1, [.. proved.Shown.Select(s => s.LeafHash)]));
                    answers++;
                }
                catch (IndexFaultException)
                {
                    faults++;
                }
            }
        }

        Assert.True(answers > 25 * pool.All.Count, $"{answers} answers, {faults} faults");
    }

    // A number of postings or a last one that is not theirs, a posting that ends in the midst, an end anywhere, or any bit.
    private static byte[] Crafted(Random random, int round, byte[] keys)
    {
        var crafted = keys.ToArray();
        switch (round % 4)
        {
            case 0:
                return crafted[..random.Next(crafted.Length)];
            case 1:
                crafted[random.Next(32, 40)] = (byte)random.Next(256);
                return crafted;
            case 2:
                crafted[^1] |= 0x80;
                return crafted;
            default:
                crafted[random.Next(crafted.Length)] ^= (byte)(1 << random.Next(8));
                return crafted;
        }
    }

    [Theory]
    [InlineData("UPDATE index_history SET changes = set_byte(changes, octet_length(changes) - 3, get_byte(changes, octet_length(changes) - 3) # 1)")]
    [InlineData("UPDATE index_history SET base = set_byte(base, 5, get_byte(base, 5) # 1), changes = substr(changes, 1, 76)")]
    [InlineData("UPDATE index_image SET keys = set_byte(keys, 60, get_byte(keys, 60) # 1) WHERE octet_length(keys) > 100")]
    [InlineData("DELETE FROM index_history WHERE tile = 256")]
    public async Task A_damaged_row_is_noticed_before_anything_is_shown_from_it(string tamper)
    {
        await using var log = await DirectLog.Create(300, Hasty);
        var random = new Random(25);
        var pool = new KeyPool(random, 40);
        for (var g = 0; g < 30; g++)
        {
            await log.Append(pool.Events(random.Next(1, 60)));
        }

        await log.Live.StoreImage();
        await Run(log, tamper);
        var (size, _) = log.Heads[^1];
        await Assert.ThrowsAsync<IndexFaultException>(async () =>
        {
            for (var i = 0; i < 40; i++)
            {
                await log.Prover.Prove(log.Head, pool.Any(), 0, size - 1, size, 100_000, default);
            }
        });
    }

    [Fact]
    public async Task A_process_that_led_before_loads_again_what_another_has_stored_meanwhile()
    {
        await using var log = await DirectLog.Create(300, Hasty);
        var random = new Random(26);
        var pool = new KeyPool(random, 40);
        for (var turn = 0; turn < 4; turn++)
        {
            for (var g = 0; g < 8; g++)
            {
                await log.Append(pool.Events(random.Next(1, 60)));
            }

            await log.Live.StoreImage();
            var before = log.Live;
            await log.Load();
            for (var g = 0; g < 8; g++)
            {
                await log.Append(pool.Events(random.Next(1, 60)));
            }

            await log.Live.StoreImage();
            log.Live = before;
            await log.BringToHead();
            await CompletenessTests.Ask(log, pool, random, 40);
        }
    }

    [Theory]
    [InlineData(false)] // both the first part
    [InlineData(true)] // both the part after it
    public async Task A_part_that_another_process_has_stored_meanwhile_stays_and_is_not_mixed_with_ones_own(bool later)
    {
        await using var log = await DirectLog.Create(100_000, Hasty with { ImageEvery = 100_000, HistoryBytes = 1 << 20 });
        var random = new Random(30);
        var pool = new KeyPool(random, 40);
        await log.Append(pool.Events(50));
        if (later)
        {
            await log.Live.StoreImage();
        }

        await log.Append(pool.Events(50));
        var slow = log.Live;
        await log.Load();
        await log.Append(pool.Events(50));
        await log.Live.StoreImage();
        var stored = await Image(log);
        await slow.StoreImage();
        Assert.Equal(stored, await Image(log));
        await log.Load();
        await CompletenessTests.Ask(log, pool, random, 40);
    }

    [Theory]
    [InlineData("UPDATE entries SET leaf = set_byte(leaf, 4, 1) WHERE get_byte(leaf, 0) = 2 AND idx < 40")] // another map function
    [InlineData("UPDATE entries SET leaf = set_byte(leaf, 4, 3) WHERE get_byte(leaf, 0) = 2 AND idx < 40")] // one that there is not
    [InlineData("UPDATE entries SET leaf = set_byte(leaf, 0, 4) WHERE idx = 1")] // another entry type
    [InlineData("UPDATE entries SET leaf = set_byte(leaf, 50, get_byte(leaf, 50) # 1) WHERE get_byte(leaf, 0) = 2 AND idx < 40")] // another root
    public async Task A_log_that_does_not_give_its_commit_entries_is_not_led(string tamper)
    {
        await using var log = await DirectLog.Create(1 << 20);
        await log.Append(new KeyPool(new Random(1), 5).Events(30));
        await log.Append(new KeyPool(new Random(1), 5).Events(30));
        await Run(log, tamper);
        await Assert.ThrowsAsync<SetBackException>(log.Load);
    }

#pragma warning disable CA1857 // The tests' own texts.
    private static Task<int> Run(DirectLog log, string text) => log.Database.Owner.Sql(text).Execute(default);

    private static Task<string?> Image(DirectLog log) => log.Database.Owner.Sql(
        "SELECT string_agg(concat_ws(' ', slice, part, commit, encode(sha256(keys), 'hex')), E'\n' ORDER BY slice, part) FROM index_image").Scalar<string>(default);

    private static Task<long> Count(DirectLog log, string text) => log.Database.Runtime.Sql(text).Scalar<long>(default);
#pragma warning restore CA1857
}

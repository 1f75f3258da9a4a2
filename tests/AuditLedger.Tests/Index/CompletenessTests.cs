using Trust.AuditLedger.Index;
using Trust.Cli.Verify;
using Trust.Kernel.Postgres;

namespace Trust.AuditLedger.Tests.Index;

/// <summary>Proofs made from the index, judged by the offline verifier, against what was written.</summary>
public sealed class CompletenessTests
{
    [Theory]
    [InlineData(1, 40, 1 << 20, 60, 40)]
    [InlineData(2, 300, 400, 80, 60)]
    [InlineData(3, 3, 1_500, 30, 500)]
    [InlineData(4, 1, 1 << 20, 3, 700)]
    public async Task Every_question_at_every_published_size_is_answered_as_it_was_written(int seed, int keys, int volumeSize, int groups, int mostEvents)
    {
        await using var log = await DirectLog.Create(volumeSize);
        var random = new Random(seed);
        var pool = new KeyPool(random, keys);
        for (var g = 0; g < groups; g++)
        {
            await log.Append(pool.Events(random.Next(1, mostEvents)), fail: random.Next(8) == 0);
        }

        await Ask(log, pool, random, 250);
    }

    [Fact]
    public async Task After_a_start_the_replayed_index_gives_the_same_answers_and_goes_on()
    {
        await using var log = await DirectLog.Create(300);
        var random = new Random(9);
        var pool = new KeyPool(random, 80);
        for (var start = 0; start < 4; start++)
        {
            for (var g = 0; g < 12; g++)
            {
                await log.Append(pool.Events(random.Next(1, 60)));
            }

            await log.Load();
            await Ask(log, pool, random, 60);
        }
    }

    [Fact]
    public async Task A_size_that_ends_in_an_event_has_no_answer()
    {
        await using var log = await DirectLog.Create(1 << 20);
        await log.Append(new KeyPool(new Random(1), 5).Events(10));
        Assert.IsType<SubjectAnswer.NoSuchSize>(await log.Prover.Prove(log.Head, new byte[32], 0, 2, 4, 100, default));
    }

    [Fact]
    public async Task More_events_than_wanted_are_counted_not_shown()
    {
        await using var log = await DirectLog.Create(1 << 20);
        var key = new byte[32];
        await log.Append([.. Enumerable.Repeat(key, 50)]);
        Assert.Equal(50, Assert.IsType<SubjectAnswer.TooMany>(await log.Prover.Prove(log.Head, key, 0, 50, 51, 20, default)).Count);
        Assert.Equal(20, Assert.IsType<SubjectAnswer.Proved>(await log.Prover.Prove(log.Head, key, 0, 20, 51, 20, default)).Shown.Count(p => p.Index < 20));
    }

    [Fact]
    public async Task At_the_edge_of_a_volume_and_of_a_tile_both_sides_are_answered()
    {
        // A group of 255 events and its commit entry fill one tile; every second one ends a volume.
        await using var log = await DirectLog.Create(500);
        var keys = new[] { new byte[32], Enumerable.Repeat((byte)7, 32).ToArray() };
        for (var g = 0; g < 6; g++)
        {
            await log.Append([.. Enumerable.Range(0, 255).Select(i => keys[i % 2])]);
        }

        foreach (var (size, root) in log.Heads)
        {
            foreach (var (from, to) in log.Heads.Where(h => h.Size <= size).SelectMany(h => new[] { (0, h.Size - 1), (h.Size - 2, h.Size - 1), (h.Size - 1, size - 1) }))
            {
                var answer = Assert.IsType<SubjectAnswer.Proved>(await log.Prover.Prove(log.Head, keys[0], from, to, size, 10_000, default));
                Assert.True(CompletenessProof.TryRead(answer.Proof)?.Holds(size, root, keys[0], from, to, [.. answer.Shown.Select(p => p.LeafHash)]));
                Assert.Equal(
                    log.Written.Where(w => w.Key.StartsWith("00", StringComparison.Ordinal) && w.Index >= from && w.Index < to).Select(w => w.Index),
                    answer.Shown.Where(p => p.Index >= from && p.Index < to).Select(p => p.Index));
            }
        }
    }

    [Fact]
    public async Task Nothing_is_proved_from_a_wrong_tile_and_the_fault_names_it()
    {
        await using var log = await DirectLog.Create(1 << 20);
        var key = new byte[32];
        await log.Append([.. Enumerable.Repeat(key, 700)]);
        await log.Database.Owner.Sql("UPDATE tiles SET hashes = set_byte(hashes, 77, get_byte(hashes, 77) # 1) WHERE level = 0 AND n = 1").Execute(default);
        var fault = await Assert.ThrowsAsync<IndexFaultException>(() => log.Prover.Prove(log.Head, key, 300, 310, 701, 100, default));
        Assert.Contains("tile 0/1 ", fault.Message, StringComparison.Ordinal);
        Assert.IsType<SubjectAnswer.Proved>(await log.Prover.Prove(log.Head, key, 0, 100, 701, 200, default));
    }

    [Fact]
    public async Task The_entries_stand_in_for_a_tile_that_is_missing()
    {
        await using var log = await DirectLog.Create(1 << 20);
        var key = new byte[32];
        await log.Append([.. Enumerable.Repeat(key, 700)]);
        await log.Database.Owner.Sql("DELETE FROM tiles WHERE level = 0 AND n = 1").Execute(default);
        var answer = Assert.IsType<SubjectAnswer.Proved>(await log.Prover.Prove(log.Head, key, 0, 700, 701, 1000, default));
        Assert.True(CompletenessProof.TryRead(answer.Proof)?.Holds(701, log.Heads[0].Root, key, 0, 700, [.. answer.Shown.Select(p => p.LeafHash)]));
    }

    internal static async Task Ask(DirectLog log, KeyPool pool, Random random, int questions)
    {
        for (var q = 0; q < questions; q++)
        {
            var (size, root) = log.Heads[q % 4 == 0 ? ^1 : random.Next(log.Heads.Count)];
            var key = random.Next(6) == 0 ? pool.Absent() : pool.Any();
            var from = random.Next(4) == 0 ? 0 : random.NextInt64(size);
            var to = random.Next(4) == 0 ? size - 1 : random.NextInt64(from, size);
            to = Math.Max(to, Math.Min(from, size - 1));
            from = Math.Min(from, to);
            var answer = Assert.IsType<SubjectAnswer.Proved>(await log.Prover.Prove(log.Head, key, from, to, size, int.MaxValue - 2, default));
            var proof = CompletenessProof.TryRead(answer.Proof);
            Assert.True(proof?.Holds(size, root, key, from, to, [.. answer.Shown.Select(p => p.LeafHash)]));
            var name = Convert.ToHexString(key);
            Assert.Equal(
                log.Written.Where(w => string.Equals(w.Key, name, StringComparison.Ordinal) && w.Index >= from && w.Index < to).Select(w => (w.Index, Convert.ToHexString(w.LeafHash))),
                answer.Shown.Where(p => p.Index >= from && p.Index < to).Select(p => (p.Index, Convert.ToHexString(p.LeafHash))));
            Assert.Equal(answer.Shown.Select(p => p.Index), proof!.Indices);
        }
    }
}

/// <summary>Keys of test events: some hot, some sharing long prefixes.</summary>
internal sealed class KeyPool
{
    private readonly Random _random;
    private readonly byte[][] _keys;

    public KeyPool(Random random, int count)
    {
        _random = random;
        var made = new List<byte[]>();
        while (made.Count < count)
        {
            var key = new byte[32];
            random.NextBytes(key);
            if (made.Count > 0 && random.Next(3) == 0)
            {
                key = Near(made[random.Next(made.Count)]);
            }

            made.Add(key);
        }

        _keys = [.. made.DistinctBy(Convert.ToHexString)];
    }

    public IReadOnlyList<byte[]> All => _keys;

    public byte[] Any() => _keys[(int)(Math.Pow(_random.NextDouble(), 3) * _keys.Length)];

    /// <summary>A key that no event carries: random, or one bit from a used one.</summary>
    public byte[] Absent()
    {
        var key = Near(Any());
        return Array.Exists(_keys, k => k.AsSpan().SequenceEqual(key)) ? Absent() : key;
    }

    public List<byte[]> Events(int count) =>
    [
        .. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, _random.Next(0, 4)).Select(_ => Any())
            .DistinctBy(Convert.ToHexString).OrderBy(Convert.ToHexString, StringComparer.Ordinal).SelectMany(k => k).ToArray()),
    ];

    private byte[] Near(byte[] key)
    {
        var near = key.ToArray();
        // Not the last bit: two keys that share 255 bits have no proof, because its depth is a byte.
        var bit = _random.Next(250);
        near[bit / 8] ^= (byte)(0x80 >> (bit % 8));
        return near;
    }
}

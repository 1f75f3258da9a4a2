using Trust.AuditLedger.Index;
using Trust.Cli.Verify;

namespace Trust.AuditLedger.Tests.Index;

/// <summary>Proofs made from the index, judged by the offline verifier, against what was written.</summary>
public sealed class CompletenessTests
{
    [Theory]
    [InlineData(1, 40, 1 << 20, 60, 40)]
    [InlineData(2, 300, 400, 80, 60)]
    [InlineData(3, 3, 1_500, 30, 500)]
    [InlineData(4, 1, 1 << 20, 3, 700)]
    public async Task Every_question_at_every_published_size_is_answered_as_it_was_written(int seed, int keys, int epochSize, int groups, int mostEvents)
    {
        await using var log = await DirectLog.Create(epochSize);
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

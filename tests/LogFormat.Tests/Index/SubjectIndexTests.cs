using System.Security.Cryptography;
using Trust.LogFormat.Index;

namespace Trust.LogFormat.Tests.Index;

public sealed class SubjectIndexTests
{
    [Theory]
    [InlineData(1, 60, 3, 40, 100_000)]
    [InlineData(2, 400, 5, 60, 700)]
    [InlineData(3, 30, 300, 12, 1_000)]
    [InlineData(4, 2_000, 40, 25, 350)]
    public void Every_commit_equals_the_definition_across_seals(int seed, int keys, int mostEvents, int commits, long volumeSize)
    {
        var random = new Random(seed);
        var log = new RandomLog(random, keys);
        var (index, naive) = (new SubjectIndex(), new NaiveIndex());
        CommitEntry? last = null;
        for (var c = 0; c < commits; c++)
        {
            Feed(log, index, naive, random.Next(0, mostEvents + 1));
            if (last is not null && last.Covered - last.VolumeStart >= volumeSize)
            {
                naive.Seal(last);
            }

            var expected = naive.Commit(index.Size);
            last = index.Commit(index.Size, volumeSize);
            Assert.Equal(expected, last);
            Assert.Equal(last, CommitEntry.TryRead(last.Write()));
        }

        Assert.Equal(naive.Volume, index.Volume.Number);
    }

    [Fact]
    public void A_follower_accepts_each_logged_commit_and_refuses_another_state()
    {
        var random = new Random(5);
        var log = new RandomLog(random, 50);
        var (writer, follower) = (new SubjectIndex(), new SubjectIndex());
        for (var c = 0; c < 40; c++)
        {
            for (var i = random.Next(1, 30); i > 0; i--)
            {
                var (hash, keys) = log.Next();
                writer.Append(writer.Size, hash, keys);
                follower.Append(follower.Size, hash, keys);
            }

            var logged = writer.Commit(writer.Size, 200);
            if (c == 39)
            {
                logged.TrieRoot[7] ^= 1;
                Assert.False(follower.Follow(logged));
            }
            else
            {
                Assert.True(follower.Follow(logged));
            }
        }
    }

    [Fact]
    public void A_commit_taken_back_leaves_nothing_behind()
    {
        var random = new Random(6);
        var log = new RandomLog(random, 120);
        var (index, untouched) = (new SubjectIndex(), new SubjectIndex());
        for (var c = 0; c < 120; c++)
        {
            var events = Enumerable.Range(0, random.Next(0, 60)).Select(_ => log.Next()).ToList();
            for (var attempt = random.Next(0, 3); attempt > 0; attempt--)
            {
                // Another set of events, which the database then refuses.
                for (var i = random.Next(1, 90); i > 0; i--)
                {
                    var (hash, keys) = log.Next();
                    index.Append(index.Size, hash, keys);
                }

                index.Commit(index.Size, 700);
                index.RevertCommit();
            }

            foreach (var (hash, keys) in events)
            {
                index.Append(index.Size, hash, keys);
                untouched.Append(untouched.Size, hash, keys);
            }

            Assert.Equal(untouched.Commit(untouched.Size, 700), index.Commit(index.Size, 700));
        }

        Assert.Equal(Dump(untouched), Dump(index));
        Assert.True(index.Sealed.Count > 1);
    }

    [Fact]
    public void Postings_read_back_are_those_appended()
    {
        var log = new RandomLog(new Random(7), 25);
        var index = new SubjectIndex();
        var expected = new Dictionary<string, List<long>>(StringComparer.Ordinal);
        for (var i = 0; i < 5_000; i++)
        {
            if (i % 37 == 36)
            {
                index.Commit(index.Size, long.MaxValue);
                continue;
            }

            var (hash, keys) = log.Next();
            for (var at = 0; at < keys.Length; at += 32)
            {
                var name = Convert.ToHexString(keys.AsSpan(at, 32));
                (expected.TryGetValue(name, out var list) ? list : expected[name] = []).Add(index.Size);
            }

            index.Append(index.Size, hash, keys);
        }

        index.Commit(index.Size, long.MaxValue);
        var read = Enumerable.Range(0, IndexVolume.Buckets).SelectMany(index.Volume.Read).ToDictionary(k => Convert.ToHexString(k.Key), k => k, StringComparer.Ordinal);
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), read.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, postings) in expected)
        {
            Assert.Equal(postings, read[name].Indices(0, read[name].Count));
            foreach (var below in new[] { 0, 1, 700, 2_500, 4_999, 6_000 })
            {
                Assert.Equal(postings.Count(p => p < below), read[name].CountBelow(below));
            }
        }
    }

    [Fact]
    public void Entries_out_of_order_and_keys_that_do_not_rise_are_refused()
    {
        var index = new SubjectIndex();
        var key = new byte[32];
        Assert.Throws<ArgumentException>(() => index.Append(1, new byte[32], key));
        Assert.Throws<ArgumentException>(() => index.Append(0, new byte[32], new byte[64]));
        Assert.Throws<ArgumentException>(() => index.Append(0, new byte[31], key));
        Assert.Throws<ArgumentException>(() => index.Commit(3, 1));
        index.Append(0, new byte[32], key);
        Assert.True(index.HasPending);
        index.Commit(1, 1);
        Assert.False(index.HasPending);
    }

    private static void Feed(RandomLog log, SubjectIndex index, NaiveIndex naive, int events)
    {
        for (var i = 0; i < events; i++)
        {
            var (hash, keys) = log.Next();
            naive.Append(index.Size, hash, [.. keys.Chunk(32)]);
            index.Append(index.Size, hash, keys);
        }
    }

    private static List<string> Dump(SubjectIndex index) =>
    [
        .. Enumerable.Range(0, IndexVolume.Buckets).SelectMany(b => index.Volume.Read(b)
            .Select(k => $"{b} {Convert.ToHexString(k.Key)} {Convert.ToHexString(k.Leaf)} {string.Join(',', k.Indices(0, k.Count))}")),
        .. Enumerable.Range(0, 256).Select(t => Convert.ToHexString(index.Volume.FanRoot(t).Hash) + index.Volume.FanRoot(t).Kind),
    ];
}

/// <summary>Random events over a set of keys: some hot, some that share long prefixes, some events without any.</summary>
internal sealed class RandomLog(Random random, int keys)
{
    private readonly byte[][] _keys = MakeKeys(random, keys);

    public (byte[] LeafHash, byte[] Keys) Next()
    {
        var hash = RandomNumberGenerator.GetBytes(32);
        var chosen = Enumerable.Range(0, random.Next(0, 5))
            .Select(_ => _keys[(int)(Math.Pow(random.NextDouble(), 4) * _keys.Length)])
            .DistinctBy(k => Convert.ToHexString(k)).OrderBy(Convert.ToHexString, StringComparer.Ordinal);
        return (hash, [.. chosen.SelectMany(k => k)]);
    }

    public byte[] Any() => _keys[random.Next(_keys.Length)];

    private static byte[][] MakeKeys(Random random, int count)
    {
        var made = new byte[count][];
        for (var i = 0; i < count; i++)
        {
            made[i] = new byte[32];
            random.NextBytes(made[i]);
            if (i > 0 && random.Next(3) == 0)
            {
                // Shares some prefix of up to 255 bits with another key.
                made[random.Next(i)].CopyTo(made[i], 0);
                var bit = random.Next(256);
                made[i][bit / 8] ^= (byte)(0x80 >> (bit % 8));
            }
        }

        return [.. made.DistinctBy(k => Convert.ToHexString(k))];
    }
}

using Trust.LogFormat.Index;

namespace Trust.LogFormat.Tests.Index;

public sealed class VolumeImageTests
{
    private const int Half = VolumeImage.Slices / 2;

    [Theory]
    [InlineData(1, 40, 60, 1)]
    [InlineData(2, 3_000, 40, 4)]
    [InlineData(3, 300, 700, 6)]
    public void Parts_written_at_different_commits_give_the_volume_again(int seed, int keys, int mostEvents, int parts)
    {
        var random = new Random(seed);
        var log = new LoggedIndex(new RandomLog(random, keys), random);
        var image = Enumerable.Range(0, VolumeImage.Slices).Select(_ => new List<SlicePart>()).ToArray();
        for (var part = 0; part < parts; part++)
        {
            log.Grow(mostEvents);
            Write(log, image, 0, Half);
            log.Grow(mostEvents); // Between two slices the log goes on.
            Write(log, image, Half, VolumeImage.Slices);
        }

        log.Grow(mostEvents);
        var read = IndexVolume.BeginImage(0, 0);
        for (var slice = 0; slice < VolumeImage.Slices; slice++)
        {
            Assert.True(read.TryAddSlice(slice, image[slice]));
        }

        read.EndImage();
        var from = image.Min(p => p[^1].Commit);
        Assert.Equal(image.Max(p => p[^1].Commit), read.ConsistentFrom);
        var again = new SubjectIndex([], log.CommitAt(from), read);
        log.Replay(again);
        Assert.Equal(log.Index.Last, again.Last);
    }

    [Fact]
    public void A_part_holds_only_the_keys_that_were_given_a_posting_since_the_part_before()
    {
        var random = new Random(4);
        var log = new LoggedIndex(new RandomLog(random, 2_000), random);
        log.Grow(3_000);
        var commit = log.Index.Last!.Covered;
        var whole = Keys(log, 0);
        var one = log.One();
        Assert.True(whole > 1_000);
        Assert.Equal(one, Keys(log, commit));
        Assert.Equal(0, Keys(log, log.Index.Last.Covered));
    }

    [Fact]
    public void Parts_that_do_not_go_on_from_one_another_are_refused()
    {
        var random = new Random(5);
        var log = new LoggedIndex(new RandomLog(random, 50), random);
        var image = Enumerable.Range(0, VolumeImage.Slices).Select(_ => new List<SlicePart>()).ToArray();
        for (var part = 0; part < 3; part++)
        {
            log.Grow(400);
            Write(log, image, 0, VolumeImage.Slices);
        }

        var (slice, parts) = (0, image[0]);
        for (; !parts.TrueForAll(p => p.Keys.Length > 32); parts = image[++slice])
        {
        }

        Assert.True(Read(slice, parts));
        Assert.False(Read(slice, [parts[1], parts[0], parts[2]]));
        Assert.False(Read(slice, [parts[0], parts[1], parts[1]]));
        Assert.False(Read(slice, [parts[0], parts[1] with { Commit = parts[2].Commit }, parts[2]]));
        Assert.False(Read(slice, [parts[0] with { Commit = parts[0].Commit - 400 }, parts[1], parts[2]]));
        // Later postings under a number that does not exceed what was there before.
        Assert.False(Read(slice, [parts[2], parts[2] with { Keys = parts[0].Keys, Commit = parts[2].Commit + 1 }]));
        Assert.False(Read(slice + 1, parts));
        Assert.False(Read(slice, [parts[0], parts[1] with { Keys = parts[1].Keys[..^1] }]));
    }

    private static bool Read(int slice, List<SlicePart> parts) => IndexVolume.BeginImage(0, 0).TryAddSlice(slice, parts);

    private static void Write(LoggedIndex log, List<SlicePart>[] image, int from, int to)
    {
        for (var slice = from; slice < to; slice++)
        {
            var since = image[slice] is [.., var last] ? last.Commit : 0;
            image[slice].Add(new SlicePart(log.Index.Last!.Covered, log.Index.Volume.WriteSlice(slice, since).ToArray()));
        }
    }

    private static int Keys(LoggedIndex log, long since) =>
        Enumerable.Range(0, VolumeImage.Slices).Sum(s => VolumeImage.ReadSlice(log.Index.Volume.WriteSlice(s, since).Span, 0)!.Count);

    /// <summary>An index with the log that it was fed.</summary>
    private sealed class LoggedIndex(RandomLog log, Random random)
    {
        private readonly List<(byte[]? Hash, byte[] Keys, CommitEntry? Commit)> _entries = [];

        public SubjectIndex Index { get; } = new();

        public CommitEntry CommitAt(long index) => _entries[(int)index].Commit!;

        public void Grow(int mostEvents)
        {
            for (var commits = random.Next(1, 4); commits > 0; commits--)
            {
                for (var events = random.Next(1, mostEvents + 1); events > 0; events--)
                {
                    Add();
                }

                Commit();
            }
        }

        /// <summary>One more event with keys and a commit; gives the number of its keys.</summary>
        public int One()
        {
            while (Add() == 0)
            {
            }

            Commit();
            return _entries.Skip(_entries.FindLastIndex(_entries.Count - 2, e => e.Commit is not null) + 1).Sum(e => e.Keys.Length / 32);
        }

        public void Replay(SubjectIndex to)
        {
            foreach (var (hash, keys, commit) in _entries.Skip((int)to.Size))
            {
                if (commit is null)
                {
                    to.Append(to.Size, hash!, keys);
                }
                else
                {
                    Assert.True(to.Follow(commit));
                }
            }
        }

        private int Add()
        {
            var (hash, keys) = log.Next();
            Index.Append(Index.Size, hash, keys);
            _entries.Add((hash, keys, null));
            return keys.Length;
        }

        private void Commit() => _entries.Add((null, [], Index.Commit(Index.Size, long.MaxValue)));
    }
}

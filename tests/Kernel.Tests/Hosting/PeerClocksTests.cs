using Trust.Kernel.Hosting;
using Trust.TestKit;

namespace Trust.Kernel.Tests.Hosting;

/// <summary>What a Date says for certain, both ways.</summary>
public sealed class PeerClocksTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 30, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(-1, 0, 0)]
    [InlineData(40, 0, 40)]
    [InlineData(-40, 0, -38)]
    [InlineData(-40, 39, 0)]
    [InlineData(40, 39, 40)]
    public async Task Only_what_is_certain_counts(int dateAhead, int took, int skew)
    {
        var clocks = new PeerClocks(new ManualClock(Now));
        clocks.Note("ca", Now.AddSeconds(-took), Now.AddSeconds(dateAhead));
        Assert.Equal(TimeSpan.FromSeconds(skew), clocks.SkewOf("ca"));
        Assert.Equal(Math.Abs(skew) < 30, (await clocks.Check(default)).Ready);
    }

    [Fact]
    public void The_operator_is_told_once_that_a_clock_is_apart_and_once_that_it_agrees()
    {
        var clocks = new PeerClocks(new ManualClock(Now));
        List<(string, TimeSpan)> told = [];
        clocks.Told = (peer, skew) => told.Add((peer, skew));
        foreach (var ahead in new[] { 0, 90, 91, 92, 0, 0 })
        {
            clocks.Note("ca", Now, Now.AddSeconds(ahead));
        }

        Assert.Equal([("ca", TimeSpan.FromSeconds(90)), ("ca", TimeSpan.Zero)], told);
    }

    [Fact]
    public void A_measure_of_more_than_five_minutes_ago_counts_no_more()
    {
        var clock = new ManualClock(Now);
        var clocks = new PeerClocks(clock);
        clocks.Note("ca", Now, Now.AddDays(1));
        clock.Advance(TimeSpan.FromMinutes(6));
        Assert.Equal(TimeSpan.Zero, clocks.SkewOf("ca"));
    }
}

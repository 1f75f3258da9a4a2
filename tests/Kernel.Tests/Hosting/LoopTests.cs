using Microsoft.Extensions.Logging.Abstractions;
using Trust.Kernel.Hosting;
using Trust.TestKit;

namespace Trust.Kernel.Tests.Hosting;

public sealed class LoopTests
{
    private readonly List<int> _ended = [];

    [Theory]
    [InlineData(typeof(InvalidOperationException))]
    [InlineData(typeof(KeyNotFoundException))]
    [InlineData(typeof(TimeoutException))]
    [InlineData(typeof(OperationCanceledException))]
    public async Task A_round_that_throws_whatever_it_may_be_is_followed_by_the_next(Type kind)
    {
        var rounds = 0;
        using var loop = Make(new LoopWork("work", TimeSpan.FromMilliseconds(1), _ => ++rounds % 2 == 1 ? throw (Exception)Activator.CreateInstance(kind)! : Task.CompletedTask));
        await loop.StartAsync(CancellationToken.None);
        await Eventually.Holds(() => rounds >= 6, "rounds go on");
        await loop.StopAsync(CancellationToken.None);
        Assert.Empty(_ended);
        Assert.False(loop.ExecuteTask!.IsFaulted);
    }

    [Fact]
    public async Task Rounds_that_fail_for_longer_than_the_patience_make_the_service_unready_and_one_good_round_makes_it_ready()
    {
        var fails = true;
        var clock = new ManualClock(new DateTimeOffset(2026, 11, 30, 8, 0, 0, TimeSpan.Zero));
        var rounds = 0;
        using var loop = new Loop(
            new LoopWork("work", TimeSpan.Zero, async _ =>
            {
                rounds++;
                await Task.Yield();
                if (fails)
                {
                    throw new TimeoutException();
                }
            }) { LongestPause = TimeSpan.Zero },
            clock, new ProcessEnd(() => _ended.Add(0)), NullLogger<Loop>.Instance);
        await loop.StartAsync(CancellationToken.None);
        await Eventually.Holds(() => rounds >= 3, "it fails again and again");
        Assert.True((await loop.Check(CancellationToken.None)).Ready);
        for (var i = 0; i < 4; i++)
        {
            clock.Advance(TimeSpan.FromSeconds(10));
            var seen = rounds;
            await Eventually.Holds(() => rounds >= seen + 2, "it goes on failing");
        }

        await Eventually.Holds(async () => await loop.Check(CancellationToken.None) is { Ready: false } late && late.Detail.Contains("TimeoutException", StringComparison.Ordinal), "it says so");
        fails = false;
        await Eventually.Holds(async () => (await loop.Check(CancellationToken.None)).Ready, "a good round");
        await loop.StopAsync(CancellationToken.None);
    }

    [Fact]
    public async Task A_round_that_holds_for_longer_than_the_patience_after_failures_makes_the_service_ready_though_it_never_ends()
    {
        var clock = new ManualClock(new DateTimeOffset(2026, 11, 30, 8, 0, 0, TimeSpan.Zero));
        var rounds = 0;
        using var loop = new Loop(
            new LoopWork("work", TimeSpan.FromMilliseconds(1), ct => ++rounds < 3 ? throw new TimeoutException() : Task.Delay(Timeout.Infinite, ct)),
            clock, new ProcessEnd(() => _ended.Add(0)), NullLogger<Loop>.Instance);
        await loop.StartAsync(CancellationToken.None);
        await Eventually.Holds(() => rounds == 3, "it holds");
        clock.Advance(TimeSpan.FromSeconds(31));
        Assert.True((await loop.Check(CancellationToken.None)).Ready);
        await loop.StopAsync(CancellationToken.None);
    }

    [Fact]
    public async Task A_round_that_has_decided_that_the_process_must_end_ends_it_with_its_code_and_is_not_run_again()
    {
        var rounds = 0;
        using var loop = Make(new LoopWork("work", TimeSpan.FromMilliseconds(1), _ => ++rounds == 3 ? throw new ProcessMustEndException(3, "set back") : Task.CompletedTask));
        await loop.StartAsync(CancellationToken.None);
        await loop.ExecuteTask!;
        Assert.Equal(3, rounds);
        Assert.Equal([3], _ended);
    }

    [Fact]
    public async Task The_last_round_runs_once_when_the_service_stops()
    {
        var (rounds, last) = (0, 0);
        using var loop = Make(new LoopWork("work", TimeSpan.FromHours(1), _ => Task.FromResult(rounds++))
        {
            Last = _ =>
            {
                last++;
                return Task.CompletedTask;
            },
        });
        await loop.StartAsync(CancellationToken.None);
        await Eventually.Holds(() => rounds == 1, "it runs");
        await loop.StopAsync(CancellationToken.None);
        Assert.Equal((1, 1), (rounds, last));
    }

    [Fact]
    public void An_item_that_fails_waits_longer_each_time_while_the_others_are_due()
    {
        var clock = new ManualClock(new DateTimeOffset(2026, 11, 30, 8, 0, 0, TimeSpan.Zero));
        var backoff = new Backoff<string>(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(8), clock);
        List<int> waits = [];
        for (var failure = 0; failure < 6; failure++)
        {
            backoff.Failed("bad");
            Assert.True(backoff.IsDue("good"));
            Assert.Equal(["bad"], backoff.Waiting);
            var seconds = 0;
            for (; !backoff.IsDue("bad"); seconds++)
            {
                clock.Advance(TimeSpan.FromSeconds(1));
            }

            waits.Add(seconds);
        }

        Assert.Equal([1, 2, 4, 8, 8, 8], waits);
        backoff.Failed("bad");
        backoff.Done("bad");
        Assert.True(backoff.IsDue("bad"));
    }

    private Loop Make(LoopWork work)
    {
        ProcessEnd? end = null;
        end = new ProcessEnd(() => _ended.Add(end!.Code));
        return new Loop(work, TimeProvider.System, end, NullLogger<Loop>.Instance);
    }
}

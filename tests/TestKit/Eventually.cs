using System.Diagnostics;

namespace Trust.TestKit;

/// <summary>Waits for a condition, not for a time.</summary>
public static class Eventually
{
    /// <summary>Asks until the condition holds; fails with its description after the limit (a minute by default: it is reached by what will never come, not by a loaded machine).</summary>
    public static async Task Holds(Func<Task<bool>> condition, string description, TimeSpan? limit = null)
    {
        var watch = Stopwatch.StartNew();
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(25));
        while (!await condition())
        {
            if (watch.Elapsed > (limit ?? TimeSpan.FromMinutes(1)))
            {
                Xunit.Assert.Fail($"Waited {watch.Elapsed.TotalSeconds:F0} s in vain: {description}");
            }

            await tick.WaitForNextTickAsync();
        }
    }

    /// <summary>The same for a condition that needs no waiting itself.</summary>
    public static Task Holds(Func<bool> condition, string description, TimeSpan? limit = null) => Holds(() => Task.FromResult(condition()), description, limit);
}

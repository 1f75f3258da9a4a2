using System.Diagnostics;

namespace Trust.Benchmarks;

/// <summary><c>start</c>: from four stopped, built services to the last one that says it is ready; databases run, set-up is done.</summary>
internal static class StartTime
{
    /// <summary>Name of the row.</summary>
    public const string Name = "start";

    /// <summary>What it should reach.</summary>
    public const string Target = "<10 s";

    /// <summary>Measures the slowest of two starts.</summary>
    public static async Task<Row> Measure(BenchRun run, CancellationToken ct)
    {
        var installation = (await run.World(ct)).Installation;
        var slowest = TimeSpan.Zero;
        for (var i = 0; i < 2; i++)
        {
            await Task.WhenAll(installation.Services.Values.Select(s => s.Stop(ct)));
            var watch = Stopwatch.StartNew();
            await installation.StartServices(ct);
            slowest = watch.Elapsed > slowest ? watch.Elapsed : slowest;
        }

        return new Row(Name, slowest.TotalSeconds, "s", null, "", Target, slowest < TimeSpan.FromSeconds(10), "the slower of two starts");
    }
}

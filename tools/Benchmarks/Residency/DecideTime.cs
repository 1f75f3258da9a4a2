using System.Diagnostics;
using System.Globalization;
using Trust.Kernel.Residency;

namespace Trust.Benchmarks.Residency;

/// <summary><c>residency.decide</c>: one question to the standard rules in process, of regions over the whole table, at its 99th percentile; the peer is the clock read alone.</summary>
internal static class DecideTime
{
    /// <summary>Name of the row.</summary>
    public const string Name = "residency.decide";

    /// <summary>What it should reach.</summary>
    public const string Target = "≤20 µs p99";

    private const double LimitMicroseconds = 20;
    private const int Questions = 200_000;

    /// <summary>Measures.</summary>
    public static Task<Row> Measure(BenchRun run, CancellationToken ct)
    {
        _ = run;
        var today = ResidencyTerms.DayOf(TimeProvider.System.GetUtcNow());
        var rules = ResidencyRules.TryCreate(ResidencyTerms.StandardRules(), RegionTree.Gbt2260, "bench", today, out var fault) ?? throw new InvalidOperationException(fault);
        string?[] places = [.. RegionTree.Gbt2260.Within(RegionTree.Mainland, today), "810000", "199999", null];
        var actions = Enum.GetValues<ResidencyAction>();
        var classes = DataClassJsonConverter.Each((DataClass)0x1FF).ToArray();
        var (decided, empty) = (new double[Questions], new double[Questions]);
        for (var i = -Questions / 10; i < Questions; i++)
        {
            ct.ThrowIfCancellationRequested();
            // Steps that share no factor with the lengths, so that all come together with all.
            var at = i + Questions;
            var question = new ResidencyQuestion(actions[at % actions.Length], classes[at / 7 % classes.Length], places[at * 31 % (places.Length - 3)]!, places[at * 17 % places.Length], today);
            var before = Stopwatch.GetTimestamp();
            _ = rules.Decide(question);
            var between = Stopwatch.GetTimestamp();
            var after = Stopwatch.GetTimestamp();
            if (i >= 0)
            {
                decided[i] = Stopwatch.GetElapsedTime(before, between).TotalMicroseconds;
                empty[i] = Stopwatch.GetElapsedTime(between, after).TotalMicroseconds;
            }
        }

        var (ours, clock) = (Percentile(decided), Percentile(empty));
        return Task.FromResult(new Row(Name, ours, "µs", LimitMicroseconds, "limit", Target, ours <= LimitMicroseconds, string.Create(
            CultureInfo.InvariantCulture, $"median {Median(decided):F2} µs; the clock alone {clock:F2} µs p99; {rules.All.Count} rules, {places.Length:N0} regions")));
    }

    private static double Percentile(double[] times) => times.Order().ElementAt((int)(times.Length * 0.99));

    private static double Median(double[] times) => times.Order().ElementAt(times.Length / 2);
}

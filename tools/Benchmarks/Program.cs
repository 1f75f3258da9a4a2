using Trust.Benchmarks.Ledger;

namespace Trust.Benchmarks;

/// <summary>Measures, and says honestly what reached its target. <c>[name…] [--json] [--long]</c>.</summary>
internal static class Program
{
    private static readonly Dictionary<string, Func<bool, CancellationToken, Task<Row>>> Rows = new(StringComparer.Ordinal)
    {
        [LedgerAppend.Name] = LedgerAppend.Measure,
    };

    public static async Task<int> Main(string[] args)
    {
        var json = args.Contains("--json", StringComparer.Ordinal);
        var extended = args.Contains("--long", StringComparer.Ordinal);
        var names = args.Where(a => !a.StartsWith("--", StringComparison.Ordinal)).ToList();
        if (names.Find(n => !Rows.ContainsKey(n)) is { } unknown)
        {
            await Console.Error.WriteLineAsync($"No row '{unknown}'. Known: {string.Join(", ", Rows.Keys)}.");
            return 2;
        }

        foreach (var (name, measure) in Rows.Where(r => names.Count == 0 || names.Contains(r.Key, StringComparer.Ordinal)))
        {
            var row = await measure(extended, CancellationToken.None);
            Console.WriteLine(json ? row.ToJson() : row.ToLine());
        }

        return 0;
    }
}

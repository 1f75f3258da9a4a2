using System.Globalization;
using Npgsql;
using Trust.Cli.Local;

namespace Trust.Benchmarks.Ledger;

/// <summary><c>ledger.steady</c>: the wait for an answer over ten minutes at a third of what <c>ledger.append</c> has to reach.</summary>
internal static class LedgerSteady
{
    /// <summary>Name of the row.</summary>
    public const string Name = "ledger.steady";

    /// <summary>What it should reach.</summary>
    public const string Target = "5,000/s for 10 minutes, ack and checkpoint p99 ≤500 ms";

    private const int Rate = 5_000;

    /// <summary>Measures on a ledger of its own.</summary>
    public static async Task<Row> Measure(BenchRun run, CancellationToken ct)
    {
        var directory = BenchLedger.NewFolder();
        try
        {
            if (LedgerAppend.Assembly() is not { } assembly)
            {
                return Row.Missing(Name, "ms", Target, "the ledger is not built");
            }

            await using var ledger = await BenchLedger.Start(directory, assembly, IntakeLoad.Producers, ct);
            var load = await IntakeLoad.Begin(ledger, 2, ceremony: true, ct, Subjects.Recurring);
            await load.Run(2, null, ct); // Warm-up.
            var steady = await SteadyLoad.Run(ledger, load, Rate, ct);
            var p99 = steady.P99.TotalMilliseconds;
            return new Row(
                Name, p99, "ms", steady.DiskP99.TotalMilliseconds, "a flush of 200 bytes beside it", Target, p99 <= 500 && steady.Rate >= 0.99 * Rate,
                string.Create(CultureInfo.InvariantCulture, $"{steady}; the service's largest resident set {ledger.PeakMemory():F0} MiB"));
        }
        catch (Exception e) when (e is CommandFailedException or HttpRequestException or InvalidOperationException or NpgsqlException)
        {
            return Row.Missing(Name, "ms", Target, e.Message);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}

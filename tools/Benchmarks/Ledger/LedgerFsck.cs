using System.Diagnostics;
using System.Globalization;
using Npgsql;
using Trust.Cli.Local;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;

namespace Trust.Benchmarks.Ledger;

/// <summary><c>ledger.fsck</c>: the whole log recomputed from its stored bytes by the ledger's own verb, held against merely reading those bytes.</summary>
internal static class LedgerFsck
{
    /// <summary>Name of the row.</summary>
    public const string Name = "ledger.fsck";

    /// <summary>What it should reach.</summary>
    public const string Target = "≤10 s for 1 million events";

    private const double Million = 1_000_000;

    // Of each producer, enough that all code of a check is compiled and its processor warm.
    private const int FirstBatches = 9;

    // Checks of which the middle one counts: what one takes more than another is multiplied by what a million is more than the log.
    private const int Times = 3;

    private const string ReadAll = "SELECT sum(octet_length(leaf)), bit_xor(get_byte(leaf, octet_length(leaf) - 1)) FROM entries";

    /// <summary>Measures on ledgers of its own.</summary>
    public static async Task<Row> Measure(BenchRun run, CancellationToken ct)
    {
        try
        {
            if (LedgerAppend.Assembly() is not { } assembly)
            {
                return Row.Missing(Name, "s", Target, "the ledger is not built");
            }

            var batches = run.Extended ? 245 : 37;
            var usual = await Check(assembly, batches, Subjects.Recurring, ct);
            var dearest = await Check(assembly, batches, Subjects.AllNew, ct);
            return new Row(Name, usual.Value, "s", usual.Reading, "reading the bytes in the server", Target, usual.Value <= 10, string.Create(
                CultureInfo.InvariantCulture,
                $"{Events(batches):N0} events of 1 KB with 4 subjects in {usual.Whole.TotalSeconds:F1} s, {Events(FirstBatches):N0} in {usual.First.TotalSeconds:F1} s, each the middle of {Times} with the start of the process; a straight line through both at a million; eight events a prescription, 100,000 patients; {dearest.Value:F1} s where each event brings a patient and a prescription never seen before; bound by hashing entries and index"));
        }
        catch (Exception e) when (e is CommandFailedException or HttpRequestException or InvalidOperationException or NpgsqlException)
        {
            return Row.Missing(Name, "s", Target, e.Message);
        }
    }

    private static async Task<(double Value, double Reading, TimeSpan Whole, TimeSpan First)> Check(string assembly, int batches, Subjects subjects, CancellationToken ct)
    {
        var directory = BenchLedger.NewFolder();
        try
        {
            await using var ledger = await BenchLedger.Start(directory, assembly, IntakeLoad.Producers, ct);
            var load = await IntakeLoad.Begin(ledger, batches, ceremony: true, ct, subjects);
            await load.Run(FirstBatches, null, ct);
            var first = await Check(ledger, ct);
            await load.Run(batches - FirstBatches, null, ct);
            await using var database = Outbound.Database(ledger.Database);
            var watch = Stopwatch.StartNew();
            await database.Sql(ReadAll).Scalar<decimal>(ct);
            var reading = watch.Elapsed;
            var whole = await Check(ledger, ct);
            // A straight line through both: start of the process, token and compiled code are there once, however long the log is.
            var value = first.TotalSeconds + ((whole - first).TotalSeconds * (Million - Events(FirstBatches)) / (Events(batches) - Events(FirstBatches)));
            return (value, reading.TotalSeconds * Million / Events(batches), whole, first);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static int Events(int batches) => (IntakeLoad.Producers * batches * IntakeLoad.BatchCount) + 1;

    private static async Task<TimeSpan> Check(BenchLedger ledger, CancellationToken ct)
    {
        var took = new List<TimeSpan>();
        for (var i = 0; i < Times; i++)
        {
            var watch = Stopwatch.StartNew();
            await ledger.Fsck(ct);
            took.Add(watch.Elapsed);
        }

        return took.Order().ElementAt(Times / 2);
    }
}

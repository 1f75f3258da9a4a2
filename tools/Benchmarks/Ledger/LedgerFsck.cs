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
    private const string ReadAll = "SELECT sum(octet_length(leaf)), bit_xor(get_byte(leaf, octet_length(leaf) - 1)) FROM entries";

    /// <summary>Measures on a ledger of its own.</summary>
    public static async Task<Row> Measure(BenchRun run, CancellationToken ct)
    {
        var directory = BenchLedger.NewFolder();
        try
        {
            if (LedgerAppend.Assembly() is not { } assembly)
            {
                return Row.Missing(Name, "s", Target, "the ledger is not built");
            }

            await using var ledger = await BenchLedger.Start(directory, assembly, IntakeLoad.Producers, ct);
            var batches = run.Extended ? 245 : 37;
            var load = await IntakeLoad.Begin(ledger, batches, ceremony: true, ct);
            var start = await Check(ledger, ct);
            await load.Run(batches, null, ct);
            var events = (IntakeLoad.Producers * batches * IntakeLoad.BatchCount) + 1;
            await using var database = Outbound.Database(ledger.Database);
            var watch = Stopwatch.StartNew();
            await database.Sql(ReadAll).Scalar<decimal>(ct);
            var reading = watch.Elapsed;
            var whole = await Check(ledger, ct);
            var scale = Million / events;
            // What a check of one event takes, start of the process and token, is there once however long the log is.
            var value = ((whole - start).TotalSeconds * scale) + start.TotalSeconds;
            return new Row(Name, value, "s", reading.TotalSeconds * scale, "reading the bytes in the server", Target, value <= 10, string.Create(
                CultureInfo.InvariantCulture,
                $"{events:N0} events of 1 KB with 4 subjects in {whole.TotalSeconds:F1} s, of one event in {start.TotalSeconds:F1} s; their difference scaled to a million, and the start of the process; bound by hashing the index"));
        }
        catch (Exception e) when (e is CommandFailedException or HttpRequestException or InvalidOperationException or NpgsqlException)
        {
            return Row.Missing(Name, "s", Target, e.Message);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<TimeSpan> Check(BenchLedger ledger, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        await ledger.Fsck(ct);
        return watch.Elapsed;
    }
}

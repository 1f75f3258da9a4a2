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
            var events = await LedgerAppend.Fill(ledger, run.Extended ? 245 : 37, ct);
            await using var database = Outbound.Database(ledger.Database);
            var watch = Stopwatch.StartNew();
            await database.Sql(ReadAll).Scalar<decimal>(ct);
            var reading = watch.Elapsed;
            watch.Restart();
            await ledger.Fsck(ct);
            var scale = Million / events;
            var value = watch.Elapsed.TotalSeconds * scale;
            return new Row(Name, value, "s", reading.TotalSeconds * scale, "reading the bytes in the server", Target, value <= 10, string.Create(
                CultureInfo.InvariantCulture, $"{events:N0} events of 1 KB with 4 subjects in {watch.Elapsed.TotalSeconds:F1} s, start of the process included, scaled to a million; bound by hashing the index"));
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
}

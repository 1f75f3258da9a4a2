using System.Globalization;
using Trust.AuditLedger.Checkpoints;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Shredding;
using Trust.Kernel.Audit;
using Trust.Kernel.LockStore;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.Pkcs11;

namespace Trust.AuditLedger.Fsck;

/// <summary>
/// Verb <c>fsck [--repair]</c>: recomputes everything from stored bytes and lists what differs. Exit code 0: nothing differs, 1: something does,
/// 3: something did and all of it was repaired to the same root.
/// </summary>
internal static class FsckCommand
{
    /// <summary>Runs the verb.</summary>
    public static async Task<int> Run(WebApplication app, string[] args, CancellationToken ct)
    {
        var services = app.Services;
        var database = services.GetRequiredService<DatabaseOptions>();
        var report = await Check(services, Progress, ct);
        await Print(report);
        if (report.Faults.Count == 0 || !args.Contains("--repair", StringComparer.Ordinal))
        {
            return report.Faults.Count == 0 ? 0 : 1;
        }

        await using var owner = Outbound.Database(database, asOwner: true);
        var repair = new LogRepair(
            owner, services.GetRequiredService<Npgsql.NpgsqlDataSource>(), services.GetRequiredService<Mirror>(), services.GetRequiredService<Outbound>(),
            services.GetRequiredService<Sources>(), services.GetRequiredService<Outbox>(), services.GetRequiredService<SubjectKeyVault>());
        var repaired = await repair.Run(report, ct);
        await Console.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"repaired {repaired.Count} of {report.Faults.Count}; checking again"));
        var again = await Check(services, Progress, ct);
        await Print(again);
        return again.Faults.Count == 0 && again.Root.AsSpan().SequenceEqual(report.Root) ? 3 : 1;
    }

    /// <summary>One check of the service's own log.</summary>
    internal static Task<CheckReport> Check(IServiceProvider services, Action<long, long>? progress, CancellationToken ct) => new LogCheck(
        services.GetRequiredService<Npgsql.NpgsqlDataSource>(), services.GetRequiredService<DatabaseOptions>(), services.GetRequiredService<ILockStore>(), services.GetRequiredService<CheckpointSigner>(),
        services.GetRequiredService<Sources>(), services.GetRequiredService<IToken>()).Run(progress, ct);

    private static void Progress(long done, long of)
    {
        if (done == of || done % (1 << 18) == 0)
        {
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {done} of {of} entries"));
        }
    }

    private static async Task Print(CheckReport report)
    {
        foreach (var fault in report.Faults)
        {
            await Console.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{fault.Code} {fault.Index} {fault.Detail}"));
        }

        foreach (var note in report.Notes)
        {
            await Console.Out.WriteLineAsync("note: " + note);
        }

        await Console.Out.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture, $"{report.Size} entries, {report.Faults.Count} faults, root {Convert.ToBase64String(report.Root)}; signed up to {report.SignedSize}"));
    }
}

using System.Globalization;
using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.TestKit;

namespace Trust.EndToEnd.Tests.Installing;

/// <summary>The restore of docs/INSTALL.md §7, rehearsed: base backup and archived write-ahead log, with PostgreSQL's own tools.</summary>
public sealed class RestoreTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task A_lost_cluster_comes_back_from_base_backup_and_archived_log_and_one_restored_too_early_does_not_run()
    {
        var installation = new Installation(Scratch.Directory("restore"), AddressPlan.FreePorts(), Cli.Program.RepositoryRoot());
        try
        {
            await installation.Start(_ => { }, None);
            var backup = await Backup.Begin(installation.Cluster!);
            await using var world = await World.Open(installation, Cli.Program.RepositoryRoot(), None);
            // Done after the base backup: only the archived log holds it.
            await world.ImportRegistry(None);
            var person = world.Practitioners[0];
            await Eventually.Holds(async () => await Count(installation, "SELECT count(*) FROM ca.audit_outbox WHERE idx IS NULL") == 0, "the ledger has the registry's events");

            await StopServices(installation);
            // To the end of the base backup only, and without an archive of its own: its timeline would lead the next restore astray.
            await backup.LoseAndRestore("recovery_target = 'immediate'", "recovery_target_action = 'promote'", "archive_mode = off");
            installation.Services["ca"].Start();
            await Eventually.Holds(() => !installation.Services["ca"].IsRunning() && installation.Services["ca"].Reason().Contains("it was set back", StringComparison.Ordinal), "it does not run");

            await backup.LoseAndRestore();
            await installation.StartServices(None);
            Assert.Equal(1, await Count(installation, $"SELECT count(*) FROM ca.practitioners WHERE urn = '{person}'"));
            await world.Officers[1].Api.Post($"/practitioners/{person}/state", new JsonObject { ["state"] = "suspended", ["reason"] = "order" }, None);
        }
        finally
        {
            await installation.Stop(None);
        }
    }

    private static async Task<long> Count(Installation installation, string sql) =>
        long.Parse((await installation.Cluster!.Sql("trust", sql, None)).Trim(), CultureInfo.InvariantCulture);

    private static Task StopServices(Installation installation) => Task.WhenAll(installation.Services.Values.Where(s => s.Name is not "ledger" && s.IsRunning()).Select(s => s.Stop(None)));

    /// <summary>The main cluster's base backup and its archived log.</summary>
    private sealed class Backup(PostgresCluster cluster, string data)
    {
        private int _lost;

        private string Folder => Path.Combine(Path.GetDirectoryName(data)!, "backups");

        private string Wal => Path.Combine(Folder, "wal");

        private string Base => Path.Combine(Folder, "base");

        /// <summary>Switches archiving on and takes the base backup.</summary>
        public static async Task<Backup> Begin(PostgresCluster cluster)
        {
            var backup = new Backup(cluster, (await cluster.Sql("postgres", "SHOW data_directory", None)).Trim());
            Directory.CreateDirectory(backup.Wal);
            await backup.GiveToServer(backup.Folder);
            await cluster.Sql("postgres", $"ALTER SYSTEM SET archive_command = 'test ! -f {backup.Wal}/%f && cp %p {backup.Wal}/%f'", None);
            await cluster.Sql("postgres", "ALTER SYSTEM SET archive_mode = on", None);
            await cluster.Stop(immediate: false, None);
            await cluster.Restart(None);
            await Command.Run(
                Path.Combine(PostgresCluster.FindBinaries()!, "pg_basebackup"),
                ["-h", "127.0.0.1", "-p", cluster.Port.ToString(CultureInfo.InvariantCulture), "-U", "postgres", "-D", backup.Base, "-Ft", "-z", "-X", "none", "--checkpoint=fast"],
                None, null, new Dictionary<string, string>(StringComparer.Ordinal) { ["PGPASSFILE"] = cluster.SuperuserPasswordFile });
            return backup;
        }

        /// <summary>The data folder is gone; it comes back from the backup.</summary>
        /// <param name="settings">Settings of the recovery beside the restore command.</param>
        public async Task LoseAndRestore(params string[] settings)
        {
            await cluster.Stop(immediate: false, None);
            Directory.Move(data, string.Create(CultureInfo.InvariantCulture, $"{data}.lost{++_lost}"));
            Directory.CreateDirectory(data);
            await Command.Run("tar", ["-xzf", Path.Combine(Base, "base.tar.gz"), "-C", data], None);
            await File.AppendAllLinesAsync(Path.Combine(data, "postgresql.auto.conf"), [$"restore_command = 'cp {Wal}/%f %p'", .. settings]);
            await File.WriteAllTextAsync(Path.Combine(data, "recovery.signal"), "");
            await Command.Run("chmod", ["700", data], None);
            await GiveToServer(data);
            await cluster.Restart(None);
            await Eventually.Holds(async () => (await cluster.Sql("postgres", "SELECT pg_is_in_recovery()", None)).Trim() is "f", "the recovery ends");
        }

        private Task GiveToServer(string folder) =>
            Environment.IsPrivilegedProcess ? Command.Run("chown", ["-R", "postgres:postgres", folder], None) : Task.CompletedTask;
    }
}

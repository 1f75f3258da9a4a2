using System.Globalization;
using Trust.Cli.Local;

namespace Trust.TestKit;

/// <summary>A streaming standby of a test's own PostgreSQL server.</summary>
public sealed class StandbyServer
{
    private readonly string _directory;

    private StandbyServer(string directory) => _directory = directory;

    /// <summary>Copies the primary and follows it.</summary>
    /// <param name="primary">A server of the test's own.</param>
    /// <param name="name">Its <c>application_name</c>.</param>
    public static async Task<StandbyServer> Follow(PostgresCluster primary, string name)
    {
        var directory = Scratch.Directory("standby");
        var (data, log) = (Path.Combine(directory, "data"), Path.Combine(directory, "log"));
        Directory.CreateDirectory(log);
        var port = primary.Port.ToString(CultureInfo.InvariantCulture);
        await Command.Run(
            Path.Combine(PostgresCluster.FindBinaries()!, "pg_basebackup"), ["-h", "127.0.0.1", "-p", port, "-U", "postgres", "-D", data, "-X", "stream", "-c", "fast"],
            default, "", new Dictionary<string, string>(StringComparer.Ordinal) { ["PGPASSFILE"] = primary.SuperuserPasswordFile });
        var password = (await File.ReadAllTextAsync(primary.SuperuserPasswordFile)).Trim().Split(':')[^1];
        await File.AppendAllLinesAsync(
            Path.Combine(data, "postgresql.auto.conf"),
            [$"primary_conninfo = 'host=127.0.0.1 port={port} user=postgres password={password} application_name={name}'", "hot_standby = on"]);
        await File.WriteAllTextAsync(Path.Combine(data, "standby.signal"), "");
        if (File.Exists(Path.Combine(data, "postmaster.pid")))
        {
            File.Delete(Path.Combine(data, "postmaster.pid"));
        }

        if (Environment.IsPrivilegedProcess)
        {
            await Command.Run("chown", ["-R", "postgres", data, log], default);
        }

        var standby = new StandbyServer(directory);
        await standby.Start();
        return standby;
    }

    /// <summary>Starts it again where it stopped.</summary>
    public Task Start() => PostgresCluster.Start(_directory, [], CancellationToken.None);

    /// <summary>Stops it at once.</summary>
    public Task Stop() => PostgresCluster.Stop(_directory, immediate: true, CancellationToken.None);
}

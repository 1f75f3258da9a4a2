using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Trust.Cli.Local;

/// <summary>
/// A private PostgreSQL cluster: own data directory, free loopback port and a socket of its own, password authentication, checksums on. As root
/// it runs under the account <c>postgres</c>, because the server refuses root. The machine's own clusters are never touched.
/// </summary>
public sealed class PostgresCluster
{
    // Below the ports that outgoing connections take (32768 and up), so that none of those comes in between.
    private const int FirstFree = 12_000;
    private const int EndFree = 32_000;
    private static readonly ConcurrentDictionary<int, bool> HandedOut = new();

    private const string ServerAccount = "postgres";

    // unix(7): a socket's path has at most 107 bytes.
    private const int LongestSocketFolder = 107 - 16;

    private readonly string _directory;
    private readonly string _binaries;

    private PostgresCluster(string directory, string binaries, int port)
    {
        _directory = directory;
        _binaries = binaries;
        Port = port;
    }

    /// <summary>Loopback TCP port.</summary>
    public int Port { get; }

    /// <summary>The superuser's password in libpq's form, for its tools.</summary>
    public string SuperuserPasswordFile => Path.Combine(_directory, "secrets", "pgpass");

    /// <summary>Number of the running server process.</summary>
    public int ServerProcess => int.Parse(File.ReadLines(Path.Combine(Data, "postmaster.pid")).First(), CultureInfo.InvariantCulture);

    private string Data => Path.Combine(_directory, "data");

    // Services on the server's own machine need no network to it: each of their many short statements is cheaper so, and congestion control that is
    // made for long distances (bbr) cannot hold an answer back for the round trips it believes in.
    private string Host => File.Exists(Path.Combine(SocketFolder(_directory), string.Create(CultureInfo.InvariantCulture, $".s.PGSQL.{Port}"))) ? SocketFolder(_directory) : "127.0.0.1";

    /// <summary>Starts the cluster in a directory, creating it on first use. A cluster already running there is used as it is.</summary>
    /// <param name="directory">Absolute; must be reachable by the server account.</param>
    /// <param name="settings">Further <c>postgresql.conf</c> lines for a new cluster.</param>
    /// <param name="ct">Cancels the wait.</param>
    /// <exception cref="CommandFailedException">PostgreSQL is not installed or does not start; the message says what to do.</exception>
    public static async Task<PostgresCluster> Start(string directory, IReadOnlyList<string> settings, CancellationToken ct)
    {
        var binaries = FindBinaries() ?? throw new CommandFailedException("PostgreSQL 15 or newer is not installed; run: apt-get install postgresql");
        Directory.CreateDirectory(directory);
        var data = Path.Combine(directory, "data");
        if (!Directory.Exists(data))
        {
            await Create(directory, binaries, settings, ct);
        }
        else if (!File.Exists(Path.Combine(data, "PG_VERSION")))
        {
            throw new CommandFailedException(
                $"{data} has no PG_VERSION: a cluster that somebody damaged, or no cluster at all. Nothing in it was touched. Put the file back (it holds the server's "
                + "major version, for example 15), restore the folder from a backup, or delete everything by ./trust reset.");
        }

        DropStalePid(Path.Combine(data, "postmaster.pid"));
        var (running, _, _) = await AsServer(Path.Combine(binaries, "pg_ctl"), ["-D", data, "status"], ct);
        if (running == 0)
        {
            var line = (await File.ReadAllLinesAsync(Path.Combine(data, "postmaster.pid"), ct))[3];
            return new PostgresCluster(directory, binaries, int.Parse(line, CultureInfo.InvariantCulture));
        }

        for (var attempt = 0; ; attempt++)
        {
            var port = FreePort();
            var (code, _, _) = await AsServer(
                Path.Combine(binaries, "pg_ctl"), ["-D", data, "-l", Path.Combine(directory, "log", "server.log"), "-o", $"-p {port}", "-w", "-t", "30", "start"], ct);
            if (code == 0)
            {
                return new PostgresCluster(directory, binaries, port);
            }

            if (attempt == 2)
            {
                throw new CommandFailedException($"PostgreSQL does not start: {LastLine(Path.Combine(directory, "log", "server.log"))}");
            }
        }
    }

    /// <summary>Stops the cluster of a directory if it runs; <paramref name="immediate"/> is a crash.</summary>
    public static async Task Stop(string directory, bool immediate, CancellationToken ct)
    {
        if (FindBinaries() is { } binaries && File.Exists(Path.Combine(directory, "data", "postmaster.pid")))
        {
            await AsServer(Path.Combine(binaries, "pg_ctl"), ["-D", Path.Combine(directory, "data"), "-m", immediate ? "immediate" : "fast", "-w", "stop"], ct);
        }
    }

    /// <summary>Stops this cluster.</summary>
    public Task Stop(bool immediate, CancellationToken ct) => Stop(_directory, immediate, ct);

    /// <summary>Starts this cluster again on the same port, as after a crash.</summary>
    public async Task Restart(CancellationToken ct)
    {
        await Stop(immediate: true, ct);
        var (code, _, error) = await AsServer(
            Path.Combine(_binaries, "pg_ctl"), ["-D", Data, "-l", Path.Combine(_directory, "log", "server.log"), "-o", $"-p {Port}", "-w", "-t", "30", "start"], ct);
        if (code != 0)
        {
            throw new CommandFailedException("PostgreSQL does not start again: " + error);
        }
    }

    /// <summary>Makes a database with one schema, its owner role (migrations) and its runtime role (no DDL). Repeatable.</summary>
    public async Task<ServiceDatabase> CreateServiceSchema(string database, string schema, CancellationToken ct)
    {
        var owner = await Password(schema + "_owner", ct);
        var runtime = await Password(schema + "_runtime", ct);
        await Sql("postgres", $"""
            SELECT 'CREATE ROLE {schema}_owner LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{schema}_owner') \gexec
            SELECT 'CREATE ROLE {schema}_runtime LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{schema}_runtime') \gexec
            ALTER ROLE {schema}_owner PASSWORD '{owner}';
            ALTER ROLE {schema}_runtime PASSWORD '{runtime}';
            SELECT 'CREATE DATABASE {database}' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{database}') \gexec
            """, ct);
        await Sql(database, $"""
            REVOKE CREATE ON SCHEMA public FROM PUBLIC;
            CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {schema}_owner;
            GRANT USAGE ON SCHEMA {schema} TO {schema}_runtime;
            """, ct);
        return new ServiceDatabase(
            $"Host={Host};Port={Port};Database={database};Username={schema}_runtime", PasswordFile(schema + "_runtime"),
            schema + "_owner", PasswordFile(schema + "_owner"), schema);
    }

    /// <summary>Runs SQL as the superuser, by psql's standard input.</summary>
    public Task<string> Sql(string database, string sql, CancellationToken ct) => Command.Run(
        Path.Combine(_binaries, "psql"),
        ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", Port.ToString(CultureInfo.InvariantCulture), "-U", "postgres", "-d", database],
        ct, sql, new Dictionary<string, string>(StringComparer.Ordinal) { ["PGPASSFILE"] = SuperuserPasswordFile });

    /// <summary>A loopback port nobody listens on at this moment.</summary>
    public static int FreePort()
    {
        while (true)
        {
            var port = RandomNumberGenerator.GetInt32(FirstFree, EndFree);
            if (HandedOut.TryAdd(port, true) && IsFree(port))
            {
                return port;
            }
        }
    }

    private static bool IsFree(int port)
    {
#pragma warning disable RS0030 // Listens for an instant; connects to nothing.
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
#pragma warning restore RS0030
        try
        {
            probe.Bind(new IPEndPoint(IPAddress.Any, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>The folder of the newest installed server of version 15 or later, or null.</summary>
    public static string? FindBinaries()
    {
        const string debian = "/usr/lib/postgresql";
        var versioned = Directory.Exists(debian)
            ? Directory.GetDirectories(debian).Select(d => (Version: int.TryParse(Path.GetFileName(d), CultureInfo.InvariantCulture, out var v) ? v : 0, Path: Path.Combine(d, "bin")))
                .Where(d => d.Version >= 15).OrderByDescending(d => d.Version).Select(d => d.Path)
            : [];
        return versioned.Concat((Environment.GetEnvironmentVariable("PATH") ?? "").Split(':'))
            .FirstOrDefault(d => File.Exists(Path.Combine(d, "initdb")) && File.Exists(Path.Combine(d, "psql")));
    }

    private static async Task Create(string directory, string binaries, IReadOnlyList<string> settings, CancellationToken ct)
    {
        // Made beside its place and moved there whole: what stands at its place is a cluster, and is never deleted here.
        var data = Path.Combine(directory, "data.new");
        var secrets = Path.Combine(directory, "secrets");
        if (Directory.Exists(data))
        {
            Directory.Delete(data, recursive: true);
        }

        var log = Path.Combine(directory, "log");
        Directory.CreateDirectory(data);
        Directory.CreateDirectory(log);
        Directory.CreateDirectory(SocketFolder(directory));
        Directory.CreateDirectory(secrets, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var password = Secret();
        WriteSecret(Path.Combine(secrets, "pgpass"), $"127.0.0.1:*:*:postgres:{password}\n");
        var handed = Path.Combine(data, "..", "superuser");
        WriteSecret(handed, password + "\n");
        if (Environment.IsPrivilegedProcess)
        {
            await Command.Run("chown", [ServerAccount, data, log, SocketFolder(directory), handed], ct);
        }

        await Command.Run("chmod", ["700", data], ct);
        var (code, output, error) = await AsServer(
            Path.Combine(binaries, "initdb"),
            ["-D", data, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", handed, "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums"], ct);
        File.Delete(handed);
        if (code != 0)
        {
            throw new CommandFailedException($"initdb ended with {code}: {Said(error + output, directory)}");
        }

        var sockets = HasSocket(SocketFolder(directory)) ? SocketFolder(directory) : "";
        await File.AppendAllLinesAsync(Path.Combine(data, "postgresql.conf"),
            ["listen_addresses = '127.0.0.1'", $"unix_socket_directories = '{sockets}'", "max_connections = 400", "shared_buffers = 256MB", "max_wal_size = 2GB", .. settings], ct);
        Directory.Move(data, Path.Combine(directory, "data"));
    }

    // A full disk leaves initdb speechless.
    private static string Said(string text, string directory) => text.Trim() is { Length: > 0 } said ? said
        : string.Create(CultureInfo.InvariantCulture, $"it said nothing; {new DriveInfo(directory).AvailableFreeSpace >> 20} MiB are free below {directory}.");

    private static string LastLine(string log) => File.Exists(log) && File.ReadLines(log).LastOrDefault(l => l.Trim().Length > 0) is { } line ? $"{line} (see {log})" : $"see {log}";

    private static string SocketFolder(string directory) => Path.Combine(directory, "socket");

    // A list is separated by commas, and a quote ends it; where a socket cannot be, the port serves.
    private static bool HasSocket(string folder) => System.Text.Encoding.UTF8.GetByteCount(folder) <= LongestSocketFolder && folder.AsSpan().IndexOfAny(",'\"\\;") < 0;

    // A killed server that nobody has reaped still has a process number, and pg_ctl would take it for a running one.
    private static void DropStalePid(string pidFile)
    {
        if (!File.Exists(pidFile) || !Directory.Exists("/proc/self"))
        {
            return;
        }

        var stat = Path.Combine("/proc", File.ReadLines(pidFile).First().Trim(), "stat");
        // proc(5): the state follows the name in parentheses; Z is a zombie, X dead.
        if (!File.Exists(stat) || File.ReadAllText(stat) is var text && text[(text.LastIndexOf(')') + 2)..][0] is 'Z' or 'X')
        {
            File.Delete(pidFile);
        }
    }

    private static Task<(int Code, string Output, string Error)> AsServer(string file, IReadOnlyList<string> arguments, CancellationToken ct) =>
        Environment.IsPrivilegedProcess
            // The server's own children must not hold our pipes open: setsid detaches, and pg_ctl gets no terminal.
            ? Command.Try("setpriv", ["--reuid", ServerAccount, "--regid", ServerAccount, "--init-groups", "--", "sh", "-c", "exec \"$@\" >\"$0\" 2>&1 </dev/null", "/dev/null", file, .. arguments], ct)
            : Command.Try("sh", ["-c", "exec \"$@\" >\"$0\" 2>&1 </dev/null", "/dev/null", file, .. arguments], ct);

    private async Task<string> Password(string role, CancellationToken ct)
    {
        if (!File.Exists(PasswordFile(role)))
        {
            WriteSecret(PasswordFile(role), Secret());
        }

        return (await File.ReadAllTextAsync(PasswordFile(role), ct)).Trim();
    }

    private string PasswordFile(string role) => Path.Combine(_directory, "secrets", role);

    private static string Secret() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24));

    private static void WriteSecret(string path, string text)
    {
        using var stream = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        stream.Write(System.Text.Encoding.ASCII.GetBytes(text));
    }
}

/// <summary>How a service reaches its schema.</summary>
/// <param name="ConnectionString">Runtime role, no password.</param>
/// <param name="PasswordFile">The runtime role's password.</param>
/// <param name="OwnerUsername">Owner role.</param>
/// <param name="OwnerPasswordFile">The owner role's password.</param>
/// <param name="Schema">Schema name.</param>
public sealed record ServiceDatabase(string ConnectionString, string PasswordFile, string OwnerUsername, string OwnerPasswordFile, string Schema);

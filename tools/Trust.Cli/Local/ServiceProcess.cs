using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Trust.Cli.Local;

/// <summary>
/// One service of an installation as a process of its own. Its process identifier and start time are kept in a file, so that
/// a later command stops exactly what was started here and never a stranger that got the same number.
/// </summary>
public sealed class ServiceProcess(string name, string assembly, string configuration, string directory, IReadOnlyDictionary<string, string> environment)
{
    /// <summary>Service name.</summary>
    public string Name => name;

    /// <summary>Everything the service prints.</summary>
    public string LogFile => Path.Combine(directory, "logs", name + ".log");

    /// <summary>Its configuration file.</summary>
    public string Configuration => configuration;

    private string PidFile => Path.Combine(directory, "run", name + ".json");

    /// <summary>Runs one of the service's verbs to its end.</summary>
    /// <exception cref="CommandFailedException">The verb failed; the message holds what it printed last.</exception>
    public Task<string> Verb(string verb, IEnumerable<string> arguments, CancellationToken ct) =>
        Command.Run(DotnetHost(), [assembly, verb, "--config", configuration, .. arguments], ct, input: "", environment: environment);

    /// <summary>Starts the service unless it runs.</summary>
    public void Start()
    {
        if (Running() is { } alive)
        {
            alive.Dispose();
            return;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(LogFile)!);
        Directory.CreateDirectory(Path.GetDirectoryName(PidFile)!);
        // setsid: a terminal's Ctrl-C reaches this command, which then stops the services in order. The shell hands its number on by exec.
        using var process = Command.Start(
            "setsid", ["sh", "-c", "log=$1; shift; exec \"$@\" >>\"$log\" 2>&1 </dev/null", "sh", LogFile, DotnetHost(), assembly, "run", "--config", configuration],
            environment, redirect: false);
        var record = new Record(process.Id, process.StartTime.ToUniversalTime().Ticks);
        File.WriteAllText(PidFile, JsonSerializer.Serialize(record));
    }

    /// <summary>True while the process lives.</summary>
    public bool IsRunning()
    {
        using var process = Running();
        return process is not null;
    }

    /// <summary>Number of the running process, or null.</summary>
    public int? ProcessId
    {
        get
        {
            using var process = Running();
            return process?.Id;
        }
    }

    /// <summary>Ends the service: asked first, then, after ten seconds, killed.</summary>
    public Task Stop(CancellationToken ct) => Stop(TimeSpan.FromSeconds(10), ct);

    /// <summary>Ends the service: asked first, then killed.</summary>
    /// <param name="patience">Between the two; a service with much in memory may store some of it first.</param>
    /// <param name="ct">Cancels the wait.</param>
    public async Task Stop(TimeSpan patience, CancellationToken ct)
    {
        using var process = Running();
        if (process is not null)
        {
            await Command.Try("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)], ct);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
            limit.CancelAfter(patience);
            try
            {
                await process.WaitForExitAsync(limit.Token);
            }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested)
            {
                process.Kill(entireProcessTree: true);
            }
        }

        if (File.Exists(PidFile))
        {
            File.Delete(PidFile);
        }
    }

    /// <summary>Ends the service as a crash would.</summary>
    public async Task Kill(CancellationToken ct)
    {
        using var process = Running();
        if (process is not null)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(ct);
        }
    }

    /// <summary>The last lines of the log, for an error message.</summary>
    public string LogTail() => File.Exists(LogFile) ? string.Join('\n', File.ReadLines(LogFile).TakeLast(12)) : "(no log)";

    /// <summary>The program of a service, built as this command was.</summary>
    /// <param name="repository">Repository with the built services.</param>
    /// <param name="service">Service name.</param>
    public static string Assembly(string repository, string service)
    {
        var (folder, project) = service switch
        {
            "idp" => ("src", "Idp"), "ca" => ("src", "CA"), "sign" => ("src", "SignService"), "ledger" => ("src", "AuditLedger"), _ => ("tools", "Witness"),
        };
        var configuration = AppContext.BaseDirectory.Contains($"{Path.DirectorySeparatorChar}Debug{Path.DirectorySeparatorChar}", StringComparison.Ordinal) ? "Debug" : "Release";
        return Path.Combine(repository, folder, project, "bin", configuration, "net10.0", $"Trust.{project}.dll");
    }

    /// <summary>The dotnet host that runs this command.</summary>
    public static string DotnetHost() =>
        Environment.ProcessPath is { } path && Path.GetFileName(path) == "dotnet" ? path
        : Environment.GetEnvironmentVariable("DOTNET_ROOT") is { } root && File.Exists(Path.Combine(root, "dotnet")) ? Path.Combine(root, "dotnet") : "dotnet";

    private Process? Running()
    {
        if (!File.Exists(PidFile) || JsonSerializer.Deserialize<Record>(File.ReadAllText(PidFile)) is not { } record)
        {
            return null;
        }

        try
        {
            var process = Process.GetProcessById(record.Pid);
            // The start time is read back from /proc with a coarse clock: equal within a second means the same process.
            if (!process.HasExited && Math.Abs(process.StartTime.ToUniversalTime().Ticks - record.StartTicks) < TimeSpan.TicksPerSecond)
            {
                return process;
            }

            process.Dispose();
            return null;
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            return null;
        }
    }

    private sealed record Record(int Pid, long StartTicks);
}

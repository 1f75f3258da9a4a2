using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Trust.Cli.Local;

/// <summary>
/// One service of an installation as a process of its own. It is found by its configuration file, which no other process runs with: a later
/// command stops exactly what was started here, whatever became of the notes.
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
        var from = File.Exists(LogFile) ? new FileInfo(LogFile).Length : 0;
        using var process = Command.Start(
            "setsid", ["sh", "-c", "log=$1; shift; exec \"$@\" >>\"$log\" 2>&1 </dev/null", "sh", LogFile, DotnetHost(), assembly, "run", "--config", configuration],
            environment, redirect: false);
        File.WriteAllText(PidFile, JsonSerializer.Serialize(new Record(process.Id, from)));
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

    /// <summary>What the log gives as the reason of the service's end: its own last sentence, or the last error without its stack.</summary>
    public string Reason()
    {
        // What an earlier process wrote is not why this one ended.
        var lines = File.Exists(LogFile) ? Since(Noted()?.From ?? 0).Split('\n').TakeLast(400).ToList() : [];
        var line = lines.FindLast(l => l.StartsWith(name + ": ", StringComparison.Ordinal) || l.Contains(" crit: ", StringComparison.Ordinal))
            ?? lines.FindLast(l => l.Contains("Unhandled exception. ", StringComparison.Ordinal) || l.Contains(" fail: ", StringComparison.Ordinal))
            ?? lines.FindLast(l => l.Trim().Length > 0) ?? "it wrote nothing";
        var end = line.IndexOf("   at ", StringComparison.Ordinal);
        line = end < 0 ? line : line[..end];
        return $"{(line.Length > 600 ? line[..600] + " …" : line).Trim()} (see {LogFile})";
    }

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

    // The note is a hint. A service is known by the configuration it was started with, so that a lost or old note neither strands it nor starts a
    // second one beside it.
    private Process? Running() => (Noted() is { } noted ? Alive(noted.Pid) : null) ?? Running(configuration).Select(Alive).FirstOrDefault(p => p is not null);

    private string Since(long from)
    {
        using var log = new FileStream(LogFile, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        // A log that was rotated is read whole.
        log.Position = from <= log.Length ? from : 0;
        using var reader = new StreamReader(log);
        return reader.ReadToEnd();
    }

    private Record? Noted()
    {
        try
        {
            return File.Exists(PidFile) ? JsonSerializer.Deserialize<Record>(File.ReadAllText(PidFile)) : null;
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            return null;
        }
    }

    private Process? Alive(int pid)
    {
        if (!Runs(pid, configuration))
        {
            return null;
        }

        try
        {
            return Process.GetProcessById(pid);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            return null;
        }
    }

    private static IEnumerable<int> Running(string configuration) => Directory.EnumerateDirectories("/proc")
        .Select(d => int.TryParse(Path.GetFileName(d), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) ? pid : 0).Where(pid => pid > 0 && Runs(pid, configuration));

    // proc(5): arguments end with NUL; a zombie has none left, so it is not taken for alive. Until they hand over by exec, setsid and sh are the service.
    private static bool Runs(int pid, string configuration)
    {
        try
        {
            var arguments = File.ReadAllText($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/cmdline").Split('\0');
            return arguments.Length > 4 && Path.GetFileName(arguments[0]) is "dotnet" or "setsid" or "sh"
                && arguments.AsSpan().IndexOf(["run", "--config", configuration]) >= 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It ended while it was looked at, or is another account's.
            return false;
        }
    }

    private sealed record Record(int Pid, long From = 0);
}

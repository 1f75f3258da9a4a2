using System.Globalization;
using Trust.Cli.Local;

namespace Trust.TestKit;

/// <summary>Private folders of one test process, in memory where the machine has /dev/shm; swept when the process ends.</summary>
public static class Scratch
{
    private static readonly string Root = Make();
    private static int _count;

    /// <summary>A new folder that server accounts can reach.</summary>
    public static string Directory(string name)
    {
        var path = Path.Combine(Root, string.Create(CultureInfo.InvariantCulture, $"{name}-{Interlocked.Increment(ref _count)}"));
        System.IO.Directory.CreateDirectory(path);
        return path;
    }

    private static string Make()
    {
        // `./trust test` names the folder it sweeps afterwards, so that a killed test process leaves no server behind.
        var run = Environment.GetEnvironmentVariable("TRUST_TEST_SCRATCH");
        var parent = run ?? (System.IO.Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath());
        var root = Path.Combine(parent, string.Create(CultureInfo.InvariantCulture, $"trust-test-{Environment.ProcessId}"));
        System.IO.Directory.CreateDirectory(root);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Sweep(root);
        return root;
    }

    // The runner gives an ended run ten seconds, then calls it failed whatever its tests said: a process of its own ends the servers and removes what they leave.
    private static void Sweep(string root)
    {
        const string script = """
            exec >/dev/null 2>&1 </dev/null
            for file in $(find "$0" -name postmaster.pid); do
                pid=$(head -n 1 "$file")
                [ "$(cat "/proc/$pid/comm")" = postgres ] && kill -QUIT "$pid"
            done
            sleep 1
            rm -rf -- "$0"
            """;
        using var sweeper = Command.Start("setsid", ["sh", "-c", script, root], null, redirect: false);
    }
}

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Trust.Kernel.Hosting;

namespace Trust.TestKit;

/// <summary>
/// A service's real host in a child of the test process, which kills itself (SIGKILL, nothing is flushed, no handler runs) when it reaches a named point. The child is the
/// test assembly started again: its entry point hands its arguments to <see cref="RunOr"/> first.
/// </summary>
public sealed class DyingService : IDisposable
{
    private const string Verb = "--die-at";
    private const string Nowhere = "nowhere";
    private readonly Process _process;
    private readonly ConcurrentQueue<string> _output = new();
    private int _disposed;

    private DyingService(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
        process.ErrorDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>What it printed.</summary>
    public string Output => string.Join('\n', _output);

    /// <summary>True once it is gone.</summary>
    public bool HasDied => _process.HasExited;

    /// <summary>The test assembly's entry point: in the child the service with its fault points armed, otherwise the tests.</summary>
    /// <param name="args">Of the process.</param>
    /// <param name="service">The real service.</param>
    /// <param name="arm">Puts a fault class into the services that calls back with each point's name.</param>
    /// <param name="tests">Runs the tests.</param>
    public static Task<int> RunOr(string[] args, ServiceDefinition service, Action<IServiceCollection, Action<string>> arm, Func<string[], Task<int>> tests)
    {
        if (args is not [Verb, var point, .. var rest])
        {
            return tests(args);
        }

        return ServiceHost.Run(rest, service with
        {
            Configure = builder =>
            {
                service.Configure(builder);
                arm(builder.Services, reached => DieAt(reached, point));
            },
        });
    }

    /// <summary>In the test: starts the child.</summary>
    /// <param name="tests">The test assembly, whose entry point calls <see cref="RunOr"/>.</param>
    /// <param name="configuration">The service's configuration file.</param>
    /// <param name="point">Where it dies; null for nowhere.</param>
    public static DyingService Start(Assembly tests, string configuration, string? point)
    {
        var start = new ProcessStartInfo("dotnet", [tests.Location, Verb, point ?? Nowhere, "run", "--config", configuration])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, Environment = { ["SOFTHSM2_CONF"] = Tokens.SoftHsm.ConfigurationPath },
        };
        return new DyingService(Process.Start(start)!);
    }

    /// <summary>Waits until it answers a request; fails with its output when it ends instead.</summary>
    public Task Answers(Func<Task<bool>> ask) => Eventually.Holds(async () =>
    {
        Xunit.Assert.False(HasDied, Output);
        try
        {
            return await ask();
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }, "the process answers", TimeSpan.FromSeconds(60));

    /// <summary>Waits for its death; fails when it was not SIGKILL.</summary>
    public async Task Died()
    {
        await Eventually.Holds(() => HasDied, "the process kills itself");
        // 128 + SIGKILL.
        Xunit.Assert.True(_process.ExitCode == 137, $"It ended with {_process.ExitCode}:\n{Output}");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    private static void DieAt(string reached, string point)
    {
        if (!string.Equals(reached, point, StringComparison.Ordinal))
        {
            return;
        }

        using var self = Process.GetCurrentProcess();
        self.Kill();
        // The signal is on its way; nothing after the point may happen.
        Thread.Sleep(Timeout.Infinite);
    }
}

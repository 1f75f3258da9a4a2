using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Trust.Kernel.Residency;

namespace Trust.Kernel.Hosting;

/// <summary>Thrown by a round that has decided that the process must end; nothing else ends it.</summary>
/// <param name="code">Exit code, not 0: a supervisor must not take the end for a wish.</param>
/// <param name="why">For the log.</param>
public sealed class ProcessMustEndException(int code, string why) : Exception(why)
{
    /// <summary>Exit code.</summary>
    public int Code => code;
}

/// <summary>How the process ends when a part decides that it must.</summary>
/// <param name="stop">Stops the host.</param>
public sealed class ProcessEnd(Action stop)
{
    private int _code;

    /// <summary>The exit code decided on; 0 while nothing was.</summary>
    public int Code => Volatile.Read(ref _code);

    /// <summary>Has the process end with the code; the first decision counts.</summary>
    public void With(int code)
    {
        Interlocked.CompareExchange(ref _code, code, 0);
        stop();
    }
}

/// <summary>
/// The one kind of background work: runs its round, waits, runs it again. An exception of whatever kind fails that round only; the
/// pause doubles with each failure up to five seconds, the loss is logged once and again when it is over, and readiness tells of it.
/// A round that must end the process throws <see cref="ProcessMustEndException"/>.
/// </summary>
public sealed class Loop : BackgroundService, IReadinessCheck
{
    private const int MostDoublings = 10;
    private static readonly Counter<long> Failures = new Meter("Trust").CreateCounter<long>("trust.loop.failures", description: "Rounds of background work that failed.");

    private readonly LoopWork _work;
    private readonly TimeProvider _clock;
    private readonly ProcessEnd _end;
    private readonly ILogger<Loop> _log;
    private int _failures;
    private long _failingSince;
    private long _failedAt;
    private volatile string _lastFailure = "";

    /// <summary>Made by <see cref="LoopServices.AddLoop{T}"/>.</summary>
    public Loop(LoopWork work, TimeProvider clock, ProcessEnd end, ILogger<Loop> log) => (_work, _clock, _end, _log) = (work, clock, end, log);

    /// <inheritdoc/>
    public string Name => _work.Name;

    private TimeSpan Patience => _work.Pause * 3 > _work.Patience ? _work.Pause * 3 : _work.Patience;

    /// <inheritdoc/>
    public ValueTask<Readiness> Check(CancellationToken ct)
    {
        var failures = Volatile.Read(ref _failures);
        if (failures == 0)
        {
            return ValueTask.FromResult(new Readiness(true, "runs"));
        }

        var failing = _clock.GetElapsedTime(Interlocked.Read(ref _failingSince));
        // A round may run for as long as something holds; one that has run for so long since the last failure is well.
        var holds = _clock.GetElapsedTime(Interlocked.Read(ref _failedAt)) >= Patience;
        return ValueTask.FromResult(new Readiness(holds || failing < Patience, string.Create(
            System.Globalization.CultureInfo.InvariantCulture, $"failed {failures} times in {failing.TotalSeconds:F0} s, last with {_lastFailure}")));
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // A round may run long before it first waits: the host must not wait for it to start.
        await Task.Yield();
        while (!stoppingToken.IsCancellationRequested && _end.Code == 0)
        {
            var pause = await Round(stoppingToken);
            await Task.Delay(pause, _clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (_work.Last is { } last)
        {
            await Guard(() => last(CancellationToken.None), CancellationToken.None);
        }
    }

    private async Task<TimeSpan> Round(CancellationToken ct)
    {
        if (!await Guard(() => _work.Round(ct), ct))
        {
            var doublings = Math.Min(Volatile.Read(ref _failures) - 1, MostDoublings);
            var pause = (_work.Pause > TimeSpan.Zero ? _work.Pause : TimeSpan.FromMilliseconds(100)) * (1 << Math.Max(0, doublings));
            var longest = _work.LongestPause > _work.Pause ? _work.LongestPause : _work.Pause;
            return pause < longest ? pause : longest;
        }

        return _work.Pause;
    }

    private async Task<bool> Guard(Func<Task> round, CancellationToken ct)
    {
        var began = _clock.GetTimestamp();
        try
        {
            await round();
            if (Interlocked.Exchange(ref _failures, 0) is > 0 and var failed)
            {
                HostLog.LoopBack(_log, Name, failed);
            }

            return true;
        }
        catch (ProcessMustEndException e)
        {
            HostLog.MustEnd(_log, Name, e.Code, e);
            _end.With(e.Code);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            return true;
        }
#pragma warning disable CA1031 // Whatever it is, the other rounds and the other loops must go on: an escaped exception would end the service.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Failed(e, began);
        }

        return false;
    }

    private void Failed(Exception e, long began)
    {
        _lastFailure = e.GetType().Name;
        Failures.Add(1, new KeyValuePair<string, object?>("loop", Name));
        var now = _clock.GetTimestamp();
        // A round that ran well for that long counts as a success: the time of failing begins now.
        if (Volatile.Read(ref _failures) == 0 || _clock.GetElapsedTime(began, now) >= Patience)
        {
            Interlocked.Exchange(ref _failures, 0);
            Interlocked.Exchange(ref _failingSince, now);
        }

        Interlocked.Exchange(ref _failedAt, now);
        if (Interlocked.Increment(ref _failures) == 1)
        {
            HostLog.LoopFailed(_log, Name, e);
        }
    }
}

/// <summary>What a loop does.</summary>
/// <param name="Name">Names it in readiness, log and metric; kebab case.</param>
/// <param name="Pause">From the end of one round to the begin of the next; zero when the round waits itself.</param>
/// <param name="Round">One round. It may also run for as long as something holds, and return or throw when that is lost.</param>
public sealed record LoopWork(string Name, TimeSpan Pause, Func<CancellationToken, Task> Round)
{
    /// <summary>Run once when the service stops.</summary>
    public Func<CancellationToken, Task>? Last { get; init; }

    /// <summary>True for work that goes on while the service is closed by residency.</summary>
    public bool WhileClosed { get; init; }

    /// <summary>How long rounds may fail before the service says that it is not ready.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Longest pause after rounds that failed, unless <see cref="Pause"/> is longer.</summary>
    public TimeSpan LongestPause { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>Registers loops.</summary>
public static class LoopServices
{
    // A closed service works on nothing; a loop without a pause of its own must not spin meanwhile.
    private static readonly TimeSpan ClosedPause = TimeSpan.FromSeconds(1);

    /// <summary>Has a singleton's round run for as long as the service runs.</summary>
    /// <param name="services">The service's parts.</param>
    /// <param name="name">See <see cref="LoopWork"/>.</param>
    /// <param name="pause">See <see cref="LoopWork"/>.</param>
    /// <param name="round">The method of <typeparamref name="T"/> that is a round.</param>
    /// <param name="more">Changes the rest of the work's description.</param>
    public static IServiceCollection AddLoop<T>(
        this IServiceCollection services, string name, TimeSpan pause, Func<T, CancellationToken, Task> round, Func<LoopWork, T, LoopWork>? more = null)
        where T : class
    {
        services.AddKeyedSingleton(name, (p, _) =>
        {
            var target = p.GetRequiredService<T>();
            var work = new LoopWork(name, pause, ct => round(target, ct));
            work = more?.Invoke(work, target) ?? work;
            if (!work.WhileClosed && p.GetService<ResidencyGate>() is { } gate)
            {
                var inner = work.Round;
                work = work with { Round = ct => gate.Closed is null ? WhileOpen(inner, gate, ct) : Task.Delay(ClosedPause, ct) };
            }

            return new Loop(work, p.GetRequiredService<TimeProvider>(), p.GetRequiredService<ProcessEnd>(), p.GetRequiredService<ILogger<Loop>>());
        });
        // Not AddHostedService: it keeps one instance a type, and all loops are of one type.
        services.AddSingleton<IHostedService>(p => p.GetRequiredKeyedService<Loop>(name));
        services.AddSingleton<IReadinessCheck>(p => p.GetRequiredKeyedService<Loop>(name));
        return services;
    }

    // A round may last for as long as something holds. When the service closes it ends as it would with the process, and begins anew when the service opens.
    private static async Task WhileOpen(Func<CancellationToken, Task> round, ResidencyGate gate, CancellationToken ct)
    {
        using var open = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var running = round(open.Token);
        if (await Task.WhenAny(running, gate.Closing) != running)
        {
            await open.CancelAsync();
        }

        try
        {
            await running;
        }
        catch (OperationCanceledException) when (open.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            // Ended by the closing, which is told elsewhere.
            return;
        }
    }
}

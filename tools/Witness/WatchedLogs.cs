using Trust.Kernel.Hosting;

namespace Trust.Witness;

/// <summary>The watched logs by origin; opened with the service, so that a state which another process holds stops the start.</summary>
internal sealed class WatchedLogs : IHostedService, IDisposable
{
    private readonly Dictionary<string, WatchedLog> _byOrigin;

    public WatchedLogs(WitnessOptions options, ServiceOptions service, WholeAnswers answers, WitnessKey key, TimeProvider clock, ILogger<WatchedLogs> log) =>
        _byOrigin = options.Logs.ToDictionary(
            l => l.Origin,
            l => new WatchedLog(l, Path.Combine(service.DataDirectory, "logs", WatchedLog.Id(l.Origin)), new EntryBundles(answers, l.Peer), new LandmarkQuorum(l, answers, log), key, clock),
            StringComparer.Ordinal);

    /// <summary>The log of that origin; null when it is not watched.</summary>
    public WatchedLog? Find(string origin) => _byOrigin.GetValueOrDefault(origin);

    /// <summary>The log of that hex SHA-256 of its origin; null when it is not watched.</summary>
    public WatchedLog? FindById(string id) => _byOrigin.Values.FirstOrDefault(l => string.Equals(WatchedLog.Id(l.Origin), id, StringComparison.Ordinal));

    /// <summary>Not ready while a log was found wrong, or cannot be followed for want of a landmark.</summary>
    public Readiness Health()
    {
        var wrong = _byOrigin.Values.Where(l => (l.Wrong ?? l.Waits) is not null).Select(l => $"{l.Origin}: {l.Wrong ?? l.Waits}").ToList();
        return wrong.Count == 0 ? new Readiness(true, $"{_byOrigin.Count} watched") : new Readiness(false, string.Join("; ", wrong));
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose()
    {
        foreach (var log in _byOrigin.Values)
        {
            log.Dispose();
        }
    }
}

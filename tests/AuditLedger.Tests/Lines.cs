using Microsoft.Extensions.Logging;

namespace Trust.AuditLedger.Tests;

/// <summary>Keeps what is logged.</summary>
internal sealed class Lines<T> : ILogger<T>
{
    /// <summary>Each line, formatted.</summary>
    public List<string> Said { get; } = [];

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (Said)
        {
            Said.Add(formatter(state, exception));
        }
    }
}

using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Trust.Kernel.Hosting;

namespace Trust.TestKit;

/// <summary>The lines that a service writes, by its own formatter; and the same as the platform would write them, to show what the formatter keeps back.</summary>
public sealed class CapturedLog : ILoggerProvider
{
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly ConcurrentQueue<string> _open = new();

    /// <summary>As the service writes them.</summary>
    public IEnumerable<string> Lines => _lines;

    /// <summary>As they would be with everything in them.</summary>
    public IEnumerable<string> Open => _open;

    /// <inheritdoc/>
    public ILogger CreateLogger(string categoryName) => new Lined(this, categoryName);

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    private sealed class Lined(CapturedLog log, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            using var text = new StringWriter();
            new ClosedLog(TimeProvider.System).Write(new LogEntry<TState>(logLevel, category, eventId, state, exception, formatter), null, text);
            log._lines.Enqueue(text.ToString());
            log._open.Enqueue(formatter(state, exception) + exception);
        }
    }
}

using System.Net.Sockets;
using System.Security.Authentication;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Npgsql;

namespace Trust.Kernel.Hosting;

/// <summary>
/// Writes log lines that hold nothing of anybody: of our own lines what their declaration lets in, of the platform's their template without its values, and of
/// an exception its kind, its place, and its text only where we wrote that text or it tells of a connection. The text of other exceptions quotes
/// what they failed on (an identity number that is no date, a row that a constraint refused).
/// </summary>
public sealed class ClosedLog(TimeProvider clock) : ConsoleFormatter(FormatName)
{
    /// <summary>The formatter's name.</summary>
    public const string FormatName = "trust";

    private const string Own = "Trust.";
    private const int MostInner = 8;

    /// <inheritdoc/>
    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        ArgumentNullException.ThrowIfNull(textWriter);
        textWriter.Write(clock.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z' ", System.Globalization.CultureInfo.InvariantCulture));
        textWriter.Write(Level(logEntry.LogLevel));
        textWriter.Write($": {logEntry.Category}[{logEntry.EventId.Id}] ");
        textWriter.Write(OneLine(Text(logEntry)));
        if (logEntry.Exception is { } error)
        {
            textWriter.Write(' ');
            textWriter.Write(OneLine(Describe(error)));
        }

        textWriter.Write('\n');
    }

    /// <summary>An exception's kind, text where it may be told, and place, and the same of those inside it.</summary>
    public static string Describe(Exception error)
    {
        ArgumentNullException.ThrowIfNull(error);
        var parts = new List<string>();
        for (var (e, left) = ((Exception?)error, MostInner); e is not null && left > 0; e = e.InnerException, left--)
        {
            parts.Add($"{e.GetType().FullName}{Told(e)} {e.StackTrace}");
        }

        return string.Join(" <- ", parts);
    }

    private static string Told(Exception e) => e switch
    {
        PostgresException p => $": {p.SqlState} {p.TableName} {p.ConstraintName}",
        NpgsqlException or SocketException or HttpRequestException or AuthenticationException or TimeoutException => ": " + e.Message,
        _ when e.GetType().FullName!.StartsWith(Own, StringComparison.Ordinal) || e.Source?.StartsWith(Own, StringComparison.Ordinal) == true => ": " + e.Message,
        _ => "",
    };

    private static string Text<TState>(in LogEntry<TState> entry) =>
        entry.Category.StartsWith(Own, StringComparison.Ordinal) ? entry.Formatter(entry.State, null)
        : entry.State is IReadOnlyList<KeyValuePair<string, object?>> values && values.FirstOrDefault(v => v.Key is "{OriginalFormat}").Value is string template ? template
        : typeof(TState).Name;

    private static string OneLine(string text) => text.ReplaceLineEndings(" ");

    private static string Level(LogLevel level) => level switch
    {
        LogLevel.Trace => "trce",
        LogLevel.Debug => "dbug",
        LogLevel.Information => "info",
        LogLevel.Warning => "warn",
        LogLevel.Error => "fail",
        _ => "crit",
    };
}

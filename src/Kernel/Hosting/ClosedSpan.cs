using System.Collections.Frozen;
using System.Diagnostics;
using OpenTelemetry;

namespace Trust.Kernel.Hosting;

/// <summary>
/// Lets of each span only the tags of a closed list leave: which route, which method, which status, which statement (constant text). Paths, queries,
/// addresses and descriptions of errors do not. A span that carries an exception is not exported: its text may quote what it failed on; the log tells
/// of the fault.
/// </summary>
public sealed class ClosedSpan : BaseProcessor<Activity>
{
    private static readonly FrozenSet<string> Listed = new[]
    {
        "http.request.method", "http.route", "http.response.status_code", "url.scheme", "server.address", "server.port", "network.protocol.name", "network.protocol.version",
        "network.transport", "error.type", "db.system", "db.system.name", "db.name", "db.namespace", "db.statement", "db.query.text", "db.operation.name", "db.response.status_code",
        "otel.status_code", "rpc.system",
    }.ToFrozenSet(StringComparer.Ordinal);

    /// <inheritdoc/>
    public override void OnEnd(Activity data)
    {
        ArgumentNullException.ThrowIfNull(data);
        if (data.Events.Any())
        {
            data.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
        }

        foreach (var (name, _) in data.TagObjects.Where(t => !Listed.Contains(t.Key)).ToList())
        {
            data.SetTag(name, null);
        }

        data.SetStatus(data.Status);
    }
}

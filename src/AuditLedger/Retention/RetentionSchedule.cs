using System.Text.Json;
using Trust.LogFormat;

namespace Trust.AuditLedger.Retention;

/// <summary>
/// How long an event is kept, by the <c>class</c> of its body: six months is the floor of the Cybersecurity Law, records prove treatment for
/// 15 (outpatient) and 30 (inpatient) years and their trail as long (docs/RULES.md §5). A class that is not listed is kept longest.
/// </summary>
internal sealed class RetentionSchedule(AuditLedgerOptions options)
{
    /// <summary>Shortest retention that may be configured, months.</summary>
    public const int FloorMonths = 6;

    /// <summary>Retention of events whose class is not listed, months.</summary>
    public const int UnlistedMonths = 360;

    /// <summary>First instant at which an event need no longer be kept.</summary>
    public DateTimeOffset Ends(ReadOnlySpan<byte> leaf)
    {
        var read = EventLeaf.TryRead(leaf, out var e) && Microseconds.TryToInstant(e.Time, out var time)
            ? (Time: time, Class: ClassOf(e.Body))
            : throw new InvalidDataException("A stored entry is not an event.");
        var months = read.Class is { } name && options.RetentionMonths.TryGetValue(name, out var listed) ? Math.Max(listed, FloorMonths) : UnlistedMonths;
        return read.Time.AddMonths(months);
    }

    private static string? ClassOf(ReadOnlySpan<byte> body)
    {
        var reader = new Utf8JsonReader(body);
        while (reader.Read())
        {
            if (reader.CurrentDepth == 1 && reader.TokenType == JsonTokenType.PropertyName && reader.ValueTextEquals("class"u8))
            {
                return reader.Read() ? reader.GetString() : null;
            }
        }

        return null;
    }
}

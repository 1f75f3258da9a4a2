using System.Text.Json;
using Trust.LogFormat;

namespace Trust.AuditLedger.Retention;

/// <summary>
/// How long an event is kept: by the class of its action (<see cref="RetentionClass"/>), and by the <c>class</c> of its body where that asks for longer.
/// Six months is the floor of the Cybersecurity Law; what has no class that is known or configured is kept longest (docs/RULES.md §5).
/// </summary>
internal sealed class RetentionSchedule(AuditLedgerOptions options)
{
    /// <summary>Shortest retention that may be configured, months.</summary>
    public const int FloorMonths = 6;

    /// <summary>First instant at which an event need no longer be kept.</summary>
    public DateTimeOffset Ends(ReadOnlySpan<byte> leaf)
    {
        if (!EventLeaf.TryRead(leaf, out var e) || !Microseconds.TryToInstant(e.Time, out var time))
        {
            throw new InvalidDataException("A stored entry is not an event.");
        }

        var (action, own) = NamesIn(e.Body);
        var months = action is not null && RetentionClass.OfAction(action) is { } name ? Months(name) : RetentionClass.Longest;
        return time.AddMonths(own is null ? months : Math.Max(months, Months(own)));
    }

    private int Months(string name) =>
        options.RetentionMonths.TryGetValue(name, out var listed) ? Math.Max(listed, FloorMonths) : RetentionClass.MonthsOf(name);

    private static (string? Action, string? Class) NamesIn(ReadOnlySpan<byte> body)
    {
        var (action, own) = ((string?)null, (string?)null);
        var reader = new Utf8JsonReader(body);
        while (reader.Read())
        {
            if (reader.CurrentDepth != 1 || reader.TokenType != JsonTokenType.PropertyName)
            {
                continue;
            }

            if (reader.ValueTextEquals("action"u8))
            {
                reader.Read();
                action = reader.GetString();
            }
            else if (reader.ValueTextEquals("class"u8))
            {
                reader.Read();
                own = reader.GetString();
            }
        }

        return (action, own);
    }
}

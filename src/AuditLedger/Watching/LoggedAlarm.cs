using System.Text;
using System.Text.Json;
using Trust.LogFormat;

namespace Trust.AuditLedger.Watching;

/// <summary>An alarm as the log holds it.</summary>
/// <param name="Index">Its entry.</param>
/// <param name="At">Ledger time.</param>
/// <param name="Id">The event.</param>
/// <param name="Kind">Name of its kind.</param>
/// <param name="Detail">Words <c>name:value</c>.</param>
/// <param name="Subjects">Whom and what it is about.</param>
/// <param name="Region">Region of the ledger that raised it.</param>
public sealed record LoggedAlarm(long Index, DateTimeOffset At, Guid Id, string Kind, string Detail, IReadOnlyList<AlarmSubject> Subjects, string Region)
{
    private const string Tag = "alarm:";
    private static readonly byte[] Start = Encoding.ASCII.GetBytes("{\"action\":\"LEDGER.alarm\",");

    /// <summary>The alarm in a leaf; null when the leaf is another event, or not one of the ledger's own.</summary>
    /// <param name="index">Its index.</param>
    /// <param name="leaf">Leaf data, whose body keeps its grammar.</param>
    internal static LoggedAlarm? Of(long index, byte[] leaf)
    {
        if (!EventLeaf.TryRead(leaf, out var e) || !e.Body.StartsWith(Start) || !e.SourceBytes.SequenceEqual("ledger"u8) || !Microseconds.TryToInstant(e.Time, out var at))
        {
            return null;
        }

        using var json = JsonDocument.Parse(e.Body.ToArray());
        var body = json.RootElement;
        var basis = body.TryGetProperty("basis", out var text) ? text.GetString()! : "";
        if (!basis.StartsWith(Tag, StringComparison.Ordinal))
        {
            return null;
        }

        var words = basis[Tag.Length..].Split(' ', 2);
        return new LoggedAlarm(
            index, at, body.GetProperty("id").GetGuid(), words[0], words.Length > 1 ? words[1] : "",
            [.. body.GetProperty("subjects").EnumerateArray().Select(s => new AlarmSubject(s.GetProperty("kind").GetString()!, s.GetProperty("key").GetString()!))],
            body.GetProperty("where").GetProperty("region").GetString()!);
    }
}

/// <summary>Whom or what an alarm is about, as an event names it.</summary>
/// <param name="Kind">Kind of subject.</param>
/// <param name="Key">Its key, base64url; of a patient what an evidence question asks by.</param>
public sealed record AlarmSubject(string Kind, string Key);

using System.Globalization;
using System.Text.Json.Nodes;
using Trust.LogFormat;

namespace Trust.AuditLedger.Evidence;

/// <summary>A regulator's question about one subject, read once: docs/LEDGER-FORMAT.md §9.</summary>
/// <param name="Subject">Kind and key.</param>
/// <param name="Identifier">What the key was computed from; null for a patient.</param>
/// <param name="From">First ledger time asked for, microseconds since 1970; null for the beginning.</param>
/// <param name="To">First ledger time no longer asked for; null for the end.</param>
/// <param name="Size">A published tree of the past to ask; null for the newest.</param>
/// <param name="Case">Case under which personal detail is opened; null for none.</param>
internal sealed record Question(SubjectKey Subject, string? Identifier, long? From, long? To, long? Size, string? Case)
{
    /// <summary>Reads a question; null when a member of it breaks its rule.</summary>
    /// <param name="kind">Kind of subject.</param>
    /// <param name="subject">Identifier, or the key (base64url) for a patient.</param>
    /// <param name="from">RFC 3339 with offset.</param>
    /// <param name="to">RFC 3339 with offset.</param>
    /// <param name="size">Tree size.</param>
    /// <param name="caseNumber">1 to 64 letters, digits and hyphens.</param>
    /// <param name="wrong">The member at fault.</param>
    public static Question? TryRead(string kind, string subject, string? from, string? to, long? size, string? caseNumber, out string wrong)
    {
        var key = SubjectText.TryRead(kind, subject);
        var (goodFrom, goodTo) = (TryTime(from, out var begin), TryTime(to, out var end));
        wrong = key is null ? "subject"
            : !goodFrom ? "from"
            : !goodTo || begin >= end ? "to"
            : caseNumber is not null && !CaseNumber.IsValid(caseNumber) ? "caseNumber"
            : size is <= 0 ? "size" : "";
        return wrong.Length == 0 ? new Question(key!, kind is "patient" ? null : subject, begin, end, size, caseNumber) : null;
    }

    /// <summary>Whether an event's leaf lies in the period asked for.</summary>
    public bool Covers(ReadOnlySpan<byte> leaf) => EventLeaf.TryRead(leaf, out var e) && (From is not { } from || e.Time >= from) && (To is not { } to || e.Time < to);

    /// <summary>The question as the file states it.</summary>
    /// <param name="size">Tree it is asked of.</param>
    /// <param name="region">The regulator's region.</param>
    public JsonObject ToJson(long size, string region) => new()
    {
        ["kind"] = Subject.Kind,
        ["identifier"] = Identifier,
        ["key"] = Convert.ToBase64String(Subject.Key),
        ["from"] = Text(From),
        ["to"] = Text(To),
        ["size"] = size,
        ["region"] = region,
        ["caseNumber"] = Case,
    };

    private static bool TryTime(string? text, out long? time)
    {
        time = null;
        if (text is null)
        {
            return true;
        }

        if (!InstantText.TryRead(text, out var instant))
        {
            return false;
        }

        time = Microseconds.Since1970(instant);
        return true;
    }

    private static string? Text(long? time) => time is { } micros && Microseconds.TryToInstant(micros, out var instant)
        ? instant.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture)
        : null;
}

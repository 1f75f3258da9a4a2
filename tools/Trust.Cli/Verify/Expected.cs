using System.Globalization;

namespace Trust.Cli.Verify;

/// <summary>What the reader of a file wants to know: a good answer to another question is no answer to this one.</summary>
/// <param name="Kind">Kind of subject; null when any will do.</param>
/// <param name="Identifier">Identifier; of a patient the key, in lower-case hexadecimal.</param>
/// <param name="From">Begin of a period that the file must cover; null when any will do.</param>
/// <param name="To">Its end, exclusive.</param>
public sealed record Expected(string? Kind, string? Identifier, DateTimeOffset? From, DateTimeOffset? To)
{
    private static readonly string[] Forms = ["yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK"];

    /// <summary>Anything.</summary>
    public static Expected Nothing { get; } = new(null, null, null, null);

    /// <summary>Reads what was typed; null when it is in no form.</summary>
    /// <param name="subject"><c>kind:identifier</c>.</param>
    /// <param name="from">RFC 3339, with an offset.</param>
    /// <param name="to">RFC 3339, with an offset.</param>
    public static Expected? TryRead(string? subject, string? from, string? to)
    {
        var colon = subject?.IndexOf(':', StringComparison.Ordinal) ?? 0;
        var (begin, end) = (Time(from), Time(to));
        return (subject is not null && (colon <= 0 || colon == subject.Length - 1)) || (from is not null && begin is null) || (to is not null && end is null)
            ? null
            : new Expected(subject?[..colon], subject?[(colon + 1)..], begin, end);
    }

    /// <summary>What the file is not about, or does not reach; null when it answers.</summary>
    /// <param name="verdict">A verified file.</param>
    internal string? Missed(Verdict verdict)
    {
        var asked = verdict.Asked!;
        if (Kind is not null && !(string.Equals(Kind, asked.Kind, StringComparison.Ordinal)
            && string.Equals(Identifier, asked.Identifier ?? Convert.ToHexStringLower(asked.Key), StringComparison.Ordinal)))
        {
            return "subject";
        }

        if (From is not null && (asked.From > From || verdict.CoversFrom?.Time >= From))
        {
            return "from";
        }

        // An open end reaches no further than to the question itself: what came later, nobody has asked.
        return To is not null && (asked.To ?? verdict.AskedAt) < To ? "to" : null;
    }

    private static DateTimeOffset? Time(string? text) =>
        text is not null && (text.EndsWith('Z') || (text.Length > 6 && text[^6] is '+' or '-'))
        && DateTimeOffset.TryParseExact(text, Forms, CultureInfo.InvariantCulture, DateTimeStyles.None, out var time)
            ? time
            : null;
}

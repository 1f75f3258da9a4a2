using System.Globalization;

namespace Trust.AuditLedger;

/// <summary>An instant as a caller writes it: RFC 3339 with an offset, to the microsecond. A day without one is another period in every zone.</summary>
internal static class InstantText
{
    private const int DateAndTime = 19;
    private const int MaxFraction = 6;

    /// <summary>True when the text is an instant since 1970.</summary>
    /// <param name="text">Untrusted.</param>
    /// <param name="instant">The instant.</param>
    public static bool TryRead(string text, out DateTimeOffset instant)
    {
        instant = default;
        var offset = text.EndsWith('Z') ? 1 : 6;
        if (text.Length < DateAndTime + offset || !text.All(char.IsAscii))
        {
            return false;
        }

        var fraction = text[DateAndTime..^offset];
        var zone = offset == 1 || (text[^6] is '+' or '-' && text[^3] == ':');
        return zone && (fraction.Length == 0 || (fraction[0] == '.' && fraction.Length is > 1 and <= 1 + MaxFraction))
            && DateTimeOffset.TryParseExact(
                text, fraction.Length == 0 ? "yyyy-MM-dd'T'HH:mm:ssK" : $"yyyy-MM-dd'T'HH:mm:ss.{new string('f', fraction.Length - 1)}K",
                CultureInfo.InvariantCulture, DateTimeStyles.None, out instant)
            && instant >= DateTimeOffset.UnixEpoch;
    }
}

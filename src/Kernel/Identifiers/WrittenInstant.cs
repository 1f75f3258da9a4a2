using System.Globalization;
using System.Text.RegularExpressions;

namespace Trust.Kernel.Identifiers;

/// <summary>
/// The one way to write an instant to Trust: RFC 3339 with an offset (<c>2026-01-31T08:00:00+08:00</c>, <c>…Z</c>), or a full date alone
/// (<c>2026-01-31</c>), which begins at 00:00 in Asia/Shanghai by rule. A time without offset is refused: it would be read by the zone
/// of whoever reads it.
/// </summary>
public static partial class WrittenInstant
{
    // Asia/Shanghai has kept this offset since 1991; earlier dates are read by it too, so that a date is one instant everywhere.
    private static readonly TimeSpan Shanghai = TimeSpan.FromHours(8);
    private static readonly DateTimeOffset Earliest = new(1900, 1, 1, 0, 0, 0, Shanghai);
    private static readonly DateTimeOffset Latest = new(2200, 1, 1, 0, 0, 0, Shanghai);

    /// <summary>Reads an instant of the years 1900 to 2199, in universal time and whole microseconds.</summary>
    public static bool TryParse(string? text, out DateTimeOffset instant)
    {
        instant = default;
        if (text is null || !Form().IsMatch(text))
        {
            return false;
        }

        var read = text.Length == 10
            ? DateTime.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date) && date.Year >= Earliest.Year && At(date, out instant)
            : DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.None, out instant);
        if (!read || instant < Earliest || instant >= Latest)
        {
            return false;
        }

        instant = new DateTimeOffset(instant.UtcTicks - (instant.UtcTicks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);
        return true;
    }

    private static bool At(DateTime date, out DateTimeOffset instant)
    {
        instant = new DateTimeOffset(date, Shanghai);
        return true;
    }

    // RFC 3339 5.6, upper-case letters; PostgreSQL keeps microseconds, more digits are dropped.
    [GeneratedRegex(
        @"\A[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,7})?(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9]))?\z",
        RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Form();
}

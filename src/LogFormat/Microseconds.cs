namespace Trust.LogFormat;

/// <summary>Instants as the ledger counts them: whole microseconds since 1970-01-01T00:00:00Z.</summary>
public static class Microseconds
{
    private const long TicksPerMicrosecond = TimeSpan.TicksPerMicrosecond;

    /// <summary>Cuts off what PostgreSQL does not keep, so that stored and hashed time are equal.</summary>
    public static DateTimeOffset Truncate(DateTimeOffset instant) => instant.AddTicks(-(instant.Ticks % TicksPerMicrosecond));

    /// <summary>Microseconds since 1970.</summary>
    public static long Since1970(DateTimeOffset instant) => (instant.UtcTicks - DateTimeOffset.UnixEpoch.Ticks) / TicksPerMicrosecond;

    /// <summary>Back to an instant; false outside the years 1970 to 9999.</summary>
    public static bool TryToInstant(long microseconds, out DateTimeOffset instant)
    {
        var inside = microseconds >= 0 && microseconds <= Since1970(DateTimeOffset.MaxValue);
        instant = inside ? DateTimeOffset.UnixEpoch.AddTicks(microseconds * TicksPerMicrosecond) : default;
        return inside;
    }
}

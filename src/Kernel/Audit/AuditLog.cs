using Microsoft.Extensions.Logging;
using Trust.LogFormat;
using EventId = Trust.LogFormat.EventId;

namespace Trust.Kernel.Audit;

/// <summary>Log lines of the relay, 1100 to 1199.</summary>
internal static partial class AuditLog
{
    [LoggerMessage(1100, LogLevel.Information, "Relay opened epoch {Epoch} after ({HeadEpoch}, {HeadSeq})")]
    public static partial void EpochOpened(this ILogger log, long epoch, long headEpoch, long headSeq);

    [LoggerMessage(1101, LogLevel.Warning, "The ledger is away: {Detail}")]
    public static partial void LedgerAway(this ILogger log, string detail);

    [LoggerMessage(1102, LogLevel.Information, "The ledger answers again; {Pending} events wait")]
    public static partial void LedgerBack(this ILogger log, long pending);

    [LoggerMessage(1103, LogLevel.Critical, "Event {Id} was refused by the ledger for good ({Reason}); it is quarantined and LEDGER.gap stands in its place")]
    public static partial void Quarantined(this ILogger log, EventId id, string reason);

    [LoggerMessage(1104, LogLevel.Critical, "Recording stops: {Why}")]
    public static partial void HeadBehind(this ILogger log, string why);

    [LoggerMessage(1105, LogLevel.Error, "The relay failed and starts over")]
    public static partial void RelayFailed(this ILogger log, Exception e);

    [LoggerMessage(1106, LogLevel.Critical, "The ledger's checkpoint of size {Size} does not verify against the one of size {Verified}: {Why}")]
    public static partial void CheckpointRefused(this ILogger log, long size, long verified, string why);

    [LoggerMessage(1107, LogLevel.Information, "{Count} answered events older than the retention were deleted; checkpoint {Size} covers them")]
    public static partial void Deleted(this ILogger log, int count, long size);

    [LoggerMessage(1108, LogLevel.Information, "Another relay took over; opening again")]
    public static partial void Superseded(this ILogger log);

    [LoggerMessage(1109, LogLevel.Critical, "The ledger acknowledged event ({Epoch}, {Seq}) as entry {Index}, and its checkpoint of size {Size} does not hold it there; nothing is deleted")]
    public static partial void EventMissing(this ILogger log, long size, long epoch, long seq, long index);

    [LoggerMessage(1110, LogLevel.Critical, "The ledger acknowledged entry {Index}, an event of {CreatedAt}, and its newest checkpoint still ends at {Size}")]
    public static partial void EventUncovered(this ILogger log, long index, DateTimeOffset createdAt, long size);
}

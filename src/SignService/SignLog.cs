using Microsoft.Extensions.Logging;

namespace Trust.SignService;

/// <summary>Log lines of the service; identifiers only, never content.</summary>
internal static partial class SignLog
{
    [LoggerMessage(6001, LogLevel.Warning, "Prescription {Id} is approved and not yet sealed: {Reason}")]
    public static partial void SealPending(ILogger log, Guid id, string reason);

    [LoggerMessage(6002, LogLevel.Error, "The clock went back from {Last:O} to {Now:O}; no time-stamp is given")]
    public static partial void ClockWentBack(ILogger log, DateTimeOffset last, DateTimeOffset now);

    [LoggerMessage(6003, LogLevel.Warning, "Consent or registry did not answer: {Reason}")]
    public static partial void PeerAway(ILogger log, string reason);

    [LoggerMessage(6004, LogLevel.Warning, "Prescription {Id} could not be sealed; it is tried again")]
    public static partial void SealFailed(ILogger log, Guid id, Exception exception);

    [LoggerMessage(6006, LogLevel.Error, "The clock says {Now:O} and does not agree with the ledger's, or was not compared with it for an hour; no time-stamp is given")]
    public static partial void ClocksDiffer(ILogger log, DateTimeOffset now);
}

namespace Trust.AuditLedger;

/// <summary>Log lines of the ledger, 5000 to 5099.</summary>
internal static partial class LedgerLog
{
    [LoggerMessage(5000, LogLevel.Information, "Sequencing from {Size} as writer {Writer}")]
    public static partial void Leading(ILogger log, long size, long writer);

    [LoggerMessage(5001, LogLevel.Error, "The sequencer lost its footing and loads again")]
    public static partial void LeadFailed(ILogger log, Exception e);

    [LoggerMessage(5002, LogLevel.Critical, "The ledger will not sign: {Why}")]
    public static partial void SetBack(ILogger log, string why);

    [LoggerMessage(5003, LogLevel.Warning, "Entries {From} to {To} were stored but not signed when the last sequencer ended; they are signed now")]
    public static partial void CaughtUp(ILogger log, long from, long to);

    [LoggerMessage(5004, LogLevel.Warning, "Event {Position} of a batch of {Source} is refused: {Reason}")]
    public static partial void EventRefused(ILogger log, int position, string source, string reason);

    [LoggerMessage(5005, LogLevel.Error, "A batch of {Source} is not signed by its batch key")]
    public static partial void BadSignature(ILogger log, string source);
}

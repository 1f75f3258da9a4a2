using Microsoft.Extensions.Logging;

namespace Trust.CA;

/// <summary>The service's log lines. None carries a name or a national identifier.</summary>
internal static partial class CaLog
{
    [LoggerMessage(2001, LogLevel.Information, "Issued certificate {Sha256} under {Issuer}, profile {Profile}")]
    public static partial void Issued(ILogger log, string sha256, string issuer, string profile);

    [LoggerMessage(2002, LogLevel.Warning, "The change feed is silent: the database does not answer")]
    public static partial void FeedSilent(ILogger log, Exception e);

    [LoggerMessage(2003, LogLevel.Information, "CRL {Number} of {Issuer} with {Count} entries")]
    public static partial void CrlPublished(ILogger log, long number, string issuer, int count);

    [LoggerMessage(2004, LogLevel.Error, "CRLs cannot be published; the last ones stay until they expire")]
    public static partial void CrlFailed(ILogger log, Exception e);

    [LoggerMessage(2005, LogLevel.Warning, "Issuance of request {Request} waits: {Reason}")]
    public static partial void IssuanceWaits(ILogger log, Guid request, string reason);

    [LoggerMessage(2006, LogLevel.Error, "Unfinished issuances cannot be resumed now")]
    public static partial void ResumeFailed(ILogger log, Exception e);

    [LoggerMessage(2007, LogLevel.Information, "Ceremony: {Step}")]
    public static partial void CeremonyStep(ILogger log, string step);
}

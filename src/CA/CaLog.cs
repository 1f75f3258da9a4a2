using Microsoft.Extensions.Logging;

namespace Trust.CA;

/// <summary>The service's log lines. None carries a name or a national identifier.</summary>
internal static partial class CaLog
{
    [LoggerMessage(2001, LogLevel.Information, "Issued certificate {Sha256} under {Issuer}, profile {Profile}")]
    public static partial void Issued(ILogger log, string sha256, string issuer, string profile);

    [LoggerMessage(2003, LogLevel.Information, "CRL {Number} of {Issuer} with {Count} entries")]
    public static partial void CrlPublished(ILogger log, long number, string issuer, int count);

    [LoggerMessage(2005, LogLevel.Warning, "Issuance of request {Request} waits: {Reason}")]
    public static partial void IssuanceWaits(ILogger log, Guid? request, string reason);

    [LoggerMessage(2006, LogLevel.Error, "Issuance of request {Request} cannot be resumed now; it is tried again later")]
    public static partial void IssuanceFailed(ILogger log, Guid? request, Exception e);

    [LoggerMessage(2007, LogLevel.Information, "Ceremony: {Step}")]
    public static partial void CeremonyStep(ILogger log, string step);

    [LoggerMessage(2008, LogLevel.Warning, "{Count} reservations that nobody finished are closed")]
    public static partial void ReservationsClosed(ILogger log, int count);

    [LoggerMessage(2009, LogLevel.Error, "No OCSP responder of {Issuer} can be made; the one before serves while it is valid, then tryLater")]
    public static partial void ResponderFailed(ILogger log, string issuer, Exception e);

    [LoggerMessage(2011, LogLevel.Warning, "The registrar {Peer} gives no identifiers: {Reason}; new people cannot be entered until it does")]
    public static partial void RegistrarAway(ILogger log, string peer, string reason);

    [LoggerMessage(2010, LogLevel.Error, "The CRL of {Issuer} cannot be published; the last one stays until it expires")]
    public static partial void CrlFailed(ILogger log, string issuer, Exception e);
}

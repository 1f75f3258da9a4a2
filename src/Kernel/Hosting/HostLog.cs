using Microsoft.Extensions.Logging;

namespace Trust.Kernel.Hosting;

/// <summary>The host's log lines.</summary>
internal static partial class HostLog
{
    [LoggerMessage(1001, LogLevel.Error, "Request {TraceId} failed")]
    public static partial void Fault(ILogger log, string traceId, Exception? error);

    [LoggerMessage(1010, LogLevel.Information, "{Service} {Version} listens on {Addresses}")]
    public static partial void Started(ILogger log, string service, string version, string addresses);

    [LoggerMessage(1002, LogLevel.Information, "Service certificate renewed, valid until {NotAfter}")]
    public static partial void Renewed(ILogger log, DateTimeOffset notAfter);

    [LoggerMessage(1003, LogLevel.Warning, "Service certificate could not be renewed; it is valid until {NotAfter}")]
    public static partial void RenewalFailed(ILogger log, DateTimeOffset notAfter, Exception error);

    [LoggerMessage(1005, LogLevel.Information, "Token {Label}: {Manufacturer} {Model}, serial number {SerialNumber}, firmware {Firmware}, {Keys} keys, mechanisms {Mechanisms}")]
    public static partial void TokenOpened(ILogger log, string label, string manufacturer, string model, string serialNumber, string firmware, int keys, string mechanisms);

    [LoggerMessage(1006, LogLevel.Error, "Background work {Loop} failed; it is tried again, and nothing more is logged until it succeeds")]
    public static partial void LoopFailed(ILogger log, string loop, Exception error);

    [LoggerMessage(1007, LogLevel.Information, "Background work {Loop} goes on after {Failures} failed rounds")]
    public static partial void LoopBack(ILogger log, string loop, int failures);

    [LoggerMessage(1008, LogLevel.Critical, "Background work {Loop} ends the process with code {Code}")]
    public static partial void MustEnd(ILogger log, string loop, int code, Exception error);

    [LoggerMessage(1009, LogLevel.Warning, "The token issuer's keys cannot be read")]
    public static partial void IssuerAway(ILogger log, Exception error);

    [LoggerMessage(1011, LogLevel.Error, "The clock of {Peer} is at least {Seconds} s ahead of this machine's (behind it when negative): one of the two is wrong")]
    private static partial void ClockApart(ILogger log, string peer, long seconds);

    [LoggerMessage(1013, LogLevel.Critical, "The service is closed by residency rule {Rule}: {Sentence}")]
    public static partial void ResidencyClosed(ILogger log, string rule, string sentence);

    [LoggerMessage(1014, LogLevel.Information, "The service is open again by residency declaration {Version}")]
    public static partial void ResidencyOpened(ILogger log, int version);

    [LoggerMessage(1015, LogLevel.Warning, "A residency declaration is not taken: {Fault}")]
    public static partial void DeclarationNotTaken(ILogger log, string fault);

    [LoggerMessage(1012, LogLevel.Information, "The clock of {Peer} agrees with this machine's again")]
    private static partial void ClockAgrees(ILogger log, string peer);

    /// <summary>A peer's clock and this machine's have come apart, or together again.</summary>
    public static void ClockOf(ILogger log, string peer, TimeSpan skew)
    {
        if (skew == TimeSpan.Zero)
        {
            ClockAgrees(log, peer);
        }
        else
        {
            ClockApart(log, peer, (long)skew.TotalSeconds);
        }
    }
}

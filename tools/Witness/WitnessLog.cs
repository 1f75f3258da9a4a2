namespace Trust.Witness;

/// <summary>Log lines of the witness, 7000 to 7099.</summary>
internal static partial class WitnessLog
{
    [LoggerMessage(7000, LogLevel.Information, "{Origin}: cosigned {Size} entries")]
    public static partial void Cosigned(ILogger log, string origin, long size);

    [LoggerMessage(7001, LogLevel.Critical, "{Origin}: no cosignature for {Size} entries: {Why}")]
    public static partial void Refused(ILogger log, string origin, long size, string why);

    [LoggerMessage(7002, LogLevel.Warning, "{Origin}: its entries cannot be read: {Why}")]
    public static partial void Unreadable(ILogger log, string origin, string why);

    [LoggerMessage(7003, LogLevel.Warning, "{Origin}: what it would have to read is pruned, so it begins at the landmark of {Size} entries; what lies before it is the word of {Witnesses}")]
    public static partial void Begun(ILogger log, string origin, long size, string witnesses);
}

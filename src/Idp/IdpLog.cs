namespace Trust.Idp;

/// <summary>The service's log lines.</summary>
internal static partial class IdpLog
{
    [LoggerMessage(4001, LogLevel.Information, "Card login refused: {Reason}")]
    public static partial void CardRefused(ILogger log, string reason);

    [LoggerMessage(4002, LogLevel.Information, "Ended {Sessions} sessions: {Reason}")]
    public static partial void SessionsEnded(ILogger log, int sessions, string reason);

    [LoggerMessage(4003, LogLevel.Information, "Token key {Kid} is active")]
    public static partial void KeyActive(ILogger log, string kid);

    [LoggerMessage(4010, LogLevel.Warning, "Client {Client} was not told of a logout: {Why}; tried again")]
    public static partial void LogoutUndelivered(ILogger log, string client, string why);

    [LoggerMessage(4004, LogLevel.Warning, "Code of client {Client} was sent twice; its tokens are revoked")]
    public static partial void CodeReplayed(ILogger log, string client);

    [LoggerMessage(4006, LogLevel.Warning, "The keys at {Address} could not be read: {Why}")]
    public static partial void ClientKeysUnreadable(ILogger log, string address, string why);

    [LoggerMessage(4020, LogLevel.Warning, "Client {Client} could not be told that its request is decided: {Fault}")]
    public static partial void PingFailed(ILogger log, string client, string fault);
}

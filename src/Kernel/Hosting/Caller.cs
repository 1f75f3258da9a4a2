namespace Trust.Kernel.Hosting;

/// <summary>The caller as a valid access token describes it.</summary>
/// <param name="Subject">Practitioner URN, or the client's identifier for a client acting alone.</param>
/// <param name="ClientId">OAuth client.</param>
/// <param name="Scopes">Granted scopes.</param>
/// <param name="Role">Professional or system role, for example <c>physician</c> or <c>regulator</c>.</param>
/// <param name="Institution">Acting institution URN.</param>
/// <param name="Region">Region of a regulator, GB/T 2260.</param>
/// <param name="LoginCertificate">SHA-256 (hex) of the card certificate the session was opened with.</param>
/// <param name="SessionId">Session at the issuer.</param>
/// <param name="TokenId">The token's <c>jti</c>.</param>
public sealed record Caller(
    string Subject, string ClientId, IReadOnlySet<string> Scopes, string? Role, string? Institution, string? Region,
    string? LoginCertificate, string? SessionId, string TokenId);

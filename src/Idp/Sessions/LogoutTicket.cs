using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.DataProtection;

namespace Trust.Idp.Sessions;

/// <summary>
/// What the signed-out page is to do, carried through the browser under the provider's own protection: which session's systems to tell by frames, and where to go on
/// to. An address that is not in a ticket of ours is never gone to.
/// </summary>
public sealed class LogoutTicket(IDataProtectionProvider protection)
{
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(5);
    private readonly ITimeLimitedDataProtector _protector = protection.CreateProtector("idp.logout-ticket").ToTimeLimitedDataProtector();

    /// <summary>A ticket.</summary>
    public string Write(LoggedOut done) => _protector.Protect(JsonSerializer.Serialize(done, LogoutJson.Default.LoggedOut), Life);

    /// <summary>What a ticket says; null when it is none of ours, or old.</summary>
    public LoggedOut? Read(string? ticket)
    {
        try
        {
            return ticket is { Length: > 0 and < 8192 } ? JsonSerializer.Deserialize(_protector.Unprotect(ticket), LogoutJson.Default.LoggedOut) : null;
        }
        catch (Exception e) when (e is CryptographicException or FormatException)
        {
            return null;
        }
    }
}

/// <summary>A session that was ended by its holder.</summary>
/// <param name="Session">Its identifier; null when there was none.</param>
/// <param name="Target">Registered address to go on to, with <c>state</c>; null for none.</param>
public sealed record LoggedOut(Guid? Session, string? Target);

/// <summary>The ticket's form.</summary>
[JsonSerializable(typeof(LoggedOut))]
internal sealed partial class LogoutJson : JsonSerializerContext;

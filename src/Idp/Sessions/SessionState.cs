using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Trust.Idp.Sessions;

/// <summary>
/// Session Management 1.0: what a relying party holds against a frame of ours to learn that the person has logged out or in anew. The frame's script sees a
/// cookie that says which session it is and opens nothing; the session's own cookie no script sees.
/// </summary>
public static class SessionState
{
    /// <summary>Value of the browser-state cookie of a session.</summary>
    public static string OfBrowser(Session session)
    {
        ArgumentNullException.ThrowIfNull(session);
        return Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes("op-state\n" + session.Id.ToString("D"))));
    }

    /// <summary><c>session_state</c> of an authorization response (section 2): a salted hash over client, origin and browser state.</summary>
    /// <param name="clientId">The client.</param>
    /// <param name="origin">Origin of the redirect URI.</param>
    /// <param name="session">The session that answers.</param>
    public static string For(string clientId, string origin, Session session)
    {
        var salt = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));
        return Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes($"{clientId} {origin} {OfBrowser(session)} {salt}"))) + "." + salt;
    }

    /// <summary>Origin of an address as a browser writes it (RFC 6454 6.2).</summary>
    public static string OriginOf(string address) => new Uri(address).GetLeftPart(UriPartial.Authority);
}

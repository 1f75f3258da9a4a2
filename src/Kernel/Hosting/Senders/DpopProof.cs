using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Trust.Crypto.Jose;
using Trust.Crypto.Json;

namespace Trust.Kernel.Hosting.Senders;

/// <summary>A DPoP proof (RFC 9449 4.2) whose form and signature hold. For which request it counts is asked apart.</summary>
/// <param name="Thumbprint">RFC 7638 thumbprint of the key that signed, base64url: the <c>jkt</c> that tokens are bound to.</param>
/// <param name="Id"><c>jti</c>.</param>
/// <param name="Method"><c>htm</c>.</param>
/// <param name="Target"><c>htu</c>, as it stands there.</param>
/// <param name="IssuedAt"><c>iat</c>, seconds since 1970.</param>
/// <param name="NotBefore"><c>nbf</c>, where it stands there.</param>
/// <param name="Expires"><c>exp</c>, where it stands there.</param>
/// <param name="TokenHash"><c>ath</c>: SHA-256 of the access token, base64url.</param>
public sealed record DpopProof(
    string Thumbprint, string Id, string Method, string Target, double IssuedAt, double? NotBefore, double? Expires, string? TokenHash)
{
    /// <summary>Longest proof read, in characters.</summary>
    public const int MostCharacters = 8 * 1024;

    private const int MostDepth = 8;
    private const int MostId = 256;

    // FAPI 2.0 5.3.2.1 item 13 for what is signed elsewhere: clocks differ by ten seconds, and what lies a minute back was caught on the way.
    private const double MostAhead = 15;
    private const double MostBehind = 60;

    /// <summary>Reads a proof and verifies its signature by the key inside it.</summary>
    /// <param name="text">The header's value.</param>
    /// <param name="proof">The proof.</param>
    /// <returns>False for anything that RFC 9449 4.3 does not let pass, malformed text included.</returns>
    public static bool TryRead(string text, [NotNullWhen(true)] out DpopProof? proof)
    {
        proof = null;
        if (text is not { Length: > 0 and <= MostCharacters } || text.Split('.') is not [var header, var body, var signature]
            || !Jws.TryReadHeader(header, MostCharacters, MostDepth, out var read) || !Jws.TryReadHeader(body, MostCharacters, MostDepth, out var claims)
            || Jws.Text(read, "typ") is not "dpop+jwt" || read.TryGetProperty("crit", out _)
            || !read.TryGetProperty("jwk", out var jwk) || ProofKey.Of(jwk) is not { } key)
        {
            return false;
        }

        using (key)
        {
            if (!key.Verifies(Jws.Text(read, "alg"), Encoding.ASCII.GetBytes(header + "." + body), signature))
            {
                return false;
            }

            proof = Read(key.Thumbprint, claims);
            return proof is not null;
        }
    }

    /// <summary>Whether the proof was made for this request, now.</summary>
    /// <param name="method">HTTP method.</param>
    /// <param name="target">Where the request went, without query: one of the service's own addresses, never one that a header names.</param>
    /// <param name="now">The present.</param>
    public bool IsFor(string method, Uri target, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(target);
        var seconds = now.ToUnixTimeMilliseconds() / 1000.0;
        return string.Equals(Method, method, StringComparison.Ordinal)
            // RFC 9449 4.3 item 9: without query and fragment, and as RFC 3986 6.2.2 and 6.2.3 compare: letters of scheme and host, the scheme's own port.
            && Uri.TryCreate(Target, UriKind.Absolute, out var stated) && stated.UserInfo.Length == 0
            && string.Equals(stated.GetLeftPart(UriPartial.Path), target.GetLeftPart(UriPartial.Path), StringComparison.Ordinal)
            && IssuedAt <= seconds + MostAhead && IssuedAt >= seconds - MostBehind
            && (NotBefore is not { } begins || begins <= seconds + MostAhead) && (Expires is not { } ends || ends > seconds);
    }

    /// <summary>Whether the proof is bound to this access token.</summary>
    public bool IsForToken(string token) =>
        TokenHash is not null && CryptographicOperations.FixedTimeEquals(
            Encoding.UTF8.GetBytes(TokenHash), Encoding.ASCII.GetBytes(Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(token)))));

    /// <summary>What tells this proof from every other: SHA-256 over key and <c>jti</c>.</summary>
    internal byte[] Mark => SHA256.HashData(Encoding.UTF8.GetBytes(Thumbprint + "\n" + Id));

    /// <summary>When it is too old to be accepted again.</summary>
    internal DateTimeOffset Forgettable => DateTimeOffset.UnixEpoch.AddSeconds(IssuedAt + MostBehind + 1);

    private static DpopProof? Read(string thumbprint, JsonElement claims) =>
        Jws.Text(claims, "jti") is { Length: > 0 and <= MostId } id && Jws.Text(claims, "htm") is { } method && Jws.Text(claims, "htu") is { } target
        && Time(claims, "iat") is { } issued && IsTimeOrAbsent(claims, "nbf") && IsTimeOrAbsent(claims, "exp")
        && (!claims.TryGetProperty("ath", out var hash) || hash.ValueKind is JsonValueKind.String)
            ? new DpopProof(thumbprint, id, method, target, issued, Time(claims, "nbf"), Time(claims, "exp"), Jws.Text(claims, "ath")) : null;

    private static bool IsTimeOrAbsent(JsonElement claims, string name) => !claims.TryGetProperty(name, out _) || Time(claims, name) is not null;

    private static double? Time(JsonElement claims, string name) =>
        claims.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.Number && value.TryGetDouble(out var seconds) && seconds is >= 0 and < 253_402_300_800
            ? seconds : null;
}

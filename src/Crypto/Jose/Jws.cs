using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using Trust.Crypto.Asn1;
using Trust.Crypto.Json;

namespace Trust.Crypto.Jose;

/// <summary>
/// Writes and reads JSON Web Signatures (RFC 7515) by ES256, the one algorithm that is signed with here: compact, or detached over raw
/// bytes (RFC 7797).
/// </summary>
public static class Jws
{
    /// <summary>ES256 as <c>alg</c> (RFC 7518 3.4).</summary>
    public const string Algorithm = "ES256";

    private const int MaxHeader = 1024;
    private const int MaxHeaderDepth = 4;

    // 64 bytes are 86 characters without padding.
    private const int SignatureLength = 86;

    /// <summary>A protected header of type and key.</summary>
    /// <param name="type"><c>typ</c>, for example <c>at+jwt</c>; plain characters.</param>
    /// <param name="kid"><c>kid</c>; null when the reader knows the key.</param>
    /// <returns>base64url.</returns>
    public static string Header(string type, string? kid = null) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(
        kid is null ? $$"""{"alg":"{{Algorithm}}","typ":"{{type}}"}""" : $$"""{"alg":"{{Algorithm}}","typ":"{{type}}","kid":"{{kid}}"}"""));

    /// <summary>Signs a payload in the compact form.</summary>
    /// <param name="header">base64url, as <see cref="Header"/> gave it.</param>
    /// <param name="payload">Any bytes.</param>
    /// <param name="signer">A P-256 key.</param>
    /// <param name="ct">Cancels waiting for the key.</param>
    public static async ValueTask<string> Sign(string header, ReadOnlyMemory<byte> payload, DigestSigner signer, CancellationToken ct)
    {
        var input = header + "." + Base64Url.EncodeToString(payload.Span);
        return input + "." + await Sign(Encoding.ASCII.GetBytes(input), signer, ct);
    }

    /// <summary>Signs a signing input.</summary>
    /// <returns>The signature value, base64url.</returns>
    public static async ValueTask<string> Sign(ReadOnlyMemory<byte> input, DigestSigner signer, CancellationToken ct) =>
        Base64Url.EncodeToString(await signer(SignatureSuite.ES256.DigestToSign(default, input.Span), ct));

    /// <summary>The signing input of a detached signature over raw bytes (RFC 7797 3).</summary>
    public static byte[] DetachedInput(string header, ReadOnlySpan<byte> payload) => [.. Encoding.ASCII.GetBytes(header), (byte)'.', .. payload];

    /// <summary>Verifies the compact form of one type.</summary>
    /// <param name="text">The JWS.</param>
    /// <param name="maxLength">Largest length that is looked at, in characters.</param>
    /// <param name="type">The only <c>typ</c> accepted, so that what is signed for one purpose is not taken for another (RFC 8725 3.11); null when the key signs for one only.</param>
    /// <param name="subjectPublicKeyInfo">The key that must have signed; none that the header names is looked at.</param>
    /// <param name="payload">What was signed.</param>
    /// <returns>False for anything else, malformed text included.</returns>
    public static bool TryVerify(
        string text, int maxLength, string? type, ReadOnlyMemory<byte> subjectPublicKeyInfo, [NotNullWhen(true)] out byte[]? payload)
    {
        payload = null;
        if (text.Length > maxLength || text.Split('.') is not [var header, var body, var signature]
            || !TryReadHeader(header, MaxHeader, MaxHeaderDepth, out var read)
            || Text(read, "alg") != Algorithm || (type is not null && Text(read, "typ") != type)
            // RFC 7515 4.1.11: nothing critical is understood here, and b64 would change what is signed.
            || read.TryGetProperty("crit", out _) || read.TryGetProperty("b64", out _)
            || Decode(body) is not { } decoded
            || !Verify(subjectPublicKeyInfo, Encoding.ASCII.GetBytes(header + "." + body), signature))
        {
            return false;
        }

        payload = decoded;
        return true;
    }

    /// <summary>Verifies a signature value over a signing input.</summary>
    public static bool Verify(ReadOnlyMemory<byte> subjectPublicKeyInfo, ReadOnlySpan<byte> input, string? signature) =>
        DecodeSignature(signature) is { } raw && SignatureSuite.ES256.Verify(subjectPublicKeyInfo, input, EcdsaForm.ToDer(raw));

    /// <summary>Reads a protected header: one JSON object, strictly, no member twice.</summary>
    /// <param name="text">base64url.</param>
    /// <param name="maxLength">Largest length, in characters.</param>
    /// <param name="maxDepth">Deepest nesting.</param>
    /// <param name="header">The object.</param>
    public static bool TryReadHeader(string? text, int maxLength, int maxDepth, out JsonElement header)
    {
        header = default;
        return text is { Length: > 0 } && text.Length <= maxLength && Decode(text) is { } json
            && StrictJson.TryParse(json, new JsonLimits(maxLength, maxDepth), out header, out _) && header.ValueKind == JsonValueKind.Object;
    }

    /// <summary>Decodes a signature value: exactly 64 bytes in their one base64url form.</summary>
    /// <returns>Null when malformed.</returns>
    public static byte[]? DecodeSignature(string? text) => text is { Length: SignatureLength } ? Decode(text) : null;

    /// <summary>A member that is a string.</summary>
    /// <returns>Null when it is absent or of another kind.</returns>
    public static string? Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    // The round trip refuses spare bits, white space and padding: each would be a second spelling of the same value.
    private static byte[]? Decode(string text)
    {
        if (!Base64Url.IsValid(text))
        {
            return null;
        }

        var bytes = Base64Url.DecodeFromChars(text);
        return string.Equals(Base64Url.EncodeToString(bytes), text, StringComparison.Ordinal) ? bytes : null;
    }
}

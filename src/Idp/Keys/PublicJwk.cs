using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.IdentityModel.Tokens;
using Trust.Crypto.Jose;

namespace Trust.Idp.Keys;

/// <summary>A public token key as a JSON Web Key: P-256, or RSA.</summary>
/// <param name="Ec">The point, for ES256.</param>
/// <param name="Modulus">base64url, for RSA.</param>
/// <param name="Exponent">base64url, for RSA.</param>
public sealed record PublicJwk(Jwk? Ec, string? Modulus, string? Exponent)
{
    /// <summary>RFC 7638.</summary>
    public string Thumbprint => Ec?.Thumbprint
        ?? Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes($$"""{"e":"{{Exponent}}","kty":"RSA","n":"{{Modulus}}"}""")));

    /// <summary>Reads a key.</summary>
    /// <exception cref="CryptographicException">Neither P-256 nor RSA.</exception>
    public static PublicJwk Of(ReadOnlySpan<byte> subjectPublicKeyInfo)
    {
        try
        {
            return new PublicJwk(Jwk.Of(subjectPublicKeyInfo), null, null);
        }
        catch (CryptographicException)
        {
            using var rsa = RSA.Create();
            rsa.ImportSubjectPublicKeyInfo(subjectPublicKeyInfo, out _);
            var key = rsa.ExportParameters(includePrivateParameters: false);
            return new PublicJwk(null, Base64Url.EncodeToString(key.Modulus), Base64Url.EncodeToString(key.Exponent));
        }
    }

    /// <summary>Writes the key as an entry of a key set.</summary>
    public void Write(Utf8JsonWriter json, string kid, string algorithm)
    {
        ArgumentNullException.ThrowIfNull(json);
        if (Ec is { } ec)
        {
            ec.Write(json, kid);
            return;
        }

        json.WriteStartObject();
        json.WriteString("kty", "RSA");
        json.WriteString("use", "sig");
        json.WriteString("alg", algorithm);
        json.WriteString("kid", kid);
        json.WriteString("n", Modulus);
        json.WriteString("e", Exponent);
        json.WriteEndObject();
    }

    internal JsonWebKey ForLibrary(string kid) => Ec is { } ec
        ? new JsonWebKey { Kty = "EC", Crv = "P-256", X = ec.X, Y = ec.Y, Kid = kid }
        : new JsonWebKey { Kty = "RSA", N = Modulus, E = Exponent, Kid = kid };
}

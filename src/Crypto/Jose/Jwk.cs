using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Trust.Crypto.Jose;

/// <summary>A P-256 public key as a JSON Web Key (RFC 7517, RFC 7518 6.2).</summary>
/// <param name="X">Affine x, base64url.</param>
/// <param name="Y">Affine y, base64url.</param>
public sealed record Jwk(string X, string Y)
{
    /// <summary>Its thumbprint (RFC 7638), base64url.</summary>
    public string Thumbprint =>
        Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes($$"""{"crv":"P-256","kty":"EC","x":"{{X}}","y":"{{Y}}"}""")));

    /// <summary>Reads a key.</summary>
    /// <param name="subjectPublicKeyInfo">DER.</param>
    /// <exception cref="CryptographicException">Not a P-256 key.</exception>
    public static Jwk Of(ReadOnlySpan<byte> subjectPublicKeyInfo)
    {
        using var key = ECDsa.Create();
        key.ImportSubjectPublicKeyInfo(subjectPublicKeyInfo, out _);
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        return point.X is { Length: 32 } x && point.Y is { Length: 32 } y
            ? new Jwk(Base64Url.EncodeToString(x), Base64Url.EncodeToString(y))
            : throw new CryptographicException("Not a P-256 key.");
    }

    /// <summary>Writes the key as an entry of a key set, for signatures by ES256.</summary>
    /// <param name="json">Where the entry is expected.</param>
    /// <param name="kid">Its name.</param>
    public void Write(Utf8JsonWriter json, string kid)
    {
        json.WriteStartObject();
        json.WriteString("kty", "EC");
        json.WriteString("crv", "P-256");
        json.WriteString("use", "sig");
        json.WriteString("alg", Jws.Algorithm);
        json.WriteString("kid", kid);
        json.WriteString("x", X);
        json.WriteString("y", Y);
        json.WriteEndObject();
    }
}

using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Trust.Pkcs11;

/// <summary>
/// A TLS key that stays in its token: an OpenSSL EC_KEY whose method asks the token for each signature. The platform's TLS
/// then logs in by card, with nothing but a public key and a callback in this process.
/// </summary>
public static class TokenTlsKey
{
    /// <summary>Binds a certificate to its P-256 key in a token; the result serves SslStream, HttpClient and Kestrel.</summary>
    /// <param name="certificate">The certificate, without a key.</param>
    /// <param name="token">Stays open as long as the result is in use.</param>
    /// <param name="key">The key in the token.</param>
    /// <exception cref="TokenException">The token has no such key, or the certificate is for another.</exception>
    public static async ValueTask<X509Certificate2> Attach(X509Certificate2 certificate, IToken token, KeyRef key, CancellationToken ct)
    {
        if (OperatingSystem.IsWindows())
        {
            throw new TokenException("UNSUPPORTED", "Token-held TLS keys need the platform's TLS to be OpenSSL.");
        }

        var held = await token.Find(key, ct) ?? throw new TokenException("NO_SUCH_KEY", $"The token holds no key named {key}.");
        if (held.Algorithm != KeyAlgorithm.EcdsaP256
            || !certificate.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(held.SubjectPublicKeyInfo.Span))
        {
            throw new TokenException("WRONG_KEY", $"The certificate is not for the P-256 key {key}.");
        }

        using var handle = OpenSslTokenKey.Wrap(held.SubjectPublicKeyInfo.Span[^65..], token, key);
        using var ecdsa = new ECDsaOpenSsl(handle);
        return certificate.CopyWithPrivateKey(ecdsa);
    }
}

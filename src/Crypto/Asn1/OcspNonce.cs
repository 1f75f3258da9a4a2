using System.Formats.Asn1;
using Org.BouncyCastle.Asn1;
using Org.BouncyCastle.Asn1.X509;

namespace Trust.Crypto.Asn1;

/// <summary>The extensions of requests, answers and responses of OCSP: only the nonce is understood (RFC 9654).</summary>
internal static class OcspNonce
{
    private const int MaxBytes = 128;

    /// <summary>The nonce among extensions.</summary>
    /// <returns>Null when absent.</returns>
    /// <exception cref="AsnContentException">A nonce of a bad size, or a critical extension of another kind.</exception>
    public static ReadOnlyMemory<byte>? Read(X509Extensions? extensions)
    {
        if (extensions is null)
        {
            return null;
        }

        ReadOnlyMemory<byte>? nonce = null;
        foreach (var extension in CertificateExtension.ReadList(extensions))
        {
            if (extension.Oid == Oids.OcspNonce)
            {
                var bytes = Asn1OctetString.GetInstance(extension.Value.ToArray()).GetOctets();
                nonce = bytes.Length is > 0 and <= MaxBytes ? bytes : throw new AsnContentException("The nonce has a bad size (RFC 9654).");
            }
            else if (extension.Critical)
            {
                throw new AsnContentException("A critical extension is not understood.");
            }
        }

        return nonce;
    }

    /// <summary>The extensions of a structure that carries a nonce.</summary>
    /// <returns>Null when there is none.</returns>
    public static X509Extensions? Encode(ReadOnlyMemory<byte>? nonce) => nonce is { } value
        ? CertificateExtension.Encode([new CertificateExtension(Oids.OcspNonce, false, new DerOctetString(value.ToArray()).GetEncoded())])
        : null;
}

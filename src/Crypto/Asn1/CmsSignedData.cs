using System.Formats.Asn1;
using System.Security.Cryptography;

namespace Trust.Crypto.Asn1;

/// <summary>
/// Writes CMS SignedData with one signer (RFC 5652) in the CAdES baseline form: signed attributes always, with content type,
/// message digest and ESS signing-certificate-v2 (RFC 5035). Two steps: encode the attributes to sign, then assemble.
/// </summary>
public static class CmsSignedData
{
    /// <summary>The signed attributes, as the SET OF that is hashed and signed.</summary>
    /// <param name="contentType">eContentType, for example <see cref="Oids.CmsData"/>.</param>
    /// <param name="content">The content, attached or not.</param>
    /// <param name="signer">The signer's certificate, bound by its hash.</param>
    /// <param name="suite">The signer's suite; names the content hash.</param>
    /// <param name="signingTime">Claimed time; null for time-stamp tokens, which carry a better one.</param>
    public static byte[] EncodeSignedAttributes(
        string contentType, ReadOnlySpan<byte> content, Certificate signer, SignatureSuite suite, DateTimeOffset? signingTime = null)
    {
        var digest = Der.Hash(suite.DigestOid, content) ?? throw new CryptographicException("The suite has no content hash.");
        return Der.Encode(w =>
        {
            using (w.PushSetOf())
            {
                WriteAttribute(w, Oids.ContentTypeAttribute, v => v.WriteObjectIdentifier(contentType));
                WriteAttribute(w, Oids.MessageDigestAttribute, v => v.WriteOctetString(digest));
                WriteAttribute(w, Oids.SigningCertificateV2, v => WriteSigningCertificate(v, signer));
                if (signingTime is { } time)
                {
                    WriteAttribute(w, Oids.SigningTimeAttribute, v => Der.WriteTime(v, time));
                }
            }
        });
    }

    /// <summary>Puts the parts together as a ContentInfo.</summary>
    /// <param name="contentType">As signed.</param>
    /// <param name="content">The content to carry inside; null for a detached signature.</param>
    /// <param name="signedAttributes">What <see cref="EncodeSignedAttributes"/> gave.</param>
    /// <param name="signer">The signer's certificate.</param>
    /// <param name="certificates">Certificates to carry, the signer's among them or not.</param>
    /// <param name="suite">The signer's suite.</param>
    /// <param name="rawSignature">As the token gave it.</param>
    /// <param name="signatureTimeStamp">A time-stamp token over the signature value, carried unsigned; null when none.</param>
    public static byte[] Assemble(
        string contentType,
        ReadOnlyMemory<byte>? content,
        ReadOnlyMemory<byte> signedAttributes,
        Certificate signer,
        IReadOnlyList<Certificate> certificates,
        SignatureSuite suite,
        ReadOnlySpan<byte> rawSignature,
        ReadOnlyMemory<byte>? signatureTimeStamp = null)
    {
        var signature = suite.EncodeSignature(rawSignature);
        return Der.Encode(w =>
        {
            using (w.PushSequence())
            {
                w.WriteObjectIdentifier(Oids.CmsSignedData);
                using (w.PushSequence(Der.Context(0)))
                using (w.PushSequence())
                {
                    // RFC 5652 5.1: version 3 when the content is not id-data.
                    w.WriteInteger(string.Equals(contentType, Oids.CmsData, StringComparison.Ordinal) ? 1 : 3);
                    using (w.PushSetOf())
                    {
                        Der.WriteAlgorithm(w, suite.DigestOid);
                    }

                    WriteContent(w, contentType, content);
                    WriteCertificates(w, certificates);
                    using (w.PushSetOf())
                    {
                        WriteSigner(w, signedAttributes, signer, suite, signature, signatureTimeStamp);
                    }
                }
            }
        });
    }

    /// <summary>Encodes, signs by the delegate, assembles.</summary>
    public static async ValueTask<byte[]> Sign(
        string contentType,
        ReadOnlyMemory<byte> content,
        bool detached,
        Certificate signer,
        IReadOnlyList<Certificate> certificates,
        DigestSigner key,
        DateTimeOffset? signingTime,
        CancellationToken ct)
    {
        var suite = SignatureSuite.ForKey(signer.SubjectPublicKeyInfo) ?? throw new CryptographicException("No suite for this kind of key.");
        var attributes = EncodeSignedAttributes(contentType, content.Span, signer, suite, signingTime);
        var raw = await key(suite.DigestToSign(signer.SubjectPublicKeyInfo, attributes), ct);
        return Assemble(contentType, detached ? (ReadOnlyMemory<byte>?)null : content, attributes, signer, certificates, suite, raw);
    }

    private static void WriteContent(AsnWriter w, string contentType, ReadOnlyMemory<byte>? content)
    {
        using (w.PushSequence())
        {
            w.WriteObjectIdentifier(contentType);
            if (content is { } bytes)
            {
                using (w.PushSequence(Der.Context(0)))
                {
                    w.WriteOctetString(bytes.Span);
                }
            }
        }
    }

    private static void WriteCertificates(AsnWriter w, IReadOnlyList<Certificate> certificates)
    {
        if (certificates.Count > 0)
        {
            using (w.PushSetOf(Der.Context(0)))
            {
                foreach (var certificate in certificates)
                {
                    w.WriteEncodedValue(certificate.Der.Span);
                }
            }
        }
    }

    private static void WriteSigner(
        AsnWriter w,
        ReadOnlyMemory<byte> signedAttributes,
        Certificate signer,
        SignatureSuite suite,
        byte[] signature,
        ReadOnlyMemory<byte>? signatureTimeStamp)
    {
        using (w.PushSequence())
        {
            w.WriteInteger(1);
            using (w.PushSequence())
            {
                w.WriteEncodedValue(signer.Issuer.Span);
                Der.WriteUnsigned(w, signer.SerialNumber.Span);
            }

            Der.WriteAlgorithm(w, suite.DigestOid);
            // RFC 5652 5.4: signed as SET OF, carried under [0]; only the tag byte differs.
            byte[] implicitly = [0xA0, .. signedAttributes.Span[1..]];
            w.WriteEncodedValue(implicitly);
            w.WriteEncodedValue(suite.AlgorithmIdentifier.Span);
            w.WriteOctetString(signature);
            if (signatureTimeStamp is { } token)
            {
                using (w.PushSetOf(Der.Context(1)))
                {
                    WriteAttribute(w, Oids.SignatureTimeStamp, v => v.WriteEncodedValue(token.Span));
                }
            }
        }
    }

    private static void WriteAttribute(AsnWriter w, string oid, Action<AsnWriter> value)
    {
        using (w.PushSequence())
        {
            w.WriteObjectIdentifier(oid);
            using (w.PushSetOf())
            {
                value(w);
            }
        }
    }

    // SigningCertificateV2 with one ESSCertIDv2; SHA-256 is the default hash and therefore left out.
    private static void WriteSigningCertificate(AsnWriter w, Certificate signer)
    {
        using (w.PushSequence())
        using (w.PushSequence())
        using (w.PushSequence())
        {
            w.WriteOctetString(SHA256.HashData(signer.Der.Span));
        }
    }
}

using System.Security.Cryptography;
using Org.BouncyCastle.Asn1;
using Org.BouncyCastle.Asn1.Ess;
using Org.BouncyCastle.Asn1.X509;
using Library = Org.BouncyCastle.Asn1.Cms;

namespace Trust.Crypto.Asn1;

/// <summary>
/// Writes CMS SignedData with one signer (RFC 5652) in the CAdES baseline form: signed attributes always, with content type,
/// message digest and ESS signing-certificate-v2 (RFC 5035). Two steps, because tokens answer asynchronously: encode the attributes
/// to sign, then assemble.
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
        return LibraryCall.Encode(() =>
        {
            // SHA-256 is the default hash of ESSCertIDv2, and therefore left out.
            var attributes = new Asn1EncodableVector(
                Attribute(Oids.ContentTypeAttribute, new DerObjectIdentifier(contentType)),
                Attribute(Oids.MessageDigestAttribute, new DerOctetString(digest)),
                Attribute(Oids.SigningCertificateV2, new SigningCertificateV2([new EssCertIDv2(SHA256.HashData(signer.Der.Span))])));
            if (signingTime is { } time)
            {
                attributes.Add(Attribute(Oids.SigningTimeAttribute, new Library.Time(time.UtcDateTime)));
            }

            return new DerSet(attributes);
        });
    }

    /// <summary>Encodes, signs by the delegate, assembles a ContentInfo.</summary>
    /// <param name="contentType">eContentType.</param>
    /// <param name="content">The content.</param>
    /// <param name="detached">Whether the content stays outside.</param>
    /// <param name="signer">The signer's certificate.</param>
    /// <param name="certificates">Certificates to carry, the signer's among them or not.</param>
    /// <param name="key">The signer's key.</param>
    /// <param name="signingTime">Claimed time; null for none.</param>
    /// <param name="ct">Cancels waiting for the key.</param>
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
        var signature = await suite.Sign(signer.SubjectPublicKeyInfo, attributes, key, ct);
        return LibraryCall.Encode(() => new Library.ContentInfo(
            new DerObjectIdentifier(Oids.CmsSignedData),
            new Library.SignedData(
                new DerSet(Der.Algorithm(suite.DigestOid)),
                new Library.ContentInfo(new DerObjectIdentifier(contentType), detached ? null : new DerOctetString(content.ToArray())),
                certificates.Count == 0 ? null : new DerSet(certificates.Select(c => c.Structure).ToArray<Asn1Encodable>()),
                null,
                new DerSet(Signer(signer, suite, attributes, signature)))));
    }

    private static Library.SignerInfo Signer(Certificate signer, SignatureSuite suite, byte[] attributes, byte[] signature) => new(
        new Library.SignerIdentifier(new Library.IssuerAndSerialNumber(signer.Structure.Issuer, signer.Structure.SerialNumber)),
        Der.Algorithm(suite.DigestOid),
        Asn1Set.GetInstance(attributes),
        AlgorithmIdentifier.GetInstance(suite.AlgorithmIdentifier.ToArray()),
        new DerOctetString(signature),
        (Asn1Set?)null);

    private static Library.Attribute Attribute(string oid, Asn1Encodable value) => new(new DerObjectIdentifier(oid), new DerSet(value));
}

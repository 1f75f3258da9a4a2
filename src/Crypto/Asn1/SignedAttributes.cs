using System.Formats.Asn1;
using Org.BouncyCastle.Asn1;
using Org.BouncyCastle.Asn1.Ess;
using Library = Org.BouncyCastle.Asn1.Cms;
using X509 = Org.BouncyCastle.Asn1.X509;

namespace Trust.Crypto.Asn1;

/// <summary>The attributes that a verifier relies on (RFC 5652 11, RFC 5035, RFC 3161 appendix A), read from what the library read.</summary>
internal sealed class SignedAttributes
{
    private const int MaxAttributes = 32;
    private string? contentType;
    private byte[]? messageDigest;
    private EssCertIDv2? certificateId;

    private SignedAttributes(byte[] signed) => Signed = signed;

    /// <summary>The SET OF that is hashed and signed (RFC 5652 5.4).</summary>
    public byte[] Signed { get; }

    /// <summary>Claimed time; null when absent.</summary>
    public DateTimeOffset? SigningTime { get; private set; }

    /// <summary>Reads the signed attributes.</summary>
    /// <exception cref="AsnContentException">One occurs twice, or has not the number of values it must have, or may not be signed.</exception>
    public static SignedAttributes Read(Asn1Set set)
    {
        var result = new SignedAttributes(set.Received());
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (oid, values) in Each(set))
        {
            // RFC 5652 11: one instance; 11.4: a countersignature is never signed.
            if (!seen.Add(oid) || oid == Oids.CountersignatureAttribute)
            {
                throw new AsnContentException("A signed attribute occurs twice or may not be signed.");
            }

            result.Take(oid, values);
        }

        return result;
    }

    /// <summary>The signature time-stamp among the unsigned attributes; null when there is none.</summary>
    /// <exception cref="AsnContentException">More than one, or an attribute that must be signed (RFC 5652 11).</exception>
    public static ReadOnlyMemory<byte>? TimeStampAmong(Asn1Set unsigned)
    {
        ReadOnlyMemory<byte>? token = null;
        foreach (var (oid, values) in Each(unsigned))
        {
            if (oid is Oids.ContentTypeAttribute or Oids.MessageDigestAttribute or Oids.SigningTimeAttribute or Oids.SigningCertificateV2
                || (oid == Oids.SignatureTimeStamp && token is not null))
            {
                throw new AsnContentException("An unsigned attribute occurs twice or must be signed.");
            }

            token = oid == Oids.SignatureTimeStamp ? One(values).Received() : token;
        }

        return token;
    }

    /// <summary>Whether the attributes bind this content to this signer.</summary>
    public CmsRefusal? Judge(string expectedType, byte[] digest, Certificate signer)
    {
        if (contentType != expectedType)
        {
            return CmsRefusal.ContentType;
        }

        if (messageDigest is null || !messageDigest.AsSpan().SequenceEqual(digest))
        {
            return CmsRefusal.MessageDigest;
        }

        return certificateId is not null && LibraryCall.Try(() => Names(certificateId, signer), out var names, out _) && names ? null : CmsRefusal.SigningCertificate;
    }

    private void Take(string oid, Asn1Set values)
    {
        switch (oid)
        {
            case Oids.ContentTypeAttribute:
                contentType = DerObjectIdentifier.GetInstance(One(values)).Id;
                break;
            case Oids.MessageDigestAttribute:
                messageDigest = Asn1OctetString.GetInstance(One(values)).GetOctets();
                break;
            case Oids.SigningTimeAttribute:
                SigningTime = new DateTimeOffset(Library.Time.GetInstance(One(values)).ToDateTime(), TimeSpan.Zero);
                break;
            case Oids.SigningCertificateV2:
                // The first ESSCertIDv2 is the signer's (RFC 5035 4); the others may name any certificate, and are not read.
                var first = Asn1Sequence.GetInstance(Asn1Sequence.GetInstance(One(values))[0])[0];
                certificateId = EssCertIDv2.GetInstance(first);
                // X.690 11.5: the default hash is not written.
                certificateId = certificateId.Received().AsSpan().SequenceEqual(first.Received()) ? certificateId : null;
                break;
            default:
                break;
        }
    }

    private static bool Names(EssCertIDv2 id, Certificate signer)
    {
        if (Der.Hash(Der.OidOf(id.HashAlgorithm), signer.Der.Span) is not { } hash || !id.GetCertHash().AsSpan().SequenceEqual(hash))
        {
            return false;
        }

        // RFC 5035 5: issuer and serial number may be there, and then must be the certificate's.
        return id.IssuerSerial is not { } named
            || (named.Issuer.GetNames() is [{ TagNo: X509.GeneralName.DirectoryName } issuer]
                && issuer.Name.Received().AsSpan().SequenceEqual(signer.Issuer.Span)
                && Der.Unsigned(named.Serial, 20).Span.SequenceEqual(signer.SerialNumber.Span));
    }

    private static IEnumerable<(string Oid, Asn1Set Values)> Each(Asn1Set set)
    {
        if (set.Count is 0 or > MaxAttributes)
        {
            throw new AsnContentException("No attributes, or too many.");
        }

        foreach (var element in set)
        {
            var attribute = LibraryCall.Part(element, Library.Attribute.GetInstance);
            // RFC 5652 5.3: SIZE (1..MAX).
            yield return attribute.AttrValues.Count > 0
                ? (attribute.AttrType.Id, attribute.AttrValues)
                : throw new AsnContentException("An attribute has no value.");
        }
    }

    private static Asn1Encodable One(Asn1Set values) => values.Count == 1 ? values[0] : throw new AsnContentException("An attribute has several values.");
}

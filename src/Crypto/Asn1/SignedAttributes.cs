using System.Formats.Asn1;
using System.Security.Cryptography;

namespace Trust.Crypto.Asn1;

/// <summary>The signed attributes that a verifier relies on (RFC 5652 11, RFC 5035).</summary>
internal sealed class SignedAttributes
{
    private string? contentType;
    private byte[]? messageDigest;
    private byte[]? certificateHash;

    public DateTimeOffset? SigningTime { get; private set; }

    public static SignedAttributes Read(AsnReader set)
    {
        var result = new SignedAttributes();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        while (set.HasData)
        {
            var attribute = set.ReadSequence();
            var oid = attribute.ReadObjectIdentifier();
            var values = attribute.ReadSetOf();
            attribute.ThrowIfNotEmpty();
            // RFC 5652 11: one instance, one value.
            if (!seen.Add(oid) || seen.Count > 32)
            {
                throw new AsnContentException("A signed attribute occurs twice.");
            }

            result.Take(oid, values);
        }

        return result;
    }

    public CmsRefusal? Judge(string expectedType, byte[] digest, Certificate signer)
    {
        if (!string.Equals(contentType, expectedType, StringComparison.Ordinal))
        {
            return CmsRefusal.ContentType;
        }

        if (messageDigest is null || !messageDigest.AsSpan().SequenceEqual(digest))
        {
            return CmsRefusal.MessageDigest;
        }

        return certificateHash is not null && certificateHash.AsSpan().SequenceEqual(SHA256.HashData(signer.Der.Span))
            ? null
            : CmsRefusal.SigningCertificate;
    }

    private void Take(string oid, AsnReader values)
    {
        switch (oid)
        {
            case Oids.ContentTypeAttribute:
                contentType = values.ReadObjectIdentifier();
                break;
            case Oids.MessageDigestAttribute:
                messageDigest = values.ReadOctetString();
                break;
            case Oids.SigningTimeAttribute:
                SigningTime = Der.ReadTime(values);
                break;
            case Oids.SigningCertificateV2:
                // The first ESSCertIDv2 is the signer's (RFC 5035 4). Only the default hash, SHA-256, is accepted.
                var first = values.ReadSequence().ReadSequence().ReadSequence();
                certificateHash = first.PeekTag().HasSameClassAndValue(Asn1Tag.Sequence) ? null : first.ReadOctetString();
                break;
            default:
                return;
        }

        values.ThrowIfNotEmpty();
    }
}

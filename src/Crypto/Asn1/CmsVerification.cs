using System.Formats.Asn1;

namespace Trust.Crypto.Asn1;

/// <summary>Why a CMS signature is not accepted. The set is closed.</summary>
public enum CmsRefusal
{
    /// <summary>Not DER SignedData, or beyond the limits.</summary>
    Malformed,

    /// <summary>No signer, or more than one.</summary>
    NotOneSigner,

    /// <summary>No signed attributes: such a signature can be turned into one over other content (RFC 5652 5.4 forgery).</summary>
    NoSignedAttributes,

    /// <summary>The content type is missing, repeated, or not the expected one.</summary>
    ContentType,

    /// <summary>The content is missing, or there twice.</summary>
    Content,

    /// <summary>The message digest does not fit the content.</summary>
    MessageDigest,

    /// <summary>The signer's certificate is not at hand.</summary>
    SignerUnknown,

    /// <summary>The signing-certificate-v2 attribute is missing or names another certificate.</summary>
    SigningCertificate,

    /// <summary>An algorithm outside the set, or two that do not go together.</summary>
    Algorithm,

    /// <summary>The signature does not verify.</summary>
    BadSignature,
}

/// <summary>What a CMS verifier found. Validity of the certificate is the caller's next question.</summary>
public abstract record CmsOutcome
{
    private CmsOutcome()
    {
    }

    /// <summary>The signature fits content and certificate.</summary>
    /// <param name="Signer">The signer's certificate, bound by the signed attributes.</param>
    /// <param name="Content">The content that was signed.</param>
    /// <param name="Certificates">All certificates carried.</param>
    /// <param name="SigningTime">Claimed time; proves nothing.</param>
    /// <param name="Signature">The signature value, which a signature time-stamp covers.</param>
    /// <param name="SignatureTimeStamp">The unsigned time-stamp token; null when none.</param>
    public sealed record Valid(
        Certificate Signer,
        ReadOnlyMemory<byte> Content,
        IReadOnlyList<Certificate> Certificates,
        DateTimeOffset? SigningTime,
        ReadOnlyMemory<byte> Signature,
        ReadOnlyMemory<byte>? SignatureTimeStamp) : CmsOutcome;

    /// <summary>Not accepted.</summary>
    public sealed record Refused(CmsRefusal Reason) : CmsOutcome;
}

/// <summary>Verifies what <see cref="CmsSignedData"/> writes, strictly: DER, one signer, signed attributes, signing certificate bound.</summary>
public static class CmsVerification
{
    /// <summary>Largest accepted SignedData, in bytes.</summary>
    public const int MaxBytes = 4 * 1024 * 1024;

    private const int MaxCertificates = 16;

    /// <summary>Verifies one signature.</summary>
    /// <param name="der">The ContentInfo.</param>
    /// <param name="expectedContentType">The only eContentType accepted.</param>
    /// <param name="detachedContent">The content of a detached signature; null when it must be inside.</param>
    /// <param name="knownCertificates">Certificates that may be the signer's when it is not carried.</param>
    public static CmsOutcome Verify(
        ReadOnlyMemory<byte> der,
        string expectedContentType,
        ReadOnlyMemory<byte>? detachedContent = null,
        IReadOnlyList<Certificate>? knownCertificates = null)
    {
        if (der.Length > MaxBytes)
        {
            return new CmsOutcome.Refused(CmsRefusal.Malformed);
        }

        try
        {
            var info = Der.OneSequence(der);
            if (!string.Equals(info.ReadObjectIdentifier(), Oids.CmsSignedData, StringComparison.Ordinal))
            {
                return new CmsOutcome.Refused(CmsRefusal.Malformed);
            }

            var wrapper = info.ReadSequence(Der.Context(0));
            info.ThrowIfNotEmpty();
            var data = wrapper.ReadSequence();
            wrapper.ThrowIfNotEmpty();
            return VerifyData(data, expectedContentType, detachedContent, knownCertificates ?? []);
        }
        catch (AsnContentException)
        {
            return new CmsOutcome.Refused(CmsRefusal.Malformed);
        }
    }

    private static CmsOutcome VerifyData(
        AsnReader data, string expectedContentType, ReadOnlyMemory<byte>? detached, IReadOnlyList<Certificate> known)
    {
        _ = data.TryReadInt32(out var version);
        _ = data.ReadSetOf(skipSortOrderValidation: true);
        var encapsulated = data.ReadSequence();
        var contentType = encapsulated.ReadObjectIdentifier();
        // Not a conditional of byte[] and null: that would make absent content into empty content.
        ReadOnlyMemory<byte>? inside = null;
        if (encapsulated.HasData)
        {
            inside = encapsulated.ReadSequence(Der.Context(0)).ReadOctetString();
        }

        encapsulated.ThrowIfNotEmpty();
        if (version is not (1 or 3) || !string.Equals(contentType, expectedContentType, StringComparison.Ordinal))
        {
            return new CmsOutcome.Refused(CmsRefusal.ContentType);
        }

        if (inside is null == detached is null)
        {
            return new CmsOutcome.Refused(CmsRefusal.Content);
        }

        var certificates = ReadCertificates(data);
        if (data.HasData && data.PeekTag().HasSameClassAndValue(Der.Context(1)))
        {
            // Revocation information is carried beside; status is the caller's own check.
            _ = data.ReadEncodedValue();
        }

        var signers = data.ReadSetOf(skipSortOrderValidation: true);
        data.ThrowIfNotEmpty();
        if (!signers.HasData)
        {
            return new CmsOutcome.Refused(CmsRefusal.NotOneSigner);
        }

        var signer = signers.ReadSequence();
        return signers.HasData
            ? new CmsOutcome.Refused(CmsRefusal.NotOneSigner)
            : VerifySigner(signer, contentType, inside ?? detached!.Value, certificates, known);
    }

    private static CmsOutcome VerifySigner(
        AsnReader reader, string contentType, ReadOnlyMemory<byte> content, List<Certificate> carried, IReadOnlyList<Certificate> known)
    {
        if (!reader.TryReadInt32(out var version) || version != 1)
        {
            return new CmsOutcome.Refused(CmsRefusal.Malformed);
        }

        var id = reader.ReadSequence();
        var issuer = id.ReadEncodedValue();
        var serial = Der.ReadUnsigned(id, 20);
        id.ThrowIfNotEmpty();
        var digestOid = Der.ReadAlgorithm(reader);
        if (!reader.PeekTag().HasSameClassAndValue(Der.Context(0)))
        {
            return new CmsOutcome.Refused(CmsRefusal.NoSignedAttributes);
        }

        var raw = reader.PeekEncodedValue().ToArray();
        var attributes = SignedAttributes.Read(reader.ReadSetOf(Der.Context(0)));
        var suite = SignatureSuite.FromAlgorithmIdentifier(reader.ReadEncodedValue().Span);
        var signature = reader.ReadOctetString();
        var timeStamp = ReadTimeStamp(reader);
        reader.ThrowIfNotEmpty();

        if (suite is null || !string.Equals(suite.DigestOid, digestOid, StringComparison.Ordinal))
        {
            return new CmsOutcome.Refused(CmsRefusal.Algorithm);
        }

        var certificate = carried.Concat(known).FirstOrDefault(c =>
            c.Issuer.Span.SequenceEqual(issuer.Span) && c.SerialNumber.Span.SequenceEqual(serial.Span));
        if (certificate is null)
        {
            return new CmsOutcome.Refused(CmsRefusal.SignerUnknown);
        }

        if (attributes.Judge(contentType, Der.Hash(digestOid, content.Span)!, certificate) is { } fault)
        {
            return new CmsOutcome.Refused(fault);
        }

        raw[0] = 0x31;
        return suite.Verify(certificate.SubjectPublicKeyInfo, raw, signature)
            ? new CmsOutcome.Valid(certificate, content, carried, attributes.SigningTime, signature, timeStamp)
            : new CmsOutcome.Refused(CmsRefusal.BadSignature);
    }

    private static List<Certificate> ReadCertificates(AsnReader data)
    {
        var list = new List<Certificate>();
        if (!data.HasData || !data.PeekTag().HasSameClassAndValue(Der.Context(0)))
        {
            return list;
        }

        var set = data.ReadSetOf(skipSortOrderValidation: true, Der.Context(0));
        while (set.HasData)
        {
            if (Certificate.TryParse(set.ReadEncodedValue(), out var certificate, out _))
            {
                list.Add(certificate);
            }

            if (list.Count > MaxCertificates)
            {
                throw new AsnContentException("Too many certificates.");
            }
        }

        return list;
    }

    private static ReadOnlyMemory<byte>? ReadTimeStamp(AsnReader signer)
    {
        ReadOnlyMemory<byte>? token = null;
        if (signer.HasData)
        {
            var attributes = signer.ReadSetOf(Der.Context(1));
            while (attributes.HasData)
            {
                var attribute = attributes.ReadSequence();
                var isTimeStamp = string.Equals(attribute.ReadObjectIdentifier(), Oids.SignatureTimeStamp, StringComparison.Ordinal);
                var values = attribute.ReadSetOf(skipSortOrderValidation: true);
                attribute.ThrowIfNotEmpty();
                if (isTimeStamp)
                {
                    token ??= values.ReadEncodedValue();
                }
            }
        }

        return token;
    }
}

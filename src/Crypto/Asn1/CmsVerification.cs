namespace Trust.Crypto.Asn1;

/// <summary>Why a CMS signature is not accepted. The set is closed.</summary>
public enum CmsRefusal
{
    /// <summary>Not DER SignedData of the version that its content asks for, beyond the limits, or an attribute where or as it may not be.</summary>
    Malformed,

    /// <summary>No signer, or more than one.</summary>
    NotOneSigner,

    /// <summary>No signed attributes: such a signature can be turned into one over other content (RFC 5652 5.4 forgery).</summary>
    NoSignedAttributes,

    /// <summary>The content type is missing, repeated, or not the expected one.</summary>
    ContentType,

    /// <summary>The content is missing, or given beside content that is inside.</summary>
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
        if (!CmsStructure.TryRead(der, out var structure))
        {
            return new CmsOutcome.Refused(CmsRefusal.Malformed);
        }

        if (structure.ContentType != expectedContentType)
        {
            return new CmsOutcome.Refused(CmsRefusal.ContentType);
        }

        if (structure.Content is null == detachedContent is null)
        {
            return new CmsOutcome.Refused(CmsRefusal.Content);
        }

        return structure.Signer is { } signer
            ? Verify(structure, signer, structure.Content ?? detachedContent!.Value, knownCertificates ?? [])
            : new CmsOutcome.Refused(CmsRefusal.NotOneSigner);
    }

    private static CmsOutcome Verify(CmsStructure structure, CmsSigner signer, ReadOnlyMemory<byte> content, IReadOnlyList<Certificate> known)
    {
        if (signer.Attributes is not { } attributes)
        {
            return new CmsOutcome.Refused(CmsRefusal.NoSignedAttributes);
        }

        if (signer.Suite is not { } suite || suite.DigestOid != signer.DigestOid || !structure.DigestAlgorithms.Contains(signer.DigestOid, StringComparer.Ordinal))
        {
            return new CmsOutcome.Refused(CmsRefusal.Algorithm);
        }

        var certificate = structure.Certificates.Concat(known).FirstOrDefault(c =>
            c.Issuer.Span.SequenceEqual(signer.Issuer.Span) && c.SerialNumber.Span.SequenceEqual(signer.SerialNumber.Span));
        if (certificate is null)
        {
            return new CmsOutcome.Refused(CmsRefusal.SignerUnknown);
        }

        if (attributes.Judge(structure.ContentType, Der.Hash(signer.DigestOid, content.Span)!, certificate) is { } fault)
        {
            return new CmsOutcome.Refused(fault);
        }

        return suite.Verify(certificate.SubjectPublicKeyInfo, attributes.Signed, signer.Signature.Span)
            ? new CmsOutcome.Valid(certificate, content, structure.Certificates, attributes.SigningTime, signer.Signature, signer.TimeStamp)
            : new CmsOutcome.Refused(CmsRefusal.BadSignature);
    }
}

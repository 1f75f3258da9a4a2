using System.Formats.Asn1;
using System.Security.Cryptography.X509Certificates;
using Org.BouncyCastle.Asn1;
using Org.BouncyCastle.Asn1.X509;
using Library = Org.BouncyCastle.Asn1.Pkcs;

namespace Trust.Crypto.Asn1;

/// <summary>Why a certification request was refused. The set is closed.</summary>
public enum RequestRefusal
{
    /// <summary>More than 8 KiB.</summary>
    TooLarge,

    /// <summary>Not DER PKCS#10 (RFC 2986), version 1, or an attribute occurs twice.</summary>
    Malformed,

    /// <summary>A key algorithm or curve outside the list.</summary>
    UnsupportedKey,

    /// <summary>A signature algorithm outside the list, or not the key's.</summary>
    UnsupportedSignature,

    /// <summary>A key that is too short, not on its curve, or known to be breakable.</summary>
    WeakKey,

    /// <summary>The request's own signature does not verify: no proof of possession.</summary>
    BadSignature,
}

/// <summary>What came of reading a certification request.</summary>
public abstract record RequestOutcome
{
    private RequestOutcome()
    {
    }

    /// <summary>Well formed, key accepted, possession proved.</summary>
    public sealed record Proved(CertificationRequest Request) : RequestOutcome;

    /// <summary>Not accepted.</summary>
    /// <param name="Reason">The rule.</param>
    /// <param name="Key">The rule of the key check when it was the key.</param>
    public sealed record Refused(RequestRefusal Reason, PublicKeyRefusal? Key = null) : RequestOutcome;
}

/// <summary>A PKCS#10 request (RFC 2986) whose proof of possession held; only <see cref="Read"/> makes one.</summary>
public sealed class CertificationRequest
{
    /// <summary>Largest accepted request, in bytes.</summary>
    public const int MaxBytes = 8 * 1024;

    private CertificationRequest(
        ReadOnlyMemory<byte> der, X500DistinguishedName subject, PublicKeyInfo key, IReadOnlyList<CertificateExtension> extensions)
    {
        Der = der;
        Subject = subject;
        Key = key;
        RequestedExtensions = extensions;
    }

    /// <summary>The whole request.</summary>
    public ReadOnlyMemory<byte> Der { get; }

    /// <summary>The subject asked for; a profile decides what becomes of it.</summary>
    public X500DistinguishedName Subject { get; }

    /// <summary>The accepted public key.</summary>
    public PublicKeyInfo Key { get; }

    /// <summary>Extensions asked for (RFC 2985 extensionRequest); a profile decides what becomes of them.</summary>
    public IReadOnlyList<CertificateExtension> RequestedExtensions { get; }

    /// <summary>Reads, checks the key, and verifies the proof of possession.</summary>
    public static RequestOutcome Read(ReadOnlyMemory<byte> der)
    {
        if (der.Length > MaxBytes)
        {
            return new RequestOutcome.Refused(RequestRefusal.TooLarge);
        }

        if (!LibraryCall.TryRead(der, MaxBytes, Library.CertificationRequest.GetInstance, out var read)
            || !LibraryCall.Try(() => ReadInfo(read.GetCertificationRequestInfo()), out var info, out _)
            || !LibraryCall.Try(() => SignedStructure.Split(der), out var parts, out _))
        {
            return new RequestOutcome.Refused(RequestRefusal.Malformed);
        }

        var (subject, spki, extensions) = info;
        var verdict = PublicKeyCheck.Examine(spki);
        if (verdict is PublicKeyVerdict.Refused refused)
        {
            return new RequestOutcome.Refused(Map(refused.Reason), refused.Reason);
        }

        var (tbs, suite, signature) = parts;
        if (suite is null || suite != SignatureSuite.ForKey(spki))
        {
            return new RequestOutcome.Refused(RequestRefusal.UnsupportedSignature);
        }

        return suite.Verify(spki, tbs.Span, signature)
            ? new RequestOutcome.Proved(new CertificationRequest(der, subject, ((PublicKeyVerdict.Accepted)verdict).Key, extensions))
            : new RequestOutcome.Refused(RequestRefusal.BadSignature);
    }

    /// <summary>Builds the bytes that a card signs for a request; assemble with <see cref="SignedStructure.Assemble"/>.</summary>
    public static byte[] EncodeTbs(
        X500DistinguishedName subject, ReadOnlyMemory<byte> subjectPublicKeyInfo, params IReadOnlyList<CertificateExtension> extensions) =>
        LibraryCall.Encode(() => new Library.CertificationRequestInfo(
            X509Name.GetInstance(subject.RawData),
            SubjectPublicKeyInfo.GetInstance(subjectPublicKeyInfo.ToArray()),
            extensions.Count == 0
                ? new DerSet()
                : new DerSet(new Library.AttributePkcs(new DerObjectIdentifier(Oids.ExtensionRequest), new DerSet(CertificateExtension.Encode(extensions))))));

    /// <summary>Builds and signs a request in one go.</summary>
    /// <param name="signer">The card's key; the suite follows from the public key.</param>
    /// <exception cref="System.Security.Cryptography.CryptographicException">The key's kind is not supported.</exception>
    public static async ValueTask<byte[]> Create(
        X500DistinguishedName subject,
        ReadOnlyMemory<byte> subjectPublicKeyInfo,
        IReadOnlyList<CertificateExtension> extensions,
        DigestSigner signer,
        CancellationToken ct)
    {
        var suite = SignatureSuite.ForKey(subjectPublicKeyInfo)
            ?? throw new System.Security.Cryptography.CryptographicException("No signature suite for this kind of key.");
        return await SignedStructure.Sign(EncodeTbs(subject, subjectPublicKeyInfo, extensions), suite, subjectPublicKeyInfo, signer, ct);
    }

    private static Info ReadInfo(Library.CertificationRequestInfo info)
    {
        if (!info.Version.Equals(DerInteger.Zero))
        {
            throw new AsnContentException("The version is not 0 (v1).");
        }

        var subject = new X500DistinguishedName(info.Subject.Received());
        // Rendering walks the whole name, so that a malformed one fails here and not at a later reader.
        _ = subject.Name;
        List<CertificateExtension> extensions = [];
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var element in info.Attributes ?? new DerSet())
        {
            var attribute = LibraryCall.Part(element, Library.AttributePkcs.GetInstance);
            // Asked for twice, extensions could be one thing to an officer and another to the authority.
            if (attribute.AttrValues.Count == 0 || !seen.Add(attribute.AttrType.Id))
            {
                throw new AsnContentException("An attribute occurs twice or has no value.");
            }

            if (attribute.AttrType.Id == Oids.ExtensionRequest)
            {
                extensions = attribute.AttrValues.Count == 1
                    ? CertificateExtension.ReadList(LibraryCall.Part(attribute.AttrValues[0], X509Extensions.GetInstance))
                    : throw new AsnContentException("Extensions are asked for twice.");
            }
        }

        return new Info(subject, info.SubjectPublicKeyInfo.Received(), extensions);
    }

    private sealed record Info(X500DistinguishedName Subject, ReadOnlyMemory<byte> Spki, IReadOnlyList<CertificateExtension> Extensions);

    private static RequestRefusal Map(PublicKeyRefusal reason) => reason switch
    {
        PublicKeyRefusal.Malformed => RequestRefusal.Malformed,
        PublicKeyRefusal.Unsupported => RequestRefusal.UnsupportedKey,
        _ => RequestRefusal.WeakKey,
    };
}

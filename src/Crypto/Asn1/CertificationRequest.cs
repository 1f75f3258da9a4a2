using System.Formats.Asn1;
using System.Security.Cryptography.X509Certificates;

namespace Trust.Crypto.Asn1;

/// <summary>Why a certification request was refused. The set is closed.</summary>
public enum RequestRefusal
{
    /// <summary>More than 8 KiB.</summary>
    TooLarge,

    /// <summary>Not DER PKCS#10 (RFC 2986), version 1.</summary>
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

        try
        {
            var (info, suite, signature) = SignedStructure.Split(der);
            var (subject, spki, extensions) = ReadInfo(info);
            var verdict = PublicKeyCheck.Examine(spki);
            if (verdict is PublicKeyVerdict.Refused refused)
            {
                return new RequestOutcome.Refused(Map(refused.Reason), refused.Reason);
            }

            if (suite is null || suite != SignatureSuite.ForKey(spki))
            {
                return new RequestOutcome.Refused(RequestRefusal.UnsupportedSignature);
            }

            if (!suite.Verify(spki, info.Span, signature))
            {
                return new RequestOutcome.Refused(RequestRefusal.BadSignature);
            }

            var key = ((PublicKeyVerdict.Accepted)verdict).Key;
            return new RequestOutcome.Proved(new CertificationRequest(der, subject, key, extensions));
        }
        catch (Exception e) when (e is AsnContentException or System.Security.Cryptography.CryptographicException)
        {
            return new RequestOutcome.Refused(RequestRefusal.Malformed);
        }
    }

    /// <summary>Builds the bytes that a card signs for a request; assemble with <see cref="SignedStructure.Assemble"/>.</summary>
    public static byte[] EncodeTbs(
        X500DistinguishedName subject, ReadOnlyMemory<byte> subjectPublicKeyInfo, params IReadOnlyList<CertificateExtension> extensions) =>
        Asn1.Der.Encode(w =>
        {
            using (w.PushSequence())
            {
                w.WriteInteger(0);
                w.WriteEncodedValue(subject.RawData);
                w.WriteEncodedValue(subjectPublicKeyInfo.Span);
                using (w.PushSetOf(Asn1.Der.Context(0)))
                {
                    if (extensions.Count > 0)
                    {
                        WriteExtensionRequest(w, extensions);
                    }
                }
            }
        });

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

    private static void WriteExtensionRequest(AsnWriter w, IReadOnlyList<CertificateExtension> extensions)
    {
        using (w.PushSequence())
        {
            w.WriteObjectIdentifier(Oids.ExtensionRequest);
            using (w.PushSetOf())
            using (w.PushSequence())
            {
                foreach (var extension in extensions)
                {
                    extension.Write(w);
                }
            }
        }
    }

    private static (X500DistinguishedName Subject, ReadOnlyMemory<byte> Spki, List<CertificateExtension> Extensions) ReadInfo(
        ReadOnlyMemory<byte> der)
    {
        var info = Asn1.Der.OneSequence(der);
        if (!info.TryReadInt32(out var version) || version != 0)
        {
            throw new AsnContentException("The version is not 0 (v1).");
        }

        var subject = new X500DistinguishedName(info.ReadEncodedValue().Span);
        // Rendering walks the whole name, so that a malformed one fails here and not at a later reader.
        _ = subject.Name;
        var spki = info.ReadEncodedValue();
        var extensions = new List<CertificateExtension>();
        if (info.HasData)
        {
            var attributes = info.ReadSetOf(Asn1.Der.Context(0));
            while (attributes.HasData)
            {
                var attribute = attributes.ReadSequence();
                var requestsExtensions = string.Equals(attribute.ReadObjectIdentifier(), Oids.ExtensionRequest, StringComparison.Ordinal);
                var values = attribute.ReadSetOf();
                attribute.ThrowIfNotEmpty();
                if (requestsExtensions)
                {
                    extensions.AddRange(CertificateExtension.ReadList(values.ReadSequence()));
                    values.ThrowIfNotEmpty();
                }
            }
        }

        info.ThrowIfNotEmpty();
        return (subject, spki, extensions);
    }

    private static RequestRefusal Map(PublicKeyRefusal reason) => reason switch
    {
        PublicKeyRefusal.Malformed => RequestRefusal.Malformed,
        PublicKeyRefusal.Unsupported => RequestRefusal.UnsupportedKey,
        _ => RequestRefusal.WeakKey,
    };
}

using System.Diagnostics.CodeAnalysis;
using System.Formats.Asn1;
using Org.BouncyCastle.Asn1;
using Library = Org.BouncyCastle.Asn1.Cms;

namespace Trust.Crypto.Asn1;

/// <summary>
/// The adapter to BouncyCastle's reader of SignedData (RFC 5652 5). It judges form and gives the parts as they were received;
/// <see cref="CmsVerification"/> judges what they say.
/// </summary>
internal sealed class CmsStructure
{
    private const int MaxCertificates = 16;

    private CmsStructure(Library.SignedData data)
    {
        ContentType = data.EncapContentInfo.ContentType.Id;
        // Absent content is not empty content.
        Content = data.EncapContentInfo.Content is { } content ? Asn1OctetString.GetInstance(content).GetOctets() : (ReadOnlyMemory<byte>?)null;
        DigestAlgorithms = [.. data.DigestAlgorithms.Select(a => Der.OidOf(Org.BouncyCastle.Asn1.X509.AlgorithmIdentifier.GetInstance(a)))];
        Certificates = data.Certificates is { } set ? ReadCertificates(set) : [];
        SignerCount = data.SignerInfos.Count;
        if (SignerCount != 1)
        {
            return;
        }

        Signer = new CmsSigner(LibraryCall.Part(data.SignerInfos[0], Library.SignerInfo.GetInstance));
        // RFC 5652 5.1: the version follows from the content; the library counts it for what it writes.
        if (!new Library.SignedData(data.DigestAlgorithms, data.EncapContentInfo, data.Certificates, data.CRLs, data.SignerInfos).Version.Equals(data.Version))
        {
            throw new AsnContentException("The version is not the one that the content asks for.");
        }
    }

    /// <summary>eContentType.</summary>
    public string ContentType { get; }

    /// <summary>eContent; null for a detached signature.</summary>
    public ReadOnlyMemory<byte>? Content { get; }

    /// <summary>digestAlgorithms.</summary>
    public IReadOnlyList<string> DigestAlgorithms { get; }

    /// <summary>The X.509 certificates carried that can be read; others are of no use here.</summary>
    public IReadOnlyList<Certificate> Certificates { get; }

    /// <summary>Number of signers.</summary>
    public int SignerCount { get; }

    /// <summary>The signer when there is exactly one.</summary>
    public CmsSigner? Signer { get; }

    /// <summary>Reads a ContentInfo that holds SignedData.</summary>
    public static bool TryRead(ReadOnlyMemory<byte> der, [NotNullWhen(true)] out CmsStructure? structure)
    {
        structure = null;
        return LibraryCall.TryRead(der, CmsVerification.MaxBytes, Read, out var info)
            && info.ContentType.Id == Oids.CmsSignedData
            && LibraryCall.Try(() => new CmsStructure((Library.SignedData)info.Content), out structure, out _);
    }

    // SignedData is read here too, so that writing back what was read covers it.
    private static Library.ContentInfo Read(Asn1Object der)
    {
        var info = Library.ContentInfo.GetInstance(der);
        var data = Library.SignedData.GetInstance(info.Content);
        return new Library.ContentInfo(info.ContentType, new Library.SignedData(
            data.Version, data.DigestAlgorithms, data.EncapContentInfo, InOrder(data.Certificates), InOrder(data.CRLs), data.SignerInfos));
    }

    // Nothing signed is in these sets, and authorities carry their certificates in the order of the path: the order received stays.
    private static BerSet? InOrder(Asn1Set? set) => set is null ? null : new BerSet(set.ToArray());

    private static List<Certificate> ReadCertificates(Asn1Set set)
    {
        if (set.Count > MaxCertificates)
        {
            throw new AsnContentException("Too many certificates.");
        }

        var list = new List<Certificate>();
        foreach (var element in set)
        {
            if (Certificate.TryParse(element.Received(), out var certificate, out _))
            {
                list.Add(certificate);
            }
        }

        return list;
    }
}

/// <summary>SignerInfo (RFC 5652 5.3), version 1: the signer is named by issuer and serial number.</summary>
internal sealed class CmsSigner
{
    public CmsSigner(Library.SignerInfo signer)
    {
        if (!signer.Version.Equals(DerInteger.One) || signer.SignerID.IsTagged)
        {
            throw new AsnContentException("A signer is not version 1.");
        }

        var id = Library.IssuerAndSerialNumber.GetInstance(signer.SignerID.ToAsn1Object());
        Issuer = id.Issuer.Received();
        SerialNumber = Der.Unsigned(id.SerialNumber, 20);
        DigestOid = Der.OidOf(signer.DigestAlgorithm);
        Suite = SignatureSuite.FromAlgorithmIdentifier(signer.SignatureAlgorithm.Received());
        Signature = signer.Signature.GetOctets();
        Attributes = signer.SignedAttrs is { } signed ? SignedAttributes.Read(signed) : null;
        TimeStamp = signer.UnsignedAttrs is { } unsigned ? SignedAttributes.TimeStampAmong(unsigned) : null;
    }

    /// <summary>Name of the certificate's issuer, DER.</summary>
    public ReadOnlyMemory<byte> Issuer { get; }

    /// <summary>The certificate's serial number, as <see cref="Certificate.SerialNumber"/>.</summary>
    public ReadOnlyMemory<byte> SerialNumber { get; }

    /// <summary>digestAlgorithm.</summary>
    public string DigestOid { get; }

    /// <summary>signatureAlgorithm; null when outside the set.</summary>
    public SignatureSuite? Suite { get; }

    /// <summary>The signature value.</summary>
    public ReadOnlyMemory<byte> Signature { get; }

    /// <summary>signedAttrs; null when absent.</summary>
    public SignedAttributes? Attributes { get; }

    /// <summary>The signature time-stamp token; null when absent.</summary>
    public ReadOnlyMemory<byte>? TimeStamp { get; }
}

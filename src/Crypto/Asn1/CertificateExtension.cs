using System.Formats.Asn1;
using System.Security.Cryptography;
using Org.BouncyCastle.Asn1;
using Library = Org.BouncyCastle.Asn1.X509;

namespace Trust.Crypto.Asn1;

/// <summary>Key usages (RFC 5280 4.2.1.3), numbered as the BIT STRING numbers them.</summary>
[Flags]
public enum KeyUsages
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>digitalSignature: authentication.</summary>
    DigitalSignature = 1,

    /// <summary>nonRepudiation (contentCommitment): signatures that bind a person.</summary>
    NonRepudiation = 2,

    /// <summary>keyEncipherment.</summary>
    KeyEncipherment = 4,

    /// <summary>dataEncipherment.</summary>
    DataEncipherment = 8,

    /// <summary>keyAgreement.</summary>
    KeyAgreement = 16,

    /// <summary>keyCertSign.</summary>
    KeyCertSign = 32,

    /// <summary>cRLSign.</summary>
    CrlSign = 64,

    /// <summary>encipherOnly.</summary>
    EncipherOnly = 128,

    /// <summary>decipherOnly.</summary>
    DecipherOnly = 256,
}

/// <summary>One certificate extension; the factories write the usual ones as RFC 5280 wants them, criticality included.</summary>
/// <param name="Oid">extnID.</param>
/// <param name="Critical">critical.</param>
/// <param name="Value">The DER inside extnValue.</param>
public sealed record CertificateExtension(string Oid, bool Critical, ReadOnlyMemory<byte> Value)
{
    /// <summary>basicConstraints, critical. For an end entity an empty SEQUENCE.</summary>
    public static CertificateExtension BasicConstraints(bool ca, int? pathLength = null) => new(
        Oids.BasicConstraints, true, LibraryCall.Encode(() => ca && pathLength is { } length ? new Library.BasicConstraints(length) : new Library.BasicConstraints(ca)));

    /// <summary>keyUsage, critical.</summary>
    public static CertificateExtension KeyUsage(KeyUsages usages) =>
        new(Oids.KeyUsage, true, Der.Encode(w => w.WriteNamedBitList(usages)));

    /// <summary>extKeyUsage; critical for time-stamping (RFC 3161 2.3).</summary>
    public static CertificateExtension ExtendedKeyUsage(bool critical, params IReadOnlyList<string> purposes) =>
        new(Oids.ExtendedKeyUsage, critical, LibraryCall.Encode(() => new Library.ExtendedKeyUsage([.. purposes.Select(p => new DerObjectIdentifier(p))])));

    /// <summary>subjectAltName; critical only when the subject is empty (RFC 5280 4.2.1.6).</summary>
    public static CertificateExtension SubjectAltName(params IReadOnlyList<GeneralName> names) =>
        new(Oids.SubjectAltName, false, LibraryCall.Encode(() => GeneralName.Encode(names)));

    /// <summary>subjectKeyIdentifier by RFC 7093 2 method 1: leftmost 160 bits of SHA-256 of the key bits.</summary>
    public static CertificateExtension SubjectKeyIdentifier(ReadOnlyMemory<byte> subjectPublicKeyInfo) =>
        new(Oids.SubjectKeyIdentifier, false, LibraryCall.Encode(() => new Library.SubjectKeyIdentifier(KeyIdentifier(subjectPublicKeyInfo))));

    /// <summary>authorityKeyIdentifier with the issuer's key identifier.</summary>
    public static CertificateExtension AuthorityKeyIdentifier(ReadOnlyMemory<byte> keyIdentifier) =>
        new(Oids.AuthorityKeyIdentifier, false, LibraryCall.Encode(() => new Library.AuthorityKeyIdentifier(keyIdentifier.ToArray())));

    /// <summary>cRLDistributionPoints with one full name per address.</summary>
    public static CertificateExtension CrlDistributionPoints(params IReadOnlyList<string> uris) => new(
        Oids.CrlDistributionPoints,
        false,
        LibraryCall.Encode(() => new Library.CrlDistPoint([.. uris.Select(u =>
            new Library.DistributionPoint(new Library.DistributionPointName(GeneralName.Encode([new GeneralName.Uri(u)])), null, null))])));

    /// <summary>authorityInfoAccess: OCSP responders and issuer certificates.</summary>
    public static CertificateExtension AuthorityInfoAccess(IReadOnlyList<string> ocsp, IReadOnlyList<string> caIssuers) => new(
        Oids.AuthorityInfoAccess,
        false,
        LibraryCall.Encode(() => new DerSequence(
            ocsp.Select(u => Access(Oids.AccessOcsp, u)).Concat(caIssuers.Select(u => Access(Oids.AccessCaIssuers, u))).ToArray<Asn1Encodable>())));

    /// <summary>certificatePolicies, identifiers only.</summary>
    public static CertificateExtension CertificatePolicies(params IReadOnlyList<string> policies) => new(
        Oids.CertificatePolicies, false, LibraryCall.Encode(() => new Library.CertificatePolicies([.. policies.Select(p => new Library.PolicyInformation(new DerObjectIdentifier(p)))])));

    /// <summary>id-pkix-ocsp-nocheck (RFC 6960 4.2.2.2.1).</summary>
    public static CertificateExtension OcspNoCheck() => new(Oids.OcspNoCheck, false, LibraryCall.Encode(() => DerNull.Instance));

    /// <summary>The key identifier of RFC 7093 2 method 1.</summary>
    /// <returns>20 bytes.</returns>
    public static byte[] KeyIdentifier(ReadOnlyMemory<byte> subjectPublicKeyInfo)
    {
        var spki = Der.OneSequence(subjectPublicKeyInfo);
        _ = spki.ReadSequence();
        return SHA256.HashData(Der.ReadWholeBits(spki))[..20];
    }

    /// <summary>Writes the extension itself.</summary>
    internal void Write(AsnWriter writer)
    {
        using (writer.PushSequence())
        {
            writer.WriteObjectIdentifier(Oid);
            if (Critical)
            {
                writer.WriteBoolean(true);
            }

            writer.WriteOctetString(Value.Span);
        }
    }

    /// <summary>Reads a SEQUENCE OF Extension: at least one, none twice (RFC 5280 4.2), each value DER in itself.</summary>
    /// <exception cref="AsnContentException">Any other list.</exception>
    internal static List<CertificateExtension> ReadList(AsnReader extensions)
    {
        var list = new List<CertificateExtension>();
        do
        {
            var reader = extensions.ReadSequence();
            var oid = reader.ReadObjectIdentifier();
            var critical = reader.PeekTag().HasSameClassAndValue(Asn1Tag.Boolean);
            if (critical && !reader.ReadBoolean())
            {
                // X.690 11.5: what is the default is not written.
                throw new AsnContentException("An extension says that it is not critical.");
            }

            var value = reader.ReadOctetString();
            reader.ThrowIfNotEmpty();
            if (list.Count >= 64 || list.Exists(e => string.Equals(e.Oid, oid, StringComparison.Ordinal)))
            {
                throw new AsnContentException("An extension occurs twice, or there are too many.");
            }

            if (DerGate.Check(value, Certificate.MaxBytes) is { } fault)
            {
                throw new AsnContentException($"The value of an extension is not DER: {fault}.");
            }

            list.Add(new CertificateExtension(oid, critical, value));
        }
        while (extensions.HasData);
        return list;
    }

    /// <summary>The same of extensions that the library read.</summary>
    internal static List<CertificateExtension> ReadList(Library.X509Extensions extensions) => ReadList(Der.OneSequence(extensions.Received()));

    /// <summary>Extensions for the library to write, in order.</summary>
    internal static Library.X509Extensions Encode(IReadOnlyList<CertificateExtension> extensions)
    {
        var generator = new Library.X509ExtensionsGenerator();
        foreach (var extension in extensions)
        {
            generator.AddExtension(new DerObjectIdentifier(extension.Oid), extension.Critical, extension.Value.ToArray());
        }

        return generator.Generate();
    }

    private static Library.AccessDescription Access(string method, string uri) => new(
        new DerObjectIdentifier(method), new Library.GeneralName(Library.GeneralName.UniformResourceIdentifier, new DerIA5String(uri, validate: true)));
}

using System.Diagnostics.CodeAnalysis;
using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Org.BouncyCastle.Asn1.X509;

namespace Trust.Crypto.Asn1;

/// <summary>
/// A parsed X.509 v3 certificate (RFC 5280). Unlike the platform's type it verifies SM2 and shows the to-be-signed bytes.
/// Parsing judges form only; trust is <see cref="CertificatePath"/>'s.
/// </summary>
public sealed class Certificate
{
    /// <summary>Largest accepted certificate, in bytes.</summary>
    public const int MaxBytes = 16 * 1024;

    private readonly List<CertificateExtension> extensions = [];

    private Certificate(ReadOnlyMemory<byte> der)
    {
        Der = der;
        (Tbs, var suite, Signature) = SignedStructure.Split(der);
        Suite = suite ?? throw new AsnContentException("The signature algorithm is not supported.");
        var tbs = Asn1.Der.OneSequence(Tbs);
        var version = tbs.ReadSequence(Asn1.Der.Context(0));
        if (!version.TryReadInt32(out var v) || v != 2 || version.HasData)
        {
            throw new AsnContentException("Only version 3 certificates are accepted.");
        }

        SerialNumber = ReadSerialNumber(tbs);
        if (!tbs.ReadEncodedValue().Span.SequenceEqual(Suite.AlgorithmIdentifier.Span))
        {
            throw new AsnContentException("Inner and outer signature algorithms differ (RFC 5280 4.1.1.2).");
        }

        Issuer = tbs.PeekEncodedValue();
        if (!tbs.ReadSequence().HasData)
        {
            throw new AsnContentException("The issuer has no name (RFC 5280 4.1.2.4).");
        }

        var validity = tbs.ReadSequence();
        NotBefore = Asn1.Der.ReadValidityTime(validity);
        NotAfter = Asn1.Der.ReadValidityTime(validity);
        validity.ThrowIfNotEmpty();
        Subject = tbs.ReadEncodedValue();
        SubjectPublicKeyInfo = tbs.ReadEncodedValue();
        SkipUniqueId(tbs, 1);
        SkipUniqueId(tbs, 2);
        if (tbs.HasData)
        {
            var wrapper = tbs.ReadSequence(Asn1.Der.Context(3));
            extensions = CertificateExtension.ReadList(wrapper.ReadSequence());
            wrapper.ThrowIfNotEmpty();
        }

        tbs.ThrowIfNotEmpty();
        ReadKnownExtensions();
        CertificateForm.CheckWhole(this);
        Structure = LibraryCall.Try(() => X509CertificateStructure.GetInstance(der.ToArray()), out var structure, out var why)
            ? structure : throw new AsnContentException("A name or the key is malformed: " + why);
        _ = DistributionPoint.Of(this);
    }

    /// <summary>The whole certificate.</summary>
    public ReadOnlyMemory<byte> Der { get; }

    /// <summary>TBSCertificate, the signed bytes.</summary>
    public ReadOnlyMemory<byte> Tbs { get; }

    /// <summary>The issuer's algorithm.</summary>
    public SignatureSuite Suite { get; }

    /// <summary>The issuer's signature, in X.509 form.</summary>
    public ReadOnlyMemory<byte> Signature { get; }

    /// <summary>Big-endian magnitude without leading zeros.</summary>
    public ReadOnlyMemory<byte> SerialNumber { get; }

    /// <summary>Issuer name, DER.</summary>
    public ReadOnlyMemory<byte> Issuer { get; }

    /// <summary>Subject name, DER.</summary>
    public ReadOnlyMemory<byte> Subject { get; }

    /// <summary>First second of validity.</summary>
    public DateTimeOffset NotBefore { get; }

    /// <summary>Last second of validity, inclusive.</summary>
    public DateTimeOffset NotAfter { get; }

    /// <summary>The certified key, DER.</summary>
    public ReadOnlyMemory<byte> SubjectPublicKeyInfo { get; }

    /// <summary>All extensions, in order.</summary>
    public IReadOnlyList<CertificateExtension> Extensions => extensions;

    /// <summary>basicConstraints cA.</summary>
    public bool IsCa { get; private set; }

    /// <summary>basicConstraints pathLenConstraint; null when absent.</summary>
    public int? PathLength { get; private set; }

    /// <summary>keyUsage; null when absent.</summary>
    public KeyUsages? KeyUsage { get; private set; }

    /// <summary>extKeyUsage; null when absent.</summary>
    public IReadOnlyList<string>? ExtendedKeyUsage { get; private set; }

    /// <summary>subjectKeyIdentifier; empty when absent.</summary>
    public ReadOnlyMemory<byte> SubjectKeyIdentifier { get; private set; }

    /// <summary>authorityKeyIdentifier's keyIdentifier; empty when absent.</summary>
    public ReadOnlyMemory<byte> AuthorityKeyIdentifier { get; private set; }

    /// <summary>subjectAltName.</summary>
    public IReadOnlyList<GeneralName> SubjectAltNames { get; private set; } = [];

    /// <summary>SHA-256 of the DER, lower-case hex: the name of a certificate between services.</summary>
    public string Sha256Hex => Convert.ToHexStringLower(SHA256.HashData(Der.Span));

    /// <summary>The URIs among the alternative names.</summary>
    public IEnumerable<string> SubjectUris => SubjectAltNames.OfType<GeneralName.Uri>().Select(u => u.Value);

    /// <summary>Whether subject and issuer are the same name.</summary>
    public bool IsSelfIssued => Subject.Span.SequenceEqual(Issuer.Span);

    /// <summary>Parses one DER certificate.</summary>
    /// <param name="der">The bytes; referenced, not copied.</param>
    /// <param name="certificate">The certificate when well formed.</param>
    /// <param name="why">One sentence for the log when not; holds no input bytes.</param>
    public static bool TryParse(
        ReadOnlyMemory<byte> der, [NotNullWhen(true)] out Certificate? certificate, [NotNullWhen(false)] out string? why)
    {
        certificate = null;
        why = DerGate.Check(der.Span, MaxBytes) is { } fault ? $"Not one DER structure: {fault}." : null;
        if (why is not null)
        {
            return false;
        }

        try
        {
            certificate = new Certificate(der);
            return true;
        }
        catch (AsnContentException e)
        {
            why = e.Message;
            return false;
        }
    }

    /// <summary>Parses a certificate this system made or was configured with.</summary>
    /// <exception cref="CryptographicException">Not a certificate.</exception>
    public static Certificate Parse(ReadOnlyMemory<byte> der) =>
        TryParse(der, out var certificate, out var why) ? certificate : throw new CryptographicException("Not a certificate: " + why);

    /// <summary>Reads every certificate of a PEM text (RFC 7468), leaf first by convention.</summary>
    /// <exception cref="CryptographicException">A block that is not a certificate, or none at all.</exception>
    public static IReadOnlyList<Certificate> ParsePem(ReadOnlySpan<char> pem)
    {
        var list = new List<Certificate>();
        while (PemEncoding.TryFind(pem, out var fields))
        {
            if (pem[fields.Label].SequenceEqual("CERTIFICATE"))
            {
                list.Add(Parse(Convert.FromBase64String(pem[fields.Base64Data].ToString())));
            }

            pem = pem[fields.Location.End..];
        }

        return list.Count > 0 ? list : throw new CryptographicException("The PEM text holds no certificate.");
    }

    /// <summary>The certificate as PEM, with a final line feed.</summary>
    public string ToPem() => PemEncoding.WriteString("CERTIFICATE", Der.Span) + "\n";

    /// <summary>Whether the key made this certificate's signature.</summary>
    public bool IsSignedBy(ReadOnlyMemory<byte> issuerPublicKey) => Suite.Verify(issuerPublicKey, Tbs.Span, Signature.Span);

    /// <summary>What path validation reads; made from the same bytes, which passed the gate.</summary>
    internal X509CertificateStructure Structure { get; }

    /// <summary>The value of an extension; null when absent.</summary>
    public ReadOnlyMemory<byte>? FindExtension(string oid) =>
        extensions.Find(e => string.Equals(e.Oid, oid, StringComparison.Ordinal))?.Value;

    /// <summary>The subject as text (RFC 4514), for people.</summary>
    public string SubjectText => NameText(Subject);

    /// <summary>The issuer as text (RFC 4514), for people.</summary>
    public string IssuerText => NameText(Issuer);

    private static string NameText(ReadOnlyMemory<byte> name) => new X500DistinguishedName(name.Span).Name;

    // RFC 5280 4.1.2.2: positive, at most 20 octets with the sign bit.
    private static ReadOnlyMemory<byte> ReadSerialNumber(AsnReader tbs)
    {
        var octets = tbs.PeekContentBytes().Length;
        var serial = Asn1.Der.ReadUnsigned(tbs, 20);
        return octets <= 20 && serial.Span[0] != 0 ? serial : throw new AsnContentException("The serial number is zero or has more than 20 octets.");
    }

    // RFC 5280 4.1.2.8: authorities must not write unique identifiers; readers skip them.
    private static void SkipUniqueId(AsnReader tbs, int tag)
    {
        if (tbs.HasData && tbs.PeekTag().HasSameClassAndValue(Asn1.Der.Context(tag, constructed: false)))
        {
            _ = tbs.ReadBitString(out _, Asn1.Der.Context(tag, constructed: false));
        }
    }

    private void ReadKnownExtensions()
    {
        foreach (var extension in extensions)
        {
            CertificateForm.Check(extension);
            var value = new AsnReader(extension.Value, AsnEncodingRules.DER);
            switch (extension.Oid)
            {
                case Oids.BasicConstraints:
                    ReadBasicConstraints(value.ReadSequence());
                    break;
                case Oids.KeyUsage:
                    KeyUsage = ReadKeyUsage(value);
                    break;
                case Oids.ExtendedKeyUsage:
                    ExtendedKeyUsage = ReadOids(value.ReadSequence());
                    break;
                case Oids.SubjectAltName:
                    SubjectAltNames = GeneralName.ReadSeveral(value.ReadSequence());
                    break;
                case Oids.SubjectKeyIdentifier:
                    SubjectKeyIdentifier = value.ReadOctetString();
                    break;
                case Oids.AuthorityKeyIdentifier:
                    ReadAuthorityKeyIdentifier(value.ReadSequence());
                    break;
                default:
                    continue;
            }

            value.ThrowIfNotEmpty();
        }
    }

    private void ReadBasicConstraints(AsnReader constraints)
    {
        IsCa = constraints.HasData && constraints.PeekTag().HasSameClassAndValue(Asn1Tag.Boolean);
        if (IsCa && !constraints.ReadBoolean())
        {
            throw new AsnContentException("cA FALSE is the default, and not written.");
        }

        if (constraints.HasData)
        {
            // RFC 5280 4.2.1.9: a path length only beside cA.
            PathLength = IsCa && constraints.TryReadInt32(out var length) && length >= 0
                ? length : throw new AsnContentException("A path length is out of range, or not an authority's.");
        }

        constraints.ThrowIfNotEmpty();
    }

    private static KeyUsages ReadKeyUsage(AsnReader value)
    {
        var encoded = value.PeekEncodedValue();
        var usage = value.ReadNamedBitListValue<KeyUsages>();
        // RFC 5280 4.2.1.3: at least one bit, and none beyond the list; X.690 11.2.2: no zeros at the end.
        return usage is > KeyUsages.None and < (KeyUsages)512 && Asn1.Der.Encode(w => w.WriteNamedBitList(usage)).AsSpan().SequenceEqual(encoded.Span)
            ? usage : throw new AsnContentException("The key usage is empty or has another form.");
    }

    private void ReadAuthorityKeyIdentifier(AsnReader authority)
    {
        if (authority.HasData && authority.PeekTag().HasSameClassAndValue(Asn1.Der.Context(0, false)))
        {
            AuthorityKeyIdentifier = authority.ReadOctetString(Asn1.Der.Context(0, false));
        }

        if (authority.HasData)
        {
            // RFC 5280 4.2.1.1: issuer and serial number together or not at all.
            _ = GeneralName.ReadSeveral(authority.ReadSequence(Asn1.Der.Context(1)));
            _ = authority.ReadInteger(Asn1.Der.Context(2, false));
        }

        authority.ThrowIfNotEmpty();
    }

    private static List<string> ReadOids(AsnReader reader)
    {
        var list = new List<string>();
        do
        {
            list.Add(reader.ReadObjectIdentifier());
        }
        while (reader.HasData && list.Count < 64);

        reader.ThrowIfNotEmpty();
        return list;
    }
}

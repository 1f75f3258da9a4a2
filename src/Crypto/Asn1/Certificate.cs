using System.Diagnostics.CodeAnalysis;
using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

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
        if (!version.TryReadInt32(out var v) || v != 2)
        {
            throw new AsnContentException("Only version 3 certificates are accepted.");
        }

        SerialNumber = Asn1.Der.ReadUnsigned(tbs, 20);
        if (!tbs.ReadEncodedValue().Span.SequenceEqual(Suite.AlgorithmIdentifier.Span))
        {
            throw new AsnContentException("Inner and outer signature algorithms differ (RFC 5280 4.1.1.2).");
        }

        Issuer = tbs.ReadEncodedValue();
        var validity = tbs.ReadSequence();
        NotBefore = Asn1.Der.ReadTime(validity);
        NotAfter = Asn1.Der.ReadTime(validity);
        validity.ThrowIfNotEmpty();
        Subject = tbs.ReadEncodedValue();
        SubjectPublicKeyInfo = tbs.ReadEncodedValue();
        if (tbs.HasData)
        {
            var wrapper = tbs.ReadSequence(Asn1.Der.Context(3));
            extensions = CertificateExtension.ReadList(wrapper.ReadSequence());
            wrapper.ThrowIfNotEmpty();
        }

        tbs.ThrowIfNotEmpty();
        ReadKnownExtensions();
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
        why = der.Length is 0 or > MaxBytes ? "The size is outside the limits." : null;
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

    /// <summary>The value of an extension; null when absent.</summary>
    public ReadOnlyMemory<byte>? FindExtension(string oid) =>
        extensions.Find(e => string.Equals(e.Oid, oid, StringComparison.Ordinal))?.Value;

    /// <summary>The subject as text (RFC 4514), for people.</summary>
    public string SubjectText => NameText(Subject);

    /// <summary>The issuer as text (RFC 4514), for people.</summary>
    public string IssuerText => NameText(Issuer);

    private static string NameText(ReadOnlyMemory<byte> name) => new X500DistinguishedName(name.Span).Name;

    private void ReadKnownExtensions()
    {
        foreach (var extension in extensions)
        {
            var outer = new AsnReader(extension.Value, AsnEncodingRules.DER);
            switch (extension.Oid)
            {
                case Oids.BasicConstraints:
                    var constraints = outer.ReadSequence();
                    IsCa = constraints.HasData && constraints.PeekTag().HasSameClassAndValue(Asn1Tag.Boolean) && constraints.ReadBoolean();
                    PathLength = !constraints.HasData ? null
                        : constraints.TryReadInt32(out var length) && length >= 0 ? length
                        : throw new AsnContentException("A path length is out of range.");
                    constraints.ThrowIfNotEmpty();
                    break;
                case Oids.KeyUsage:
                    KeyUsage = outer.ReadNamedBitListValue<KeyUsages>();
                    break;
                case Oids.ExtendedKeyUsage:
                    ExtendedKeyUsage = ReadOids(outer.ReadSequence());
                    break;
                case Oids.SubjectAltName:
                    SubjectAltNames = CertificateExtension.ReadGeneralNames(outer.ReadSequence());
                    break;
                case Oids.SubjectKeyIdentifier:
                    SubjectKeyIdentifier = outer.ReadOctetString();
                    break;
                case Oids.AuthorityKeyIdentifier:
                    var authority = outer.ReadSequence();
                    AuthorityKeyIdentifier = authority.HasData && authority.PeekTag().HasSameClassAndValue(Asn1.Der.Context(0, false))
                        ? authority.ReadOctetString(Asn1.Der.Context(0, false)) : default;
                    break;
                default:
                    continue;
            }

            outer.ThrowIfNotEmpty();
        }
    }

    private static List<string> ReadOids(AsnReader reader)
    {
        var list = new List<string>();
        while (reader.HasData && list.Count < 64)
        {
            list.Add(reader.ReadObjectIdentifier());
        }

        reader.ThrowIfNotEmpty();
        return list;
    }
}

using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Org.BouncyCastle.Asn1;
using Org.BouncyCastle.Math;
using Library = Org.BouncyCastle.Asn1.X509;

namespace Trust.Crypto.Asn1;

/// <summary>A certificate before it is signed (TBSCertificate, RFC 5280 4.1.2). Encode, lint those bytes, sign them, assemble.</summary>
public sealed record CertificateContent
{
    /// <summary>Big-endian magnitude, 1 to 20 bytes, first bit clear so that it stays positive and short (RFC 5280 4.1.2.2).</summary>
    public required ReadOnlyMemory<byte> SerialNumber { get; init; }

    /// <summary>The issuer's algorithm.</summary>
    public required SignatureSuite Suite { get; init; }

    /// <summary>The issuer's name, byte for byte as in its own certificate.</summary>
    public required X500DistinguishedName Issuer { get; init; }

    /// <summary>First second of validity.</summary>
    public required DateTimeOffset NotBefore { get; init; }

    /// <summary>Last second of validity, inclusive (RFC 5280 4.1.2.5).</summary>
    public required DateTimeOffset NotAfter { get; init; }

    /// <summary>The subject's name.</summary>
    public required X500DistinguishedName Subject { get; init; }

    /// <summary>The certified key, DER.</summary>
    public required ReadOnlyMemory<byte> SubjectPublicKeyInfo { get; init; }

    /// <summary>Extensions in the order written.</summary>
    public required IReadOnlyList<CertificateExtension> Extensions { get; init; }

    /// <summary>A serial number of 128 random bits behind a fixed first byte, so that it is positive and of constant length.</summary>
    /// <returns>17 bytes.</returns>
    public static byte[] NewSerialNumber()
    {
        var serial = RandomNumberGenerator.GetBytes(17);
        // A fixed non-zero first byte keeps the length; all 128 bits after it are random.
        serial[0] = 0x01;
        return serial;
    }

    /// <summary>The bytes to lint and sign.</summary>
    /// <exception cref="CryptographicException">A serial number outside its bounds, or a name or key that is not DER.</exception>
    public byte[] EncodeTbs()
    {
        if (SerialNumber.Length is 0 or > 20 || SerialNumber.Span.TrimStart((byte)0).IsEmpty)
        {
            throw new CryptographicException("A serial number is positive and has 1 to 20 bytes.");
        }

        return LibraryCall.Encode(Tbs);
    }

    private Library.TbsCertificateStructure Tbs()
    {
        var tbs = new Library.V3TbsCertificateGenerator();
        tbs.SetSerialNumber(new DerInteger(new BigInteger(1, SerialNumber.ToArray())));
        tbs.SetSignature(Library.AlgorithmIdentifier.GetInstance(Suite.AlgorithmIdentifier.ToArray()));
        tbs.SetIssuer(Library.X509Name.GetInstance(Issuer.RawData));
        tbs.SetValidity(new Library.Validity(Time(NotBefore), Time(NotAfter)));
        tbs.SetSubject(Library.X509Name.GetInstance(Subject.RawData));
        tbs.SetSubjectPublicKeyInfo(Library.SubjectPublicKeyInfo.GetInstance(SubjectPublicKeyInfo.ToArray()));
        if (Extensions.Count > 0)
        {
            tbs.SetExtensions(CertificateExtension.Encode(Extensions));
        }

        return tbs.GenerateTbsCertificate();
    }

    // UTCTime through 2049, GeneralizedTime after, whole seconds (RFC 5280 4.1.2.5).
    private static Library.Time Time(DateTimeOffset instant) => new(new DateTime(instant.UtcTicks / TimeSpan.TicksPerSecond * TimeSpan.TicksPerSecond, DateTimeKind.Utc));
}

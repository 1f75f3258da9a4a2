using System.Diagnostics.CodeAnalysis;
using System.Formats.Asn1;
using System.Security.Cryptography;
using Org.BouncyCastle.Asn1;
using Org.BouncyCastle.Asn1.X509;
using Library = Org.BouncyCastle.Asn1.Ocsp;

namespace Trust.Crypto.Asn1;

/// <summary>Names a certificate to an OCSP responder (CertID, RFC 6960 4.1.1).</summary>
/// <param name="HashOid">SHA-1 or SHA-256.</param>
/// <param name="IssuerNameHash">Hash of the issuer's name.</param>
/// <param name="IssuerKeyHash">Hash of the issuer's key bits.</param>
/// <param name="SerialNumber">Big-endian magnitude without leading zeros.</param>
public sealed record CertificateId(
    string HashOid, ReadOnlyMemory<byte> IssuerNameHash, ReadOnlyMemory<byte> IssuerKeyHash, ReadOnlyMemory<byte> SerialNumber)
{
    /// <summary>Makes the identifier of a certificate.</summary>
    public static CertificateId Of(Certificate issuer, ReadOnlyMemory<byte> serialNumber, string hashOid = Oids.Sha256) =>
        new(hashOid, Hash(hashOid, issuer.Subject.Span), Hash(hashOid, KeyBits(issuer.SubjectPublicKeyInfo)), serialNumber);

    /// <summary>Whether the identifier names this issuer.</summary>
    public bool IsIssuedBy(Certificate issuer) =>
        SizeOf(HashOid) > 0
        && IssuerNameHash.Span.SequenceEqual(Hash(HashOid, issuer.Subject.Span))
        && IssuerKeyHash.Span.SequenceEqual(Hash(HashOid, KeyBits(issuer.SubjectPublicKeyInfo)));

    /// <exception cref="AsnContentException">A hash of the wrong size. By a hash that is not known here no issuer is named, which is no fault of form.</exception>
    internal static CertificateId Of(Library.CertID id)
    {
        var hash = Der.OidOf(id.HashAlgorithm);
        var (name, key) = (id.IssuerNameHash.GetOctets(), id.IssuerKeyHash.GetOctets());
        return SizeOf(hash) is var size && (size == 0 ? name.Length is > 0 and <= 64 && key.Length == name.Length : name.Length == size && key.Length == size)
            ? new CertificateId(hash, name, key, Der.Unsigned(id.SerialNumber, 20))
            : throw new AsnContentException("A CertID hash has the wrong size.");
    }

    internal Library.CertID Encode() => new(
        new AlgorithmIdentifier(new DerObjectIdentifier(HashOid), DerNull.Instance),
        new DerOctetString(IssuerNameHash.ToArray()),
        new DerOctetString(IssuerKeyHash.ToArray()),
        Der.Number(SerialNumber));

    // RFC 6960 4.1.1 lets the client choose; RFC 5019 2.1.1 has SHA-1.
    private static int SizeOf(string oid) => oid switch { Oids.Sha1 => 20, Oids.Sha256 => 32, Oids.Sha384 => 48, Oids.Sha512 => 64, _ => 0 };

    internal static byte[] KeyBits(ReadOnlyMemory<byte> subjectPublicKeyInfo)
    {
        var spki = Der.OneSequence(subjectPublicKeyInfo);
        _ = spki.ReadSequence();
        return Der.ReadWholeBits(spki);
    }

    internal static byte[] Hash(string oid, ReadOnlySpan<byte> data) =>
#pragma warning disable CA5350 // RFC 6960 4.3 and stock clients use SHA-1 in CertID; it names an issuer here and protects nothing.
        oid switch { Oids.Sha1 => SHA1.HashData(data), Oids.Sha384 => SHA384.HashData(data), Oids.Sha512 => SHA512.HashData(data), _ => SHA256.HashData(data) };
#pragma warning restore CA5350
}

/// <summary>An OCSP request (RFC 6960 4.1), parsed within bounds.</summary>
/// <param name="Certificates">What is asked about, 1 to 16.</param>
/// <param name="Nonce">1 to 128 bytes (RFC 9654); null when absent.</param>
public sealed record OcspRequest(IReadOnlyList<CertificateId> Certificates, ReadOnlyMemory<byte>? Nonce)
{
    /// <summary>Largest accepted request, in bytes.</summary>
    public const int MaxBytes = 4096;

    private const int MaxCertificates = 16;

    /// <summary>Parses the body of a POST. A requestor's own signature is optional and not evaluated (RFC 6960 4.1.2).</summary>
    /// <returns>False: answer malformedRequest.</returns>
    public static bool TryParse(ReadOnlyMemory<byte> der, [NotNullWhen(true)] out OcspRequest? request)
    {
        request = null;
        return LibraryCall.TryRead(der, MaxBytes, Library.OcspRequest.GetInstance, out var read)
            && LibraryCall.Try(() => Of(read.TbsRequest), out request, out _);
    }

    /// <summary>Parses the path part of a GET: base64, already URL-decoded (RFC 6960 A.1, RFC 5019 5).</summary>
    public static bool TryParseGet(string base64, [NotNullWhen(true)] out OcspRequest? request)
    {
        request = null;
        var buffer = new byte[MaxBytes];
        return base64.Length <= MaxBytes
            && Convert.TryFromBase64String(base64, buffer, out var written)
            && TryParse(buffer.AsMemory(0, written), out request);
    }

    /// <summary>Encodes an unsigned request.</summary>
    public byte[] Encode() => LibraryCall.Encode(() => new Library.OcspRequest(
        new Library.TbsRequest(null, new DerSequence(Certificates.Select(id => new Library.Request(id.Encode(), null)).ToArray<Asn1Encodable>()), OcspNonce.Encode(Nonce)),
        null));

    private static OcspRequest Of(Library.TbsRequest tbs)
    {
        Der.RefuseVersion(tbs);
        if (tbs.RequestList.Count is 0 or > MaxCertificates)
        {
            throw new AsnContentException("No certificate is asked about, or too many.");
        }

        var ids = new List<CertificateId>();
        foreach (var element in tbs.RequestList)
        {
            var single = LibraryCall.Part(element, Library.Request.GetInstance);
            ids.Add(CertificateId.Of(single.ReqCert));
            _ = OcspNonce.Read(single.SingleRequestExtensions);
        }

        return new OcspRequest(ids, OcspNonce.Read(tbs.RequestExtensions));
    }
}

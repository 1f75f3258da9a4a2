using System.Diagnostics.CodeAnalysis;
using System.Formats.Asn1;
using System.Security.Cryptography;

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
        IssuerNameHash.Span.SequenceEqual(Hash(HashOid, issuer.Subject.Span))
        && IssuerKeyHash.Span.SequenceEqual(Hash(HashOid, KeyBits(issuer.SubjectPublicKeyInfo)));

    internal static CertificateId Read(AsnReader outer)
    {
        var reader = outer.ReadSequence();
        var hash = Der.ReadAlgorithm(reader);
        var size = hash switch
        {
            Oids.Sha1 => 20,
            Oids.Sha256 => 32,
            _ => throw new AsnContentException("The CertID hash is not supported."),
        };
        var name = reader.ReadOctetString();
        var key = reader.ReadOctetString();
        var serial = Der.ReadUnsigned(reader, 20);
        reader.ThrowIfNotEmpty();
        return name.Length == size && key.Length == size
            ? new CertificateId(hash, name, key, serial)
            : throw new AsnContentException("A CertID hash has the wrong size.");
    }

    internal void Write(AsnWriter writer)
    {
        using (writer.PushSequence())
        {
            using (writer.PushSequence())
            {
                writer.WriteObjectIdentifier(HashOid);
                writer.WriteNull();
            }

            writer.WriteOctetString(IssuerNameHash.Span);
            writer.WriteOctetString(IssuerKeyHash.Span);
            Der.WriteUnsigned(writer, SerialNumber.Span);
        }
    }

    internal static byte[] KeyBits(ReadOnlyMemory<byte> subjectPublicKeyInfo)
    {
        var spki = Der.OneSequence(subjectPublicKeyInfo);
        _ = spki.ReadSequence();
        return Der.ReadWholeBits(spki);
    }

    internal static byte[] Hash(string oid, ReadOnlySpan<byte> data) =>
#pragma warning disable CA5350 // RFC 6960 4.3 and stock clients use SHA-1 in CertID; it names an issuer here and protects nothing.
        string.Equals(oid, Oids.Sha1, StringComparison.Ordinal) ? SHA1.HashData(data) : SHA256.HashData(data);
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
    private const int MaxNonce = 128;

    /// <summary>Parses the body of a POST.</summary>
    /// <returns>False: answer malformedRequest.</returns>
    public static bool TryParse(ReadOnlyMemory<byte> der, [NotNullWhen(true)] out OcspRequest? request)
    {
        request = null;
        if (der.Length is 0 or > MaxBytes)
        {
            return false;
        }

        try
        {
            var outer = Der.OneSequence(der);
            var tbs = outer.ReadSequence();
            request = Read(tbs);
            // A requestor's own signature is optional and not evaluated (RFC 6960 4.1.2); it must still be one element.
            if (outer.HasData)
            {
                _ = outer.ReadSequence(Der.Context(0));
            }

            outer.ThrowIfNotEmpty();
            return true;
        }
        catch (AsnContentException)
        {
            request = null;
            return false;
        }
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
    public byte[] Encode() => Der.Encode(w =>
    {
        using (w.PushSequence())
        using (w.PushSequence())
        {
            using (w.PushSequence())
            {
                foreach (var id in Certificates)
                {
                    using (w.PushSequence())
                    {
                        id.Write(w);
                    }
                }
            }

            if (Nonce is { } nonce)
            {
                using (w.PushSequence(Der.Context(2)))
                using (w.PushSequence())
                {
                    new CertificateExtension(Oids.OcspNonce, false, Der.Encode(n => n.WriteOctetString(nonce.Span))).Write(w);
                }
            }
        }
    });

    private static OcspRequest Read(AsnReader tbs)
    {
        if (tbs.PeekTag().HasSameClassAndValue(Der.Context(0)))
        {
            throw new AsnContentException("DER leaves the default version out.");
        }

        if (tbs.PeekTag().HasSameClassAndValue(Der.Context(1)))
        {
            _ = tbs.ReadSequence(Der.Context(1));
        }

        var list = tbs.ReadSequence();
        var ids = new List<CertificateId>();
        while (list.HasData)
        {
            var single = list.ReadSequence();
            ids.Add(CertificateId.Read(single));
            if (single.HasData)
            {
                RefuseCritical(CertificateExtension.ReadList(single.ReadSequence(Der.Context(0)).ReadSequence()));
            }

            single.ThrowIfNotEmpty();
            if (ids.Count > MaxCertificates)
            {
                throw new AsnContentException("Too many certificates in one request.");
            }
        }

        ReadOnlyMemory<byte>? nonce = null;
        if (tbs.HasData)
        {
            var extensions = CertificateExtension.ReadList(tbs.ReadSequence(Der.Context(2)).ReadSequence());
            nonce = ReadNonce(extensions);
            RefuseCritical(extensions);
        }

        tbs.ThrowIfNotEmpty();
        return ids.Count > 0 ? new OcspRequest(ids, nonce) : throw new AsnContentException("No certificate is asked about.");
    }

    internal static ReadOnlyMemory<byte>? ReadNonce(List<CertificateExtension> extensions)
    {
        if (extensions.Find(e => string.Equals(e.Oid, Oids.OcspNonce, StringComparison.Ordinal)) is not { } extension)
        {
            return null;
        }

        var reader = new AsnReader(extension.Value, AsnEncodingRules.DER);
        var nonce = reader.ReadOctetString();
        reader.ThrowIfNotEmpty();
        return nonce.Length is > 0 and <= MaxNonce ? nonce : throw new AsnContentException("The nonce has a bad size (RFC 9654).");
    }

    private static void RefuseCritical(List<CertificateExtension> extensions)
    {
        if (extensions.Exists(e => e.Critical && !string.Equals(e.Oid, Oids.OcspNonce, StringComparison.Ordinal)))
        {
            throw new AsnContentException("A critical request extension is not understood.");
        }
    }
}

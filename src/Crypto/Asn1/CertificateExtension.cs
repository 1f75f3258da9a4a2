using System.Formats.Asn1;
using System.Security.Cryptography;

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

/// <summary>A name in subjectAltName (RFC 5280 4.2.1.6).</summary>
public abstract record GeneralName
{
    private GeneralName()
    {
    }

    /// <summary>rfc822Name.</summary>
    public sealed record Email(string Value) : GeneralName;

    /// <summary>dNSName.</summary>
    public sealed record Dns(string Value) : GeneralName;

    /// <summary>uniformResourceIdentifier; URNs too.</summary>
    public sealed record Uri(string Value) : GeneralName;

    /// <summary>iPAddress: 4 or 16 bytes.</summary>
    public sealed record Ip(ReadOnlyMemory<byte> Value) : GeneralName;

    /// <summary>Any other kind, kept as its DER.</summary>
    public sealed record Other(ReadOnlyMemory<byte> Encoded) : GeneralName;
}

/// <summary>One certificate extension; the factories write the usual ones as RFC 5280 wants them, criticality included.</summary>
/// <param name="Oid">extnID.</param>
/// <param name="Critical">critical.</param>
/// <param name="Value">The DER inside extnValue.</param>
public sealed record CertificateExtension(string Oid, bool Critical, ReadOnlyMemory<byte> Value)
{
    /// <summary>basicConstraints, critical. For an end entity an empty SEQUENCE.</summary>
    public static CertificateExtension BasicConstraints(bool ca, int? pathLength = null) => new(Oids.BasicConstraints, true, Der.Encode(w =>
    {
        using (w.PushSequence())
        {
            // DER: a DEFAULT FALSE is left out.
            if (ca)
            {
                w.WriteBoolean(true);
                if (pathLength is { } length)
                {
                    w.WriteInteger(length);
                }
            }
        }
    }));

    /// <summary>keyUsage, critical.</summary>
    public static CertificateExtension KeyUsage(KeyUsages usages) =>
        new(Oids.KeyUsage, true, Der.Encode(w => w.WriteNamedBitList(usages)));

    /// <summary>extKeyUsage; critical for time-stamping (RFC 3161 2.3).</summary>
    public static CertificateExtension ExtendedKeyUsage(bool critical, params IReadOnlyList<string> purposes) =>
        new(Oids.ExtendedKeyUsage, critical, OidSequence(purposes));

    /// <summary>subjectAltName; critical only when the subject is empty (RFC 5280 4.2.1.6).</summary>
    public static CertificateExtension SubjectAltName(params IReadOnlyList<GeneralName> names) =>
        new(Oids.SubjectAltName, false, Der.Encode(w => WriteGeneralNames(w, names)));

    /// <summary>subjectKeyIdentifier by RFC 7093 2 method 1: leftmost 160 bits of SHA-256 of the key bits.</summary>
    public static CertificateExtension SubjectKeyIdentifier(ReadOnlyMemory<byte> subjectPublicKeyInfo) =>
        new(Oids.SubjectKeyIdentifier, false, Der.Encode(w => w.WriteOctetString(KeyIdentifier(subjectPublicKeyInfo))));

    /// <summary>authorityKeyIdentifier with the issuer's key identifier.</summary>
    public static CertificateExtension AuthorityKeyIdentifier(ReadOnlyMemory<byte> keyIdentifier) =>
        new(Oids.AuthorityKeyIdentifier, false, Der.Encode(w =>
        {
            using (w.PushSequence())
            {
                w.WriteOctetString(keyIdentifier.Span, Der.Context(0, false));
            }
        }));

    /// <summary>cRLDistributionPoints with one full name per address.</summary>
    public static CertificateExtension CrlDistributionPoints(params IReadOnlyList<string> uris) =>
        new(Oids.CrlDistributionPoints, false, Der.Encode(w =>
        {
            using (w.PushSequence())
            {
                foreach (var uri in uris)
                {
                    using (w.PushSequence())
                    using (w.PushSequence(Der.Context(0)))
                    using (w.PushSequence(Der.Context(0)))
                    {
                        w.WriteCharacterString(UniversalTagNumber.IA5String, uri, Der.Context(6, false));
                    }
                }
            }
        }));

    /// <summary>authorityInfoAccess: OCSP responders and issuer certificates.</summary>
    public static CertificateExtension AuthorityInfoAccess(IReadOnlyList<string> ocsp, IReadOnlyList<string> caIssuers) =>
        new(Oids.AuthorityInfoAccess, false, Der.Encode(w =>
        {
            using (w.PushSequence())
            {
                foreach (var (method, uri) in ocsp.Select(u => (Oids.AccessOcsp, u)).Concat(caIssuers.Select(u => (Oids.AccessCaIssuers, u))))
                {
                    using (w.PushSequence())
                    {
                        w.WriteObjectIdentifier(method);
                        w.WriteCharacterString(UniversalTagNumber.IA5String, uri, Der.Context(6, false));
                    }
                }
            }
        }));

    /// <summary>certificatePolicies, identifiers only.</summary>
    public static CertificateExtension CertificatePolicies(params IReadOnlyList<string> policies) =>
        new(Oids.CertificatePolicies, false, Der.Encode(w =>
        {
            using (w.PushSequence())
            {
                foreach (var policy in policies)
                {
                    Der.WriteAlgorithm(w, policy);
                }
            }
        }));

    /// <summary>id-pkix-ocsp-nocheck (RFC 6960 4.2.2.2.1).</summary>
    public static CertificateExtension OcspNoCheck() => new(Oids.OcspNoCheck, false, Der.Encode(w => w.WriteNull()));

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

    /// <summary>Reads a SEQUENCE OF Extension; refuses one that occurs twice (RFC 5280 4.2).</summary>
    internal static List<CertificateExtension> ReadList(AsnReader extensions)
    {
        var list = new List<CertificateExtension>();
        while (extensions.HasData)
        {
            var reader = extensions.ReadSequence();
            var oid = reader.ReadObjectIdentifier();
            var critical = reader.PeekTag().HasSameClassAndValue(Asn1Tag.Boolean) && reader.ReadBoolean();
            var value = reader.ReadOctetString();
            reader.ThrowIfNotEmpty();
            if (list.Count >= 64 || list.Exists(e => string.Equals(e.Oid, oid, StringComparison.Ordinal)))
            {
                throw new AsnContentException("An extension occurs twice, or there are too many.");
            }

            list.Add(new CertificateExtension(oid, critical, value));
        }

        return list;
    }

    /// <summary>Reads GeneralNames.</summary>
    internal static List<GeneralName> ReadGeneralNames(AsnReader names)
    {
        var list = new List<GeneralName>();
        while (names.HasData)
        {
            var tag = names.PeekTag();
            list.Add((tag.TagClass, tag.TagValue) switch
            {
                (TagClass.ContextSpecific, 1) => new GeneralName.Email(names.ReadCharacterString(UniversalTagNumber.IA5String, tag)),
                (TagClass.ContextSpecific, 2) => new GeneralName.Dns(names.ReadCharacterString(UniversalTagNumber.IA5String, tag)),
                (TagClass.ContextSpecific, 6) => new GeneralName.Uri(names.ReadCharacterString(UniversalTagNumber.IA5String, tag)),
                (TagClass.ContextSpecific, 7) => new GeneralName.Ip(names.ReadOctetString(tag)),
                _ => new GeneralName.Other(names.ReadEncodedValue()),
            });
            if (list.Count > 64)
            {
                throw new AsnContentException("Too many names.");
            }
        }

        return list;
    }

    private static void WriteGeneralNames(AsnWriter writer, IReadOnlyList<GeneralName> names)
    {
        using (writer.PushSequence())
        {
            foreach (var name in names)
            {
                switch (name)
                {
                    case GeneralName.Email email:
                        writer.WriteCharacterString(UniversalTagNumber.IA5String, email.Value, Der.Context(1, false));
                        break;
                    case GeneralName.Dns dns:
                        writer.WriteCharacterString(UniversalTagNumber.IA5String, dns.Value, Der.Context(2, false));
                        break;
                    case GeneralName.Uri uri:
                        writer.WriteCharacterString(UniversalTagNumber.IA5String, uri.Value, Der.Context(6, false));
                        break;
                    case GeneralName.Ip ip:
                        writer.WriteOctetString(ip.Value.Span, Der.Context(7, false));
                        break;
                    case GeneralName.Other other:
                        writer.WriteEncodedValue(other.Encoded.Span);
                        break;
                }
            }
        }
    }

    private static byte[] OidSequence(IReadOnlyList<string> oids) => Der.Encode(w =>
    {
        using (w.PushSequence())
        {
            foreach (var oid in oids)
            {
                w.WriteObjectIdentifier(oid);
            }
        }
    });
}

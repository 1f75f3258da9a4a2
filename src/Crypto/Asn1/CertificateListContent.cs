using System.Formats.Asn1;
using System.Security.Cryptography.X509Certificates;

namespace Trust.Crypto.Asn1;

/// <summary>Revocation reasons (RFC 5280 5.3.1); 7 is not used.</summary>
public enum RevocationReason
{
    /// <summary>unspecified: written by leaving the entry extension out.</summary>
    Unspecified = 0,

    /// <summary>keyCompromise.</summary>
    KeyCompromise = 1,

    /// <summary>cACompromise.</summary>
    CaCompromise = 2,

    /// <summary>affiliationChanged.</summary>
    AffiliationChanged = 3,

    /// <summary>superseded.</summary>
    Superseded = 4,

    /// <summary>cessationOfOperation.</summary>
    CessationOfOperation = 5,

    /// <summary>certificateHold: may be lifted.</summary>
    CertificateHold = 6,

    /// <summary>removeFromCRL, delta lists only.</summary>
    RemoveFromCrl = 8,

    /// <summary>privilegeWithdrawn.</summary>
    PrivilegeWithdrawn = 9,

    /// <summary>aACompromise.</summary>
    AaCompromise = 10,
}

/// <summary>One revoked certificate.</summary>
/// <param name="SerialNumber">Big-endian magnitude.</param>
/// <param name="RevokedAt">When it stopped being good.</param>
/// <param name="Reason">Why.</param>
/// <param name="InvalidityDate">When the key is thought to have been lost, if earlier.</param>
public sealed record RevokedEntry(
    ReadOnlyMemory<byte> SerialNumber, DateTimeOffset RevokedAt, RevocationReason Reason, DateTimeOffset? InvalidityDate = null);

/// <summary>A version 2 CRL before it is signed (TBSCertList, RFC 5280 5.1.2).</summary>
public sealed record CertificateListContent
{
    /// <summary>The issuer's algorithm.</summary>
    public required SignatureSuite Suite { get; init; }

    /// <summary>The issuer's name.</summary>
    public required X500DistinguishedName Issuer { get; init; }

    /// <summary>The issuer's key identifier.</summary>
    public required ReadOnlyMemory<byte> AuthorityKeyIdentifier { get; init; }

    /// <summary>cRLNumber: strictly rising.</summary>
    public required long Number { get; init; }

    /// <summary>When this list was true.</summary>
    public required DateTimeOffset ThisUpdate { get; init; }

    /// <summary>When the next one comes at the latest.</summary>
    public required DateTimeOffset NextUpdate { get; init; }

    /// <summary>The revoked certificates.</summary>
    public required IReadOnlyCollection<RevokedEntry> Entries { get; init; }

    /// <summary>Where this list is found, for the critical issuingDistributionPoint (partitioned lists); null for a full list.</summary>
    public string? DistributionPoint { get; init; }

    /// <summary>The bytes to sign; assemble with <see cref="SignedStructure.Assemble"/>.</summary>
    public byte[] EncodeTbs()
    {
        // 64 bytes an entry avoids regrowth of a list of many megabytes.
        var w = new AsnWriter(AsnEncodingRules.DER, 512 + (Entries.Count * 64));
        using (w.PushSequence())
        {
            w.WriteInteger(1);
            w.WriteEncodedValue(Suite.AlgorithmIdentifier.Span);
            w.WriteEncodedValue(Issuer.RawData);
            Der.WriteTime(w, ThisUpdate);
            Der.WriteTime(w, NextUpdate);
            if (Entries.Count > 0)
            {
                using (w.PushSequence())
                {
                    foreach (var entry in Entries)
                    {
                        WriteEntry(w, entry);
                    }
                }
            }

            using (w.PushSequence(Der.Context(0)))
            using (w.PushSequence())
            {
                CertificateExtension.AuthorityKeyIdentifier(AuthorityKeyIdentifier).Write(w);
                new CertificateExtension(Oids.CrlNumber, false, Der.Encode(n => n.WriteInteger(Number))).Write(w);
                if (DistributionPoint is not null)
                {
                    new CertificateExtension(Oids.IssuingDistributionPoint, true, EncodePoint(DistributionPoint)).Write(w);
                }
            }
        }

        return w.Encode();
    }

    private static byte[] EncodePoint(string uri) => Der.Encode(w =>
    {
        using (w.PushSequence())
        using (w.PushSequence(Der.Context(0)))
        using (w.PushSequence(Der.Context(0)))
        {
            w.WriteCharacterString(UniversalTagNumber.IA5String, uri, Der.Context(6, false));
        }
    });

    private static void WriteEntry(AsnWriter w, RevokedEntry entry)
    {
        using (w.PushSequence())
        {
            Der.WriteUnsigned(w, entry.SerialNumber.Span);
            Der.WriteTime(w, entry.RevokedAt);
            if (entry.Reason == RevocationReason.Unspecified && entry.InvalidityDate is null)
            {
                return;
            }

            using (w.PushSequence())
            {
                if (entry.Reason != RevocationReason.Unspecified)
                {
                    WriteReason(w, entry.Reason);
                }

                if (entry.InvalidityDate is { } date)
                {
                    new CertificateExtension(
                        Oids.InvalidityDate, false, Der.Encode(d => d.WriteGeneralizedTime(date.ToUniversalTime(), omitFractionalSeconds: true))).Write(w);
                }
            }
        }
    }

    private static void WriteReason(AsnWriter w, RevocationReason reason)
    {
        using (w.PushSequence())
        {
            w.WriteObjectIdentifier(Oids.CrlReason);
            // ENUMERATED of one byte, written plainly: this runs once an entry.
            w.WriteOctetString([0x0A, 0x01, (byte)reason]);
        }
    }
}

using System.Diagnostics.CodeAnalysis;
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

/// <summary>A parsed CRL.</summary>
public sealed class CertificateList
{
    /// <summary>Largest accepted list, in bytes: about a million entries.</summary>
    public const int MaxBytes = 64 * 1024 * 1024;

    private readonly ReadOnlyMemory<byte> tbs;
    private readonly SignatureSuite suite;
    private readonly byte[] signature;
    private readonly Dictionary<string, RevokedEntry> entries = new(StringComparer.Ordinal);

    private CertificateList(ReadOnlyMemory<byte> der)
    {
        (tbs, var named, signature) = SignedStructure.Split(der);
        suite = named ?? throw new AsnContentException("The signature algorithm is not supported.");
        var list = Der.OneSequence(tbs);
        if (!list.TryReadInt32(out var version) || version != 1 || !list.ReadEncodedValue().Span.SequenceEqual(suite.AlgorithmIdentifier.Span))
        {
            throw new AsnContentException("Not a version 2 list, or its two algorithms differ.");
        }

        Issuer = list.ReadEncodedValue();
        ThisUpdate = Der.ReadTime(list);
        NextUpdate = Der.ReadTime(list);
        if (list.HasData && list.PeekTag().HasSameClassAndValue(Asn1Tag.Sequence))
        {
            ReadEntries(list.ReadSequence());
        }

        var wrapper = list.ReadSequence(Der.Context(0));
        list.ThrowIfNotEmpty();
        foreach (var extension in CertificateExtension.ReadList(wrapper.ReadSequence()))
        {
            if (string.Equals(extension.Oid, Oids.CrlNumber, StringComparison.Ordinal))
            {
                Number = new AsnReader(extension.Value, AsnEncodingRules.DER).TryReadInt64(out var number) && number >= 0
                    ? number : throw new AsnContentException("The list number is out of range.");
            }
            else if (extension.Critical && !string.Equals(extension.Oid, Oids.IssuingDistributionPoint, StringComparison.Ordinal))
            {
                throw new AsnContentException("A critical list extension is not understood.");
            }
        }
    }

    /// <summary>Issuer name, DER.</summary>
    public ReadOnlyMemory<byte> Issuer { get; }

    /// <summary>When the list was true.</summary>
    public DateTimeOffset ThisUpdate { get; }

    /// <summary>When the next one comes at the latest.</summary>
    public DateTimeOffset NextUpdate { get; }

    /// <summary>cRLNumber; 0 when absent.</summary>
    public long Number { get; }

    /// <summary>Number of entries.</summary>
    public int Count => entries.Count;

    /// <summary>Parses a DER list.</summary>
    /// <param name="der">The bytes; referenced, not copied.</param>
    /// <param name="list">The list when well formed.</param>
    /// <param name="why">One sentence for the log when not.</param>
    public static bool TryParse(ReadOnlyMemory<byte> der, [NotNullWhen(true)] out CertificateList? list, [NotNullWhen(false)] out string? why)
    {
        list = null;
        why = der.Length > MaxBytes ? "The list is too large." : null;
        if (why is not null)
        {
            return false;
        }

        try
        {
            list = new CertificateList(der);
            return true;
        }
        catch (AsnContentException e)
        {
            why = e.Message;
            return false;
        }
    }

    /// <summary>Whether the issuer signed this list and may.</summary>
    public bool IsSignedBy(Certificate issuer) =>
        Issuer.Span.SequenceEqual(issuer.Subject.Span)
        && issuer.KeyUsage is { } usage && (usage & KeyUsages.CrlSign) != KeyUsages.None
        && suite.Verify(issuer.SubjectPublicKeyInfo, tbs.Span, signature);

    /// <summary>The entry of a serial number; null when not revoked here.</summary>
    public RevokedEntry? Find(ReadOnlySpan<byte> serialNumber) =>
        entries.GetValueOrDefault(Convert.ToHexString(serialNumber.TrimStart((byte)0)));

    private void ReadEntries(AsnReader list)
    {
        while (list.HasData)
        {
            var reader = list.ReadSequence();
            var serial = Der.ReadUnsigned(reader, 20);
            var at = Der.ReadTime(reader);
            var reason = RevocationReason.Unspecified;
            DateTimeOffset? invalidity = null;
            if (reader.HasData)
            {
                foreach (var extension in CertificateExtension.ReadList(reader.ReadSequence()))
                {
                    var value = new AsnReader(extension.Value, AsnEncodingRules.DER);
                    switch (extension.Oid)
                    {
                        case Oids.CrlReason:
                            reason = ReadReason(value);
                            break;
                        case Oids.InvalidityDate:
                            invalidity = value.ReadGeneralizedTime();
                            break;
                        case var _ when extension.Critical:
                            throw new AsnContentException("A critical entry extension is not understood.");
                    }
                }
            }

            reader.ThrowIfNotEmpty();
            entries[Convert.ToHexString(serial.Span.TrimStart((byte)0))] = new RevokedEntry(serial, at, reason, invalidity);
        }
    }

    internal static RevocationReason ReadReason(AsnReader reader)
    {
        var bytes = reader.ReadEnumeratedBytes();
        return bytes.Length == 1 && bytes.Span[0] <= 10 && bytes.Span[0] != 7
            ? (RevocationReason)bytes.Span[0]
            : throw new AsnContentException("The revocation reason is out of range.");
    }
}

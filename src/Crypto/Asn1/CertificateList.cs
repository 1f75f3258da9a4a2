using System.Diagnostics.CodeAnalysis;
using System.Formats.Asn1;
using System.Numerics;
using Org.BouncyCastle.Asn1.X509;

namespace Trust.Crypto.Asn1;

/// <summary>
/// A parsed revocation list (RFC 5280 5). Entries stay where they are in the bytes: an index of their serial numbers is sorted once,
/// so that a list of a million costs 12 MB beside its bytes and a look-up some 20 comparisons. What a list says of a certificate,
/// <see cref="RevocationCheck"/> decides.
/// </summary>
public sealed class CertificateList
{
    /// <summary>Largest accepted list, in bytes: about a million entries.</summary>
    public const int MaxBytes = 64 * 1024 * 1024;

    private readonly ReadOnlyMemory<byte> tbs;
    private readonly SignatureSuite suite;
    private readonly byte[] signature;
    private readonly ListEntries entries = ListEntries.None;

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
        IssuerName = ReadName(Issuer);
        ThisUpdate = Der.ReadValidityTime(list);
        if (list.HasData && list.PeekTag() is { TagClass: TagClass.Universal, TagValue: (int)UniversalTagNumber.UtcTime or (int)UniversalTagNumber.GeneralizedTime })
        {
            NextUpdate = Der.ReadValidityTime(list);
        }

        if (list.HasData && list.PeekTag().HasSameClassAndValue(Asn1Tag.Sequence))
        {
            entries = ListEntries.Read(list.PeekContentBytes());
            _ = list.ReadSequence();
        }

        if (list.HasData)
        {
            var wrapper = list.ReadSequence(Der.Context(0));
            CertificateExtension.ReadList(wrapper.ReadSequence()).ForEach(ReadExtension);
            wrapper.ThrowIfNotEmpty();
        }

        list.ThrowIfNotEmpty();
        if (entries.NamesIssuers && Scope is not { IsIndirect: true })
        {
            throw new AsnContentException("An entry of another issuer in a list that is not indirect (RFC 5280 5.3.3).");
        }
    }

    /// <summary>Issuer name, DER.</summary>
    public ReadOnlyMemory<byte> Issuer { get; }

    /// <summary>When the list was true.</summary>
    public DateTimeOffset ThisUpdate { get; }

    /// <summary>When the next one comes at the latest; null when the list does not say.</summary>
    public DateTimeOffset? NextUpdate { get; }

    /// <summary>cRLNumber; null when absent.</summary>
    public BigInteger? Number { get; private set; }

    /// <summary>Of a delta list the number of the complete list it builds on (RFC 5280 5.2.4); null for a complete list.</summary>
    public BigInteger? DeltaBase { get; private set; }

    /// <summary>Number of entries.</summary>
    public int Count => entries.Count;

    /// <summary>The issuer, for comparing.</summary>
    internal X509Name IssuerName { get; }

    /// <summary>What the list covers; null when everything of its issuer.</summary>
    internal ListScope? Scope { get; private set; }

    /// <summary>authorityKeyIdentifier, DER; empty when absent.</summary>
    internal ReadOnlyMemory<byte> AuthorityKeyIdentifier { get; private set; }

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
        IsNamedAfter(issuer)
        && issuer.KeyUsage is { } usage && (usage & KeyUsages.CrlSign) != KeyUsages.None
        && suite.Verify(issuer.SubjectPublicKeyInfo, tbs.Span, signature);

    /// <summary>The entry of a serial number under the list's own issuer; null when there is none.</summary>
    /// <remarks>A serial number that occurs twice is revoked if any entry revokes it, from the earliest date on.</remarks>
    public RevokedEntry? Find(ReadOnlySpan<byte> serialNumber) => entries.Find(serialNumber, i => i is null);

    /// <summary>Whether the certificate bears the name that signed the list.</summary>
    internal bool IsNamedAfter(Certificate certificate) =>
        Issuer.Span.SequenceEqual(certificate.Subject.Span) || PathValidation.Same(IssuerName, certificate.Structure.Subject);

    /// <summary>The entry of a certificate, under whichever issuer the entries name; null when there is none.</summary>
    internal RevokedEntry? Find(Certificate certificate)
    {
        var own = PathValidation.Same(IssuerName, certificate.Structure.Issuer);
        return entries.Find(certificate.SerialNumber.Span, issuer => issuer is null ? own : PathValidation.Same(issuer, certificate.Structure.Issuer));
    }

    /// <summary>Reads a Name, DER.</summary>
    /// <exception cref="AsnContentException">Empty or malformed.</exception>
    internal static X509Name ReadName(ReadOnlyMemory<byte> der) =>
        DerGate.Check(der.Span, Certificate.MaxBytes) is null
        && der.Length > 2
        && LibraryCall.Try(() => X509Name.GetInstance(der.ToArray()), out var name, out _)
            ? name : throw new AsnContentException("The issuer has no name.");

    /// <summary>Reads CRLReason, as lists and OCSP answers carry it.</summary>
    /// <exception cref="AsnContentException">Not a reason of RFC 5280 5.3.1.</exception>
    internal static RevocationReason ReadReason(AsnReader reader) => ListEntry.ToReason(reader.ReadEnumeratedBytes().Span);

    private void ReadExtension(CertificateExtension extension)
    {
        CertificateForm.Check(extension);
        switch (extension.Oid)
        {
            case Oids.CrlNumber:
                Number = ReadNumber(extension.Value);
                break;
            case Oids.DeltaCrlIndicator:
                DeltaBase = ReadNumber(extension.Value);
                break;
            case Oids.IssuingDistributionPoint:
                Scope = ListScope.Read(extension.Value, IssuerName);
                break;
            case Oids.AuthorityKeyIdentifier:
                AuthorityKeyIdentifier = extension.Value;
                break;
            case var _ when extension.Critical:
                throw new AsnContentException("A critical list extension is not understood.");
        }
    }

    // RFC 5280 5.2.3: at most 20 octets.
    private static BigInteger ReadNumber(ReadOnlyMemory<byte> value)
    {
        var reader = new AsnReader(value, AsnEncodingRules.DER);
        var number = new BigInteger(Der.ReadUnsigned(reader, 20).Span, isUnsigned: true, isBigEndian: true);
        reader.ThrowIfNotEmpty();
        return number;
    }
}

using System.Formats.Asn1;
using Org.BouncyCastle.Asn1.X509;

namespace Trust.Crypto.Asn1;

/// <summary>Reasons for which a list names certificates (ReasonFlags, RFC 5280 4.2.1.13), numbered as the BIT STRING numbers them.</summary>
[Flags]
internal enum RevocationReasons
{
    None = 0,
    Unused = 1,
    KeyCompromise = 2,
    CaCompromise = 4,
    AffiliationChanged = 8,
    Superseded = 16,
    CessationOfOperation = 32,
    CertificateHold = 64,
    PrivilegeWithdrawn = 128,
    AaCompromise = 256,
    All = KeyCompromise | CaCompromise | AffiliationChanged | Superseded | CessationOfOperation | CertificateHold | PrivilegeWithdrawn | AaCompromise,
}

/// <summary>One distribution point of a certificate (RFC 5280 4.2.1.13).</summary>
/// <param name="Names">Where the list is; empty when only its issuer is named.</param>
/// <param name="Reasons">The reasons covered there.</param>
/// <param name="ListIssuers">Who signs the list when not the certificate's issuer; empty otherwise.</param>
internal sealed record DistributionPoint(IReadOnlyList<PointName> Names, RevocationReasons Reasons, IReadOnlyList<PointName> ListIssuers)
{
    /// <summary>What holds of a list that no point names: all reasons, signed by the certificate's issuer (RFC 5280 6.3.3).</summary>
    public static readonly DistributionPoint Implied = new([], RevocationReasons.All, []);

    /// <summary>The points of a certificate. It is read once when the certificate is parsed, so that it is no fault later.</summary>
    /// <exception cref="AsnContentException">A name or the reasons cannot be read.</exception>
    public static List<DistributionPoint> Of(Certificate certificate)
    {
        var points = new List<DistributionPoint>();
        if (certificate.FindExtension(Oids.CrlDistributionPoints) is { } value)
        {
            var list = Der.OneSequence(value);
            while (list.HasData)
            {
                points.Add(Read(list.ReadSequence(), certificate.Structure.Issuer));
            }
        }

        return points;
    }

    /// <summary>Whether the next element has a context-specific tag.</summary>
    public static bool Next(AsnReader reader, int tag, bool constructed) =>
        reader.HasData && reader.PeekTag().HasSameClassAndValue(Der.Context(tag, constructed));

    /// <summary>Reads ReasonFlags under a tag; all reasons when absent.</summary>
    public static RevocationReasons ReadReasons(AsnReader reader, int tag) =>
        Next(reader, tag, constructed: false)
            ? reader.ReadNamedBitListValue<RevocationReasons>(Der.Context(tag, constructed: false)) & RevocationReasons.All
            : RevocationReasons.All;

    private static DistributionPoint Read(AsnReader point, X509Name issuer)
    {
        // A name relative to the list's issuer comes before that issuer.
        var name = Next(point, 0, constructed: true) ? point.ReadSequence(Der.Context(0)) : null;
        var reasons = ReadReasons(point, 1);
        var issuers = Next(point, 2, constructed: true) ? PointName.ReadFull(point.ReadSequence(Der.Context(2))) : [];
        var relativeTo = issuers.Select(i => i.Directory).FirstOrDefault(d => d is not null) ?? issuer;
        return new DistributionPoint(name is null ? [] : PointName.Read(name, relativeTo), reasons, issuers);
    }
}

/// <summary>A name that can be compared: directory names as RFC 5280 7.1 says, all others byte for byte.</summary>
/// <param name="Encoded">The DER of a GeneralName; empty for a directory name.</param>
/// <param name="Directory">The name when it is a directory name.</param>
internal sealed record PointName(ReadOnlyMemory<byte> Encoded, X509Name? Directory)
{
    /// <summary>Whether both name one place.</summary>
    public bool IsSameAs(PointName other) => Directory is null || other.Directory is null
        ? Directory is null && other.Directory is null && Encoded.Span.SequenceEqual(other.Encoded.Span)
        : PathValidation.Same(Directory, other.Directory);

    /// <summary>Reads DistributionPointName.</summary>
    /// <param name="name">The CHOICE.</param>
    /// <param name="relativeTo">What nameRelativeToCRLIssuer continues.</param>
    /// <exception cref="AsnContentException">Malformed.</exception>
    public static List<PointName> Read(AsnReader name, X509Name relativeTo)
    {
        if (DistributionPoint.Next(name, 0, constructed: true))
        {
            var names = ReadFull(name.ReadSequence(Der.Context(0)));
            name.ThrowIfNotEmpty();
            return names;
        }

        var last = name.ReadSetOf(Der.Context(1));
        name.ThrowIfNotEmpty();
        var whole = Der.Encode(w =>
        {
            using (w.PushSequence())
            {
                var first = Der.OneSequence(LibraryCall.Encode(() => relativeTo));
                while (first.HasData)
                {
                    w.WriteEncodedValue(first.ReadEncodedValue().Span);
                }

                using (w.PushSetOf())
                {
                    while (last.HasData)
                    {
                        w.WriteEncodedValue(last.ReadEncodedValue().Span);
                    }
                }
            }
        });
        return [new PointName(default, CertificateList.ReadName(whole))];
    }

    /// <summary>Reads GeneralNames.</summary>
    /// <exception cref="AsnContentException">Malformed.</exception>
    public static List<PointName> ReadFull(AsnReader names) => GeneralName.ReadSeveral(names).ConvertAll(Of);

    private static PointName Of(GeneralName name) => name switch
    {
        GeneralName.Other { Encoded: var encoded } when encoded.Span[0] == 0xA4 =>
            new PointName(default, CertificateList.ReadName(new AsnReader(encoded, AsnEncodingRules.DER).PeekContentBytes())),
        // As received: what is in a name of these kinds need not be a form that can be written.
        GeneralName.Other { Encoded: var encoded } => new PointName(encoded, null),
        _ => new PointName(name.ToDer(), null),
    };
}

using System.Formats.Asn1;
using Org.BouncyCastle.Asn1.X509;

namespace Trust.Crypto.Asn1;

/// <summary>What a partial list covers: issuingDistributionPoint (RFC 5280 5.2.5).</summary>
internal sealed class ListScope
{
    private ListScope(AsnReader point, X509Name listIssuer)
    {
        if (!point.HasData)
        {
            throw new AsnContentException("An empty issuingDistributionPoint.");
        }

        Names = DistributionPoint.Next(point, 0, constructed: true) ? PointName.Read(point.ReadSequence(Der.Context(0)), listIssuer) : [];
        OnlyUsers = Flag(point, 1);
        OnlyAuthorities = Flag(point, 2);
        Reasons = DistributionPoint.ReadReasons(point, 3);
        IsIndirect = Flag(point, 4);
        OnlyAttributes = Flag(point, 5);
        point.ThrowIfNotEmpty();
        if ((OnlyUsers ? 1 : 0) + (OnlyAuthorities ? 1 : 0) + (OnlyAttributes ? 1 : 0) > 1)
        {
            throw new AsnContentException("A list is only for one kind of certificate.");
        }
    }

    /// <summary>Where the list is found; empty when it does not say.</summary>
    public IReadOnlyList<PointName> Names { get; }

    /// <summary>Whether it lists certificates of other issuers too.</summary>
    public bool IsIndirect { get; }

    /// <summary>The reasons it lists certificates for.</summary>
    public RevocationReasons Reasons { get; }

    private bool OnlyUsers { get; }

    private bool OnlyAuthorities { get; }

    private bool OnlyAttributes { get; }

    /// <summary>Reads the extension.</summary>
    /// <param name="value">The DER inside extnValue.</param>
    /// <param name="listIssuer">The list's issuer, which a relative name continues.</param>
    /// <exception cref="AsnContentException">Malformed, empty, or with contradicting members.</exception>
    public static ListScope Read(ReadOnlyMemory<byte> value, X509Name listIssuer) => new(Der.OneSequence(value), listIssuer);

    /// <summary>Whether a certificate of this kind can be in the list.</summary>
    public bool Covers(Certificate certificate) => !OnlyAttributes && !(certificate.IsCa ? OnlyUsers : OnlyAuthorities);

    /// <summary>Whether two lists cover the same: a delta list continues only a list of its own scope.</summary>
    public static bool AreSame(ListScope? one, ListScope? other)
    {
        if (one is null || other is null)
        {
            return one is null && other is null;
        }

        return (one.OnlyUsers, one.OnlyAuthorities, one.OnlyAttributes, one.IsIndirect, one.Reasons)
                == (other.OnlyUsers, other.OnlyAuthorities, other.OnlyAttributes, other.IsIndirect, other.Reasons)
            && one.Names.Count == other.Names.Count
            && one.Names.All(name => other.Names.Any(name.IsSameAs));
    }

    // X.690 11.5: FALSE is the default, and not written.
    private static bool Flag(AsnReader reader, int tag) =>
        DistributionPoint.Next(reader, tag, constructed: false)
        && (reader.ReadBoolean(Der.Context(tag, constructed: false)) ? true : throw new AsnContentException("A default is written."));
}

using System.Formats.Asn1;

namespace Trust.Crypto.Asn1;

/// <summary>
/// The form of each known extension (RFC 5280 4.2), read to its last byte. Path validation reads only what it needs, some of it not
/// at all: what is malformed must not depend on who looks.
/// </summary>
internal static class CertificateForm
{
    private const string CpsQualifier = "1.3.6.1.5.5.7.2.1";
    private const string NoticeQualifier = "1.3.6.1.5.5.7.2.2";

    // A list is for thousands of certificates, an extension for one: no real one comes near.
    private const int MaxElements = 64;

    /// <summary>Reads an extension that is known; others are left to whoever knows them.</summary>
    /// <exception cref="AsnContentException">Not in the form that RFC 5280 gives it.</exception>
    public static void Check(CertificateExtension extension)
    {
        var value = new AsnReader(extension.Value, AsnEncodingRules.DER);
        switch (extension.Oid)
        {
            case Oids.IssuerAltName:
                _ = GeneralName.ReadSeveral(value.ReadSequence());
                break;
            case Oids.CertificatePolicies:
                Policies(value.ReadSequence(), extension.Critical);
                break;
            case Oids.PolicyMappings:
                Each(value.ReadSequence(), mapping =>
                {
                    var pair = mapping.ReadSequence();
                    _ = pair.ReadObjectIdentifier();
                    _ = pair.ReadObjectIdentifier();
                    pair.ThrowIfNotEmpty();
                });
                break;
            case Oids.PolicyConstraints:
                PolicyConstraints(value.ReadSequence());
                break;
            case Oids.InhibitAnyPolicy:
                MustBeCritical(extension);
                Require(value.TryReadInt32(out var skip) && skip >= 0);
                break;
            case Oids.NameConstraints:
                MustBeCritical(extension);
                NameConstraints(value.ReadSequence());
                break;
            case Oids.CrlDistributionPoints or Oids.FreshestCrl:
                Each(value.ReadSequence(), DistributionPoint);
                break;
            case Oids.AuthorityInfoAccess or Oids.SubjectInfoAccess:
                Each(value.ReadSequence(), Access);
                break;
            case Oids.OcspNoCheck:
                value.ReadNull();
                break;
            default:
                return;
        }

        value.ThrowIfNotEmpty();
    }

    /// <summary>What the fields of one certificate must say of each other.</summary>
    /// <exception cref="AsnContentException">They contradict each other.</exception>
    public static void CheckWhole(Certificate certificate)
    {
        var unnamed = certificate.Subject.Length == 2;
        // 4.2.1.3, 4.2.1.9, 4.2.1.10: only an authority signs certificates or constrains names; 4.1.2.6: it has a name.
        Require(certificate.IsCa
            ? !unnamed
            : (certificate.KeyUsage ?? KeyUsages.None).HasFlag(KeyUsages.KeyCertSign) is false && certificate.FindExtension(Oids.NameConstraints) is null);

        // 4.1.2.6: the holder is named in one place or the other.
        Require(!unnamed || certificate.Extensions.Any(e => e.Critical && e.Oid == Oids.SubjectAltName));
    }

    /// <summary>DistributionPointName (RFC 5280 4.2.1.13), as certificates and lists carry it.</summary>
    public static void DistributionPointName(AsnReader name)
    {
        if (name.PeekTag().HasSameClassAndValue(Der.Context(0)))
        {
            _ = GeneralName.ReadSeveral(name.ReadSequence(Der.Context(0)));
        }
        else
        {
            Each(name.ReadSetOf(Der.Context(1)), attribute =>
            {
                var pair = attribute.ReadSequence();
                _ = pair.ReadObjectIdentifier();
                _ = pair.ReadEncodedValue();
                pair.ThrowIfNotEmpty();
            });
        }

        name.ThrowIfNotEmpty();
    }

    private static void DistributionPoint(AsnReader list)
    {
        var point = list.ReadSequence();
        var named = false;
        if (Next(point, 0))
        {
            DistributionPointName(point.ReadSequence(Der.Context(0)));
            named = true;
        }

        if (Next(point, 1))
        {
            _ = point.ReadBitString(out var _, Der.Context(1, constructed: false));
        }

        if (Next(point, 2))
        {
            _ = GeneralName.ReadSeveral(point.ReadSequence(Der.Context(2)));
            named = true;
        }

        // 4.2.1.13: reasons alone say nothing.
        Require(named);
        point.ThrowIfNotEmpty();
    }

    private static void Policies(AsnReader policies, bool critical)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        Each(policies, list =>
        {
            var policy = list.ReadSequence();
            Require(seen.Add(policy.ReadObjectIdentifier()));
            if (policy.HasData)
            {
                Each(policy.ReadSequence(), q => Qualifier(q.ReadSequence(), critical));
            }

            policy.ThrowIfNotEmpty();
        });
    }

    private static void Qualifier(AsnReader qualifier, bool critical)
    {
        switch (qualifier.ReadObjectIdentifier())
        {
            case CpsQualifier:
                _ = qualifier.ReadCharacterString(UniversalTagNumber.IA5String);
                break;
            case NoticeQualifier:
                Notice(qualifier.ReadSequence());
                break;
            default:
                // 4.2.1.4: of a critical extension the qualifiers must be understood too.
                Require(!critical);
                _ = qualifier.ReadEncodedValue();
                break;
        }

        qualifier.ThrowIfNotEmpty();
    }

    private static void Notice(AsnReader notice)
    {
        if (notice.HasData && notice.PeekTag().HasSameClassAndValue(Asn1Tag.Sequence))
        {
            var reference = notice.ReadSequence();
            Text(reference);
            Each(reference.ReadSequence(), numbers => numbers.ReadInteger());
            reference.ThrowIfNotEmpty();
        }

        if (notice.HasData)
        {
            Text(notice);
        }

        notice.ThrowIfNotEmpty();
    }

    private static void Text(AsnReader reader)
    {
        var type = (UniversalTagNumber)reader.PeekTag().TagValue;
        Require(type is UniversalTagNumber.UTF8String or UniversalTagNumber.IA5String or UniversalTagNumber.VisibleString or UniversalTagNumber.BMPString);
        _ = reader.ReadCharacterString(type);
    }

    private static void PolicyConstraints(AsnReader constraints)
    {
        Require(constraints.HasData);
        for (var tag = 0; tag < 2; tag++)
        {
            Require(!Next(constraints, tag, constructed: false)
                || (constraints.TryReadInt32(out var skip, Der.Context(tag, constructed: false)) && skip >= 0));
        }

        constraints.ThrowIfNotEmpty();
    }

    private static void NameConstraints(AsnReader constraints)
    {
        Require(constraints.HasData);
        for (var tag = 0; tag < 2; tag++)
        {
            if (Next(constraints, tag))
            {
                Each(constraints.ReadSequence(Der.Context(tag)), Subtree);
            }
        }

        constraints.ThrowIfNotEmpty();
    }

    private static void Subtree(AsnReader list)
    {
        var subtree = list.ReadSequence();
        // Of the other kinds (x400Address, ediPartyName, registeredID) names are not compared, so a constraint on them is not understood.
        var kind = subtree.PeekTag();
        Require(kind.TagClass == TagClass.ContextSpecific && kind.TagValue is 0 or 1 or 2 or 4 or 6 or 7);
        if (kind.TagValue == 7)
        {
            // An address and its mask.
            Require(subtree.ReadOctetString(kind).Length is 8 or 32);
        }
        else
        {
            _ = subtree.ReadEncodedValue();
        }

        // 4.2.1.10: minimum is zero, and so not written; maximum is absent.
        subtree.ThrowIfNotEmpty();
    }

    private static void Access(AsnReader list)
    {
        var access = list.ReadSequence();
        _ = access.ReadObjectIdentifier();
        _ = GeneralName.ReadOne(access);
        access.ThrowIfNotEmpty();
    }

    private static void Each(AsnReader list, Action<AsnReader> read)
    {
        Require(list.HasData);
        for (var count = 0; list.HasData; count++)
        {
            Require(count < MaxElements);
            read(list);
        }
    }

    private static bool Next(AsnReader reader, int tag, bool constructed = true) =>
        reader.HasData && reader.PeekTag().HasSameClassAndValue(Der.Context(tag, constructed));

    // 4.2.1.10, 4.2.1.14: who does not know the extension must refuse the certificate, so one that may be ignored was not meant. Of
    // policyConstraints the same is written, but RFC 3280 had it otherwise and such certificates are in use: they are evaluated.
    private static void MustBeCritical(CertificateExtension extension) => Require(extension.Critical);

    private static void Require(bool holds)
    {
        if (!holds)
        {
            throw new AsnContentException("An extension has not the form of RFC 5280 4.2.");
        }
    }
}

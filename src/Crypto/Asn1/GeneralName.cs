using System.Formats.Asn1;
using Org.BouncyCastle.Asn1;
using Library = Org.BouncyCastle.Asn1.X509;

namespace Trust.Crypto.Asn1;

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

    /// <summary>Reads GeneralNames, at least one and at most 64, each in the form of its kind.</summary>
    /// <exception cref="AsnContentException">Empty, too many, or a name that is none.</exception>
    internal static List<GeneralName> ReadSeveral(AsnReader names)
    {
        var list = new List<GeneralName>();
        do
        {
            list.Add(ReadOne(names));
            if (list.Count > 64)
            {
                throw new AsnContentException("Too many names.");
            }
        }
        while (names.HasData);
        return list;
    }

    /// <summary>The name's DER.</summary>
    internal byte[] ToDer() => LibraryCall.Encode(Encode);

    /// <summary>The names as the library writes them.</summary>
    internal static Library.GeneralNames Encode(IEnumerable<GeneralName> names) => new([.. names.Select(n => n.Encode())]);

    /// <summary>Reads one GeneralName.</summary>
    /// <exception cref="AsnContentException">Not a GeneralName.</exception>
    internal static GeneralName ReadOne(AsnReader names)
    {
        var tag = names.PeekTag();
        if (tag.TagClass != TagClass.ContextSpecific || tag.TagValue > 8)
        {
            throw new AsnContentException("Not a GeneralName.");
        }

        switch (tag.TagValue)
        {
            case 1:
                return new Email(names.ReadCharacterString(UniversalTagNumber.IA5String, tag));
            case 2:
                return new Dns(names.ReadCharacterString(UniversalTagNumber.IA5String, tag));
            case 4:
                var encoded = names.PeekEncodedValue();
                var directory = names.ReadSequence(tag);
                _ = directory.ReadSequence();
                directory.ThrowIfNotEmpty();
                return new Other(encoded);
            case 6:
                return new Uri(names.ReadCharacterString(UniversalTagNumber.IA5String, tag));
            case 7:
                return new Ip(names.ReadOctetString(tag));
            default:
                return new Other(names.ReadEncodedValue());
        }
    }

    private Library.GeneralName Encode() => this switch
    {
        Email email => new Library.GeneralName(Library.GeneralName.Rfc822Name, new DerIA5String(email.Value, validate: true)),
        Dns dns => new Library.GeneralName(Library.GeneralName.DnsName, new DerIA5String(dns.Value, validate: true)),
        Uri uri => new Library.GeneralName(Library.GeneralName.UniformResourceIdentifier, new DerIA5String(uri.Value, validate: true)),
        Ip ip => new Library.GeneralName(Library.GeneralName.IPAddress, new DerOctetString(ip.Value.ToArray())),
        Other other => Library.GeneralName.GetInstance(Asn1Object.FromByteArray(other.Encoded.ToArray())),
        _ => throw new InvalidOperationException("The set of names is closed."),
    };
}

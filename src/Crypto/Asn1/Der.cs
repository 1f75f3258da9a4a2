using System.Formats.Asn1;
using Org.BouncyCastle.Asn1;
using Org.BouncyCastle.Asn1.X509;
using BigInteger = Org.BouncyCastle.Math.BigInteger;

namespace Trust.Crypto.Asn1;

/// <summary>The few DER idioms that every structure here repeats.</summary>
internal static class Der
{
    /// <summary>A context-specific tag.</summary>
    public static Asn1Tag Context(int number, bool constructed = true) => new(TagClass.ContextSpecific, number, constructed);

    /// <summary>Encodes one structure.</summary>
    public static byte[] Encode(Action<AsnWriter> write)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        write(writer);
        return writer.Encode();
    }

    /// <summary>Time as RFC 5280 4.1.2.5 wants it: UTCTime through 2049, GeneralizedTime after, whole seconds.</summary>
    public static void WriteTime(AsnWriter writer, DateTimeOffset instant)
    {
        if (instant.UtcDateTime.Year is >= 1950 and < 2050)
        {
            writer.WriteUtcTime(instant.ToUniversalTime(), 2049);
        }
        else
        {
            writer.WriteGeneralizedTime(instant.ToUniversalTime(), omitFractionalSeconds: true);
        }
    }

    /// <summary>Reads either time form.</summary>
    public static DateTimeOffset ReadTime(AsnReader reader) =>
        reader.PeekTag().HasSameClassAndValue(Asn1Tag.UtcTime) ? reader.ReadUtcTime(2049) : reader.ReadGeneralizedTime();

    /// <summary>Reads a time as RFC 5280 4.1.2.5 and 5.1.2.4 want it in certificates and lists: the form that the year asks for, no fraction.</summary>
    public static DateTimeOffset ReadValidityTime(AsnReader reader)
    {
        if (reader.PeekTag().HasSameClassAndValue(Asn1Tag.UtcTime))
        {
            return reader.ReadUtcTime(2049);
        }

        var instant = reader.ReadGeneralizedTime();
        return instant.Year >= 2050 && instant.Ticks % TimeSpan.TicksPerSecond == 0
            ? instant : throw new AsnContentException("A time has a fraction, or is before 2050 and not UTCTime.");
    }

    /// <summary>Reads the one element that fills the input.</summary>
    public static AsnReader OneSequence(ReadOnlyMemory<byte> der)
    {
        var outer = new AsnReader(der, AsnEncodingRules.DER);
        var inner = outer.ReadSequence();
        outer.ThrowIfNotEmpty();
        return inner;
    }

    /// <summary>AlgorithmIdentifier: the object identifier, when parameters are absent or NULL.</summary>
    public static string ReadAlgorithm(AsnReader reader)
    {
        var algorithm = reader.ReadSequence();
        var oid = algorithm.ReadObjectIdentifier();
        if (algorithm.HasData)
        {
            algorithm.ReadNull();
        }

        algorithm.ThrowIfNotEmpty();
        return oid;
    }

    /// <summary>AlgorithmIdentifier without parameters.</summary>
    public static void WriteAlgorithm(AsnWriter writer, string oid)
    {
        using (writer.PushSequence())
        {
            writer.WriteObjectIdentifier(oid);
        }
    }

    /// <summary>A BIT STRING of whole bytes.</summary>
    public static byte[] ReadWholeBits(AsnReader reader)
    {
        var bits = reader.ReadBitString(out var unused);
        return unused == 0 ? bits : throw new AsnContentException("A BIT STRING of whole bytes was expected.");
    }

    /// <summary>A non-negative INTEGER as its big-endian magnitude without leading zeros.</summary>
    public static ReadOnlyMemory<byte> ReadUnsigned(AsnReader reader, int maxBytes)
    {
        var bytes = reader.ReadIntegerBytes();
        if ((bytes.Span[0] & 0x80) != 0)
        {
            throw new AsnContentException("A negative number was not expected.");
        }

        var magnitude = bytes.Length > 1 && bytes.Span[0] == 0 ? bytes[1..] : bytes;
        return magnitude.Length <= maxBytes ? magnitude : throw new AsnContentException("A number is too long.");
    }

    /// <summary>The same of a number that the library read.</summary>
    public static ReadOnlyMemory<byte> Unsigned(DerInteger number, int maxBytes) =>
        ReadUnsigned(new AsnReader(number.Received(), AsnEncodingRules.DER), maxBytes);

    /// <summary>A whole number of any sign that the library read: big-endian two's complement, as it stands there.</summary>
    /// <exception cref="AsnContentException">It is longer.</exception>
    public static ReadOnlyMemory<byte> Signed(DerInteger number, int maxBytes) =>
        new AsnReader(number.Received(), AsnEncodingRules.DER).ReadIntegerBytes() is var bytes && bytes.Length <= maxBytes
            ? bytes : throw new AsnContentException("A number is too long.");

    /// <summary>A number of any sign for the library to write.</summary>
    public static DerInteger SignedNumber(ReadOnlyMemory<byte> twosComplement) => new(new BigInteger(twosComplement.ToArray()));

    /// <summary>An algorithm for the library to write, with the parameters NULL where the other side wrote them.</summary>
    public static AlgorithmIdentifier Algorithm(string oid, bool nullParameters) =>
        nullParameters ? new(new DerObjectIdentifier(oid), DerNull.Instance) : Algorithm(oid);

    /// <summary>A number for the library to write, from a big-endian magnitude.</summary>
    public static DerInteger Number(ReadOnlyMemory<byte> magnitude) => new(new BigInteger(1, magnitude.ToArray()));

    /// <summary>The object identifier of an algorithm that the library read, when parameters are absent or NULL.</summary>
    public static string OidOf(AlgorithmIdentifier algorithm) =>
        algorithm.Parameters is null or Asn1Null ? algorithm.Algorithm.Id : throw new AsnContentException("An algorithm has parameters.");

    /// <summary>An algorithm for the library to write, without parameters.</summary>
    public static AlgorithmIdentifier Algorithm(string oid) => new(new DerObjectIdentifier(oid));

    /// <summary>Refuses a version that is written under [0] at the start: where version 1 is the default, DER leaves it out.</summary>
    /// <exception cref="AsnContentException">A version is written.</exception>
    public static void RefuseVersion(Asn1Encodable structure)
    {
        if (((Asn1Sequence)structure.ToAsn1Object())[0] is Asn1TaggedObject tagged && tagged.HasContextTag(0))
        {
            throw new AsnContentException("DER leaves the default version out.");
        }
    }

    /// <summary>An instant that the library read; its times are UTC.</summary>
    public static DateTimeOffset Instant(Asn1GeneralizedTime time) => new(time.ToDateTime(), TimeSpan.Zero);

    /// <summary>A GeneralizedTime for the library to write.</summary>
    /// <param name="instant">The instant.</param>
    /// <param name="unit">In ticks; what is finer is dropped.</param>
    public static Asn1GeneralizedTime Time(DateTimeOffset instant, long unit = TimeSpan.TicksPerSecond) =>
        new(new DateTime(instant.UtcTicks / unit * unit, DateTimeKind.Utc));

    /// <summary>An INTEGER from a big-endian magnitude that may have leading zeros: AsnWriter refuses those.</summary>
    public static void WriteUnsigned(AsnWriter writer, ReadOnlySpan<byte> magnitude)
    {
        var trimmed = magnitude.TrimStart((byte)0);
        writer.WriteIntegerUnsigned(trimmed.IsEmpty ? [0] : trimmed);
    }

    /// <summary>A hash by its object identifier.</summary>
    /// <returns>Null when the algorithm is not supported.</returns>
    public static byte[]? Hash(string oid, ReadOnlySpan<byte> data) => oid switch
    {
        Oids.Sha256 => System.Security.Cryptography.SHA256.HashData(data),
        Oids.Sha384 => System.Security.Cryptography.SHA384.HashData(data),
        Oids.Sha512 => System.Security.Cryptography.SHA512.HashData(data),
        Oids.Sm3 => Sm3.HashData(data),
        _ => null,
    };

    /// <summary>Size in bytes of a supported hash; 0 when not supported.</summary>
    public static int HashSize(string oid) => oid switch
    {
        Oids.Sha256 or Oids.Sm3 => 32,
        Oids.Sha384 => 48,
        Oids.Sha512 => 64,
        _ => 0,
    };
}

using System.Formats.Asn1;

namespace Trust.Crypto.Asn1;

/// <summary>One entry of a revocation list, as views into its bytes (RFC 5280 5.1.2.6, 5.3).</summary>
internal ref struct ListEntry
{
    /// <summary>Big-endian magnitude without leading zeros; empty for a negative number, which no certificate that is accepted has.</summary>
    public ReadOnlySpan<byte> SerialNumber { get; private set; }

    /// <summary>certificateIssuer, the GeneralNames; empty when absent.</summary>
    public ReadOnlySpan<byte> Issuer { get; private set; }

    private DateTimeOffset RevokedAt { get; set; }

    private RevocationReason Reason { get; set; }

    private DateTimeOffset? InvalidityDate { get; set; }

    // 2.5.29.n as DER content: the arcs every entry extension lies under.
    private static ReadOnlySpan<byte> Arc => [0x55, 0x1D];

    /// <summary>Reads the entry at the start of the bytes.</summary>
    /// <exception cref="AsnContentException">Malformed, or with a critical extension that is not understood.</exception>
    public static ListEntry Read(ReadOnlySpan<byte> bytes, out int consumed)
    {
        AsnDecoder.ReadSequence(bytes, AsnEncodingRules.DER, out var offset, out var length, out consumed);
        var rest = bytes.Slice(offset, length);
        var serial = AsnDecoder.ReadIntegerBytes(rest, AsnEncodingRules.DER, out var read);
        if (serial.Length > 20)
        {
            throw new AsnContentException("A serial number has more than 20 octets.");
        }

        var entry = new ListEntry { SerialNumber = (serial[0] & 0x80) != 0 ? [] : serial.TrimStart((byte)0), RevokedAt = ReadTime(rest[read..], out var time) };
        rest = rest[(read + time)..];
        if (!rest.IsEmpty)
        {
            AsnDecoder.ReadSequence(rest, AsnEncodingRules.DER, out offset, out length, out read);
            if (read != rest.Length || length == 0)
            {
                throw new AsnContentException("An entry has bytes after its extensions, or none in them.");
            }

            entry.ReadExtensions(rest.Slice(offset, length));
        }

        return entry;
    }

    /// <summary>The entry as a value of its own.</summary>
    public readonly RevokedEntry ToRevoked() => new(SerialNumber.ToArray(), RevokedAt, Reason, InvalidityDate);

    /// <summary>The reason that an ENUMERATED's content numbers.</summary>
    /// <exception cref="AsnContentException">Not a reason of RFC 5280 5.3.1.</exception>
    public static RevocationReason ToReason(ReadOnlySpan<byte> enumerated) =>
        enumerated is [<= 10 and not 7] ? (RevocationReason)enumerated[0] : throw new AsnContentException("The revocation reason is out of range.");

    private static DateTimeOffset ReadTime(ReadOnlySpan<byte> bytes, out int consumed)
    {
        if (bytes is [(byte)UniversalTagNumber.UtcTime, ..])
        {
            return AsnDecoder.ReadUtcTime(bytes, AsnEncodingRules.DER, out consumed, 2049);
        }

        var instant = AsnDecoder.ReadGeneralizedTime(bytes, AsnEncodingRules.DER, out consumed);
        return instant.Year >= 2050 && instant.Ticks % TimeSpan.TicksPerSecond == 0
            ? instant : throw new AsnContentException("A time has a fraction, or is before 2050 and not UTCTime.");
    }

    private void ReadExtensions(ReadOnlySpan<byte> extensions)
    {
        var seen = 0;
        while (!extensions.IsEmpty)
        {
            AsnDecoder.ReadSequence(extensions, AsnEncodingRules.DER, out var offset, out var length, out var consumed);
            ReadExtension(extensions.Slice(offset, length), ref seen);
            extensions = extensions[consumed..];
        }
    }

    private void ReadExtension(ReadOnlySpan<byte> extension, ref int seen)
    {
        var tag = AsnDecoder.ReadEncodedValue(extension, AsnEncodingRules.DER, out var offset, out var length, out var consumed);
        var oid = extension.Slice(offset, length);
        if (tag != Asn1Tag.ObjectIdentifier || !DerGate.IsObjectIdentifier(oid))
        {
            throw new AsnContentException("An entry extension has no identifier.");
        }

        extension = extension[consumed..];
        var critical = extension is [(byte)UniversalTagNumber.Boolean, ..];
        if (critical)
        {
            if (!AsnDecoder.ReadBoolean(extension, AsnEncodingRules.DER, out consumed))
            {
                throw new AsnContentException("An extension says that it is not critical.");
            }

            extension = extension[consumed..];
        }

        if (!AsnDecoder.TryReadPrimitiveOctetString(extension, AsnEncodingRules.DER, out var value, out consumed) || consumed != extension.Length)
        {
            throw new AsnContentException("An entry extension is malformed.");
        }

        var known = oid.Length == 3 && oid.StartsWith(Arc) ? oid[2] : (byte)0;
        // Each once: one bit for each of 2.5.29.21 to 29.
        if (known is >= 21 and <= 29 && (seen & (1 << known)) != 0)
        {
            throw new AsnContentException("An entry extension occurs twice.");
        }

        seen |= 1 << (known & 31);
        Take(known, critical, value);
    }

    private void Take(byte known, bool critical, ReadOnlySpan<byte> value)
    {
        var consumed = value.Length;
        switch (known)
        {
            case 21:
                Reason = ToReason(AsnDecoder.ReadEnumeratedBytes(value, AsnEncodingRules.DER, out consumed));
                break;
            case 24:
                InvalidityDate = AsnDecoder.ReadGeneralizedTime(value, AsnEncodingRules.DER, out consumed);
                break;
            case 29:
                AsnDecoder.ReadSequence(value, AsnEncodingRules.DER, out _, out _, out consumed);
                Issuer = value;
                break;
            default:
                // RFC 5280 5.3: then the list says nothing of any certificate.
                if (critical || DerGate.Check(value, Certificate.MaxBytes) is not null)
                {
                    throw new AsnContentException("An entry extension is critical and not understood, or its value is not DER.");
                }

                break;
        }

        if (consumed != value.Length)
        {
            throw new AsnContentException("An entry extension has bytes after its value.");
        }
    }
}

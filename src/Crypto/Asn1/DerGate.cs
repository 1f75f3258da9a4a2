using System.Buffers;
using System.Formats.Asn1;
using System.Text;
using System.Text.Unicode;

namespace Trust.Crypto.Asn1;

/// <summary>Why bytes are not one DER structure.</summary>
public enum DerFault
{
    /// <summary>Empty, or larger than the structure may be.</summary>
    Size,

    /// <summary>Nested deeper than <see cref="DerGate.MaxDepth"/>.</summary>
    TooDeep,

    /// <summary>Not DER: a length in another form, a value that has a shorter or another encoding, a type that no structure here uses.</summary>
    Malformed,

    /// <summary>Bytes after the structure.</summary>
    TrailingBytes,
}

/// <summary>
/// Walks a whole structure as DER (X.690 8 to 11) before any other reader sees it. The readers behind it are lenient: they take BER,
/// and would check a signature over their own encoding of what they read. After this gate, what was received is the only encoding.
/// </summary>
/// <remarks>
/// Context-specific and other tagged primitives are not decoded: their type is not known here. Whoever reads them decodes them.
/// </remarks>
public static class DerGate
{
    /// <summary>Deepest nesting that is followed; the structures of RFC 5280 and RFC 5652 need less than half.</summary>
    public const int MaxDepth = 32;

    // X.690 8.19 sets no limit; the longest identifiers in use have about 20 bytes.
    private const int MaxOidBytes = 64;

    private static readonly SearchValues<byte> Printable =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?"u8);

    private static readonly SearchValues<byte> Numeric = SearchValues.Create(" 0123456789"u8);

    /// <summary>Looks at every element of one structure.</summary>
    /// <param name="der">The bytes received.</param>
    /// <param name="maxBytes">Largest size that is looked at.</param>
    /// <returns>Null when the bytes are exactly one DER structure.</returns>
    public static DerFault? Check(ReadOnlySpan<byte> der, int maxBytes)
    {
        if (der.IsEmpty || der.Length > maxBytes)
        {
            return DerFault.Size;
        }

        try
        {
            return Walk(der, 1, out var consumed) ?? (consumed == der.Length ? null : DerFault.TrailingBytes);
        }
        catch (AsnContentException)
        {
            return DerFault.Malformed;
        }
    }

    private static DerFault? Walk(ReadOnlySpan<byte> der, int depth, out int consumed)
    {
        var tag = AsnDecoder.ReadEncodedValue(der, AsnEncodingRules.DER, out var offset, out var length, out consumed);
        var content = der.Slice(offset, length);
        if (!tag.IsConstructed)
        {
            return tag.TagClass == TagClass.Universal && !IsPrimitive((UniversalTagNumber)tag.TagValue, der[..consumed], content)
                ? DerFault.Malformed
                : null;
        }

        if (tag.TagClass == TagClass.Universal && tag.TagValue is not ((int)UniversalTagNumber.Sequence or (int)UniversalTagNumber.Set))
        {
            return DerFault.Malformed;
        }

        if (depth == MaxDepth)
        {
            return DerFault.TooDeep;
        }

        return Children(content, depth, sorted: tag.HasSameClassAndValue(Asn1Tag.SetOf));
    }

    private static DerFault? Children(ReadOnlySpan<byte> content, int depth, bool sorted)
    {
        ReadOnlySpan<byte> previous = default;
        while (!content.IsEmpty)
        {
            if (Walk(content, depth + 1, out var consumed) is { } fault)
            {
                return fault;
            }

            var element = content[..consumed];
            // X.690 10.3 and 11.6: by tag, and within SET OF by encoding, come to the same for the tags in use.
            if (sorted && previous.SequenceCompareTo(element) > 0)
            {
                return DerFault.Malformed;
            }

            previous = element;
            content = content[consumed..];
        }

        return null;
    }

    private static bool IsPrimitive(UniversalTagNumber type, ReadOnlySpan<byte> encoded, ReadOnlySpan<byte> content)
    {
        switch (type)
        {
            case UniversalTagNumber.Boolean:
                _ = AsnDecoder.ReadBoolean(encoded, AsnEncodingRules.DER, out _);
                return true;
            case UniversalTagNumber.Integer:
                _ = AsnDecoder.ReadIntegerBytes(encoded, AsnEncodingRules.DER, out _);
                return true;
            case UniversalTagNumber.Enumerated:
                _ = AsnDecoder.ReadEnumeratedBytes(encoded, AsnEncodingRules.DER, out _);
                return true;
            case UniversalTagNumber.BitString:
                return AsnDecoder.TryReadPrimitiveBitString(encoded, AsnEncodingRules.DER, out _, out _, out _);
            case UniversalTagNumber.OctetString:
                return true;
            case UniversalTagNumber.Null:
                return content.IsEmpty;
            case UniversalTagNumber.ObjectIdentifier:
                return IsObjectIdentifier(content);
            case UniversalTagNumber.UtcTime:
                _ = AsnDecoder.ReadUtcTime(encoded, AsnEncodingRules.DER, out _);
                return true;
            case UniversalTagNumber.GeneralizedTime:
                _ = AsnDecoder.ReadGeneralizedTime(encoded, AsnEncodingRules.DER, out _);
                return true;
            default:
                return IsText(type, content);
        }
    }

    // X.690 8.19.2: each number in base 128, the first byte of a number not 0x80, the last byte of all without the continuation bit.
    internal static bool IsObjectIdentifier(ReadOnlySpan<byte> content)
    {
        if (content.Length is 0 or > MaxOidBytes || (content[^1] & 0x80) != 0)
        {
            return false;
        }

        var atStart = true;
        foreach (var part in content)
        {
            if (atStart && part == 0x80)
            {
                return false;
            }

            atStart = (part & 0x80) == 0;
        }

        return true;
    }

    private static bool IsText(UniversalTagNumber type, ReadOnlySpan<byte> content) => type switch
    {
        UniversalTagNumber.UTF8String => Utf8.IsValid(content),
        UniversalTagNumber.PrintableString => !content.ContainsAnyExcept(Printable),
        UniversalTagNumber.NumericString => !content.ContainsAnyExcept(Numeric),
        UniversalTagNumber.IA5String => Ascii.IsValid(content),
        UniversalTagNumber.VisibleString => !content.ContainsAnyExceptInRange((byte)0x20, (byte)0x7E),
        UniversalTagNumber.T61String => true,
        UniversalTagNumber.BMPString => content.Length % 2 == 0,
        UniversalTagNumber.UniversalString => content.Length % 4 == 0,
        _ => false,
    };
}

using System.Formats.Asn1;
using System.Security.Cryptography;

namespace Trust.Crypto;

/// <summary>The two forms of an EC or SM2 signature on a 256-bit curve: r‖s as tokens give it, SEQUENCE {r, s} as X.509 and CMS carry it.</summary>
public static class EcdsaForm
{
    private const int FieldBytes = 32;

    /// <summary>From r‖s, 64 bytes, to DER.</summary>
    /// <exception cref="CryptographicException">Not 64 bytes.</exception>
    public static byte[] ToDer(ReadOnlySpan<byte> raw)
    {
        if (raw.Length != 2 * FieldBytes)
        {
            throw new CryptographicException("An r‖s signature on a 256-bit curve has 64 bytes.");
        }

        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            // WriteIntegerUnsigned refuses leading zeros: a random r or s has them now and then.
            writer.WriteIntegerUnsigned(Minimal(raw[..FieldBytes]));
            writer.WriteIntegerUnsigned(Minimal(raw[FieldBytes..]));
        }

        return writer.Encode();
    }

    /// <summary>From DER to r‖s, 64 bytes; refuses anything but the one DER form (no malleable encodings).</summary>
    public static bool TryToRaw(ReadOnlySpan<byte> der, out byte[] raw)
    {
        raw = new byte[2 * FieldBytes];
        try
        {
            // 72 bytes is the longest SEQUENCE of two 33-byte INTEGERs.
            if (der.Length > 72)
            {
                return false;
            }

            var outer = new AsnReader(der.ToArray(), AsnEncodingRules.DER);
            var reader = outer.ReadSequence();
            outer.ThrowIfNotEmpty();
            var both = Fill(reader.ReadIntegerBytes().Span, raw.AsSpan(0, FieldBytes))
                && Fill(reader.ReadIntegerBytes().Span, raw.AsSpan(FieldBytes));
            reader.ThrowIfNotEmpty();
            return both;
        }
        catch (AsnContentException)
        {
            return false;
        }
    }

    private static ReadOnlySpan<byte> Minimal(ReadOnlySpan<byte> number)
    {
        var trimmed = number.TrimStart((byte)0);
        return trimmed.IsEmpty ? number[^1..] : trimmed;
    }

    private static bool Fill(ReadOnlySpan<byte> integer, Span<byte> field)
    {
        if ((integer[0] & 0x80) != 0)
        {
            return false;
        }

        integer = integer.TrimStart((byte)0);
        if (integer.Length > FieldBytes)
        {
            return false;
        }

        integer.CopyTo(field[(FieldBytes - integer.Length)..]);
        return true;
    }
}

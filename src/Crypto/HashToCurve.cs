using System.Buffers.Binary;
using System.Security.Cryptography;
using Org.BouncyCastle.Math;
using Org.BouncyCastle.Math.EC;
using ECPoint = Org.BouncyCastle.Math.EC.ECPoint;

namespace Trust.Crypto;

/// <summary>
/// Hashing to P-256: suite P256_XMD:SHA-256_SSWU_RO_ of RFC 9380 8.2, under a domain separation tag of the caller's (3.1). Where it branches it does so
/// on the message, so its time tells something of it.
/// </summary>
internal static class HashToCurve
{
    // RFC 9380 8.2: L, and Z = -10; 4: s of SHA-256.
    private const int FieldBytes = 48;
    private const int BlockBytes = 64;

    private static readonly ECFieldElement Z = P256Point.Curve.FromBigInteger(BigInteger.Ten).Negate();

    /// <summary>hash_to_curve (RFC 9380 3). The cofactor is 1, so there is none to clear.</summary>
    public static ECPoint Hash(ReadOnlySpan<byte> message, ReadOnlySpan<byte> tag)
    {
        var u = HashToField(message, tag, 2);
        return MapToCurve(u[0]).Add(MapToCurve(u[1])).Normalize();
    }

    /// <summary>hash_to_field (RFC 9380 5.2): so many elements of GF(p).</summary>
    public static BigInteger[] HashToField(ReadOnlySpan<byte> message, ReadOnlySpan<byte> tag, int count)
    {
        var uniform = ExpandMessage(message, tag, count * FieldBytes);
        return [.. Enumerable.Range(0, count).Select(i => new BigInteger(1, uniform, i * FieldBytes, FieldBytes).Mod(P256Point.Curve.Field.Characteristic))];
    }

    /// <summary>expand_message_xmd with SHA-256 (RFC 9380 5.3.1).</summary>
    /// <param name="message">Any bytes.</param>
    /// <param name="tag">The domain separation tag, 1 to 255 bytes.</param>
    /// <param name="length">How many bytes are wanted, at most 255 · 32.</param>
    public static byte[] ExpandMessage(ReadOnlySpan<byte> message, ReadOnlySpan<byte> tag, int length)
    {
        var blocks = (length + SHA256.HashSizeInBytes - 1) / SHA256.HashSizeInBytes;
        if (tag.Length is 0 or > 255 || blocks is < 1 or > 255)
        {
            throw new CryptographicException("RFC 9380 5.3.1: a tag of 1 to 255 bytes, and at most 255 blocks.");
        }

        byte[] tagPrime = [.. tag, (byte)tag.Length];
        Span<byte> size = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(size, (ushort)length);
        byte[] first = SHA256.HashData([.. new byte[BlockBytes], .. message, .. size, 0, .. tagPrime]);

        var expanded = new byte[blocks * SHA256.HashSizeInBytes];
        var block = new byte[SHA256.HashSizeInBytes];
        for (var i = 0; i < blocks; i++)
        {
            // b_1 hashes b_0 itself, every further one b_0 ⊕ b_(i-1): with nothing before b_1 that is the same.
            for (var j = 0; j < block.Length; j++)
            {
                block[j] ^= first[j];
            }

            block = SHA256.HashData([.. block, (byte)(i + 1), .. tagPrime]);
            block.CopyTo(expanded, i * block.Length);
        }

        return expanded[..length];
    }

    /// <summary>map_to_curve_simple_swu (RFC 9380 6.6.2), its steps in their order.</summary>
    public static ECPoint MapToCurve(BigInteger value)
    {
        var (curve, a, b) = (P256Point.Curve, P256Point.Curve.A, P256Point.Curve.B);
        var u = curve.FromBigInteger(value);
        var zu2 = Z.Multiply(u.Square());
        var sum = zu2.Square().Add(zu2);
        var x = sum.IsZero ? b.Divide(Z.Multiply(a)) : b.Negate().Divide(a).Multiply(sum.Invert().AddOne());
        var y = RightSide(x).Sqrt();
        if (y is null)
        {
            x = zu2.Multiply(x);
            y = RightSide(x).Sqrt();
        }

        // sgn0 (RFC 9380 4.1) of an element of GF(p) is its lowest bit.
        var signed = y.TestBitZero() == u.TestBitZero() ? y : y.Negate();
        return curve.ValidatePoint(x.ToBigInteger(), signed.ToBigInteger());

        ECFieldElement RightSide(ECFieldElement at) => at.Square().Add(a).Multiply(at).Add(b);
    }
}

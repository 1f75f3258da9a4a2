using Org.BouncyCastle.Asn1.Sec;
using Org.BouncyCastle.Asn1.X9;
using Org.BouncyCastle.Crypto.EC;
using Org.BouncyCastle.Math.EC;
using Trust.Crypto.Asn1;
using CryptographicException = System.Security.Cryptography.CryptographicException;

namespace Trust.Crypto;

/// <summary>
/// Points of P-256 (SEC2 2.4.2, secp256r1) as SEC1 2.3 writes them. The cofactor is 1: every point of the curve other than infinity is in the group
/// of prime order. Infinity and the hybrid form have no place here.
/// </summary>
public static class P256Point
{
    /// <summary>Size of a coordinate, in bytes.</summary>
    public const int CoordinateSize = 32;

    /// <summary>Size of the compressed form, 02 or 03 ‖ x, in bytes.</summary>
    public const int CompressedSize = 1 + CoordinateSize;

    /// <summary>Size of the uncompressed form, 04 ‖ x ‖ y, in bytes.</summary>
    public const int UncompressedSize = 1 + (2 * CoordinateSize);

    /// <summary>Prefix of the compressed form of a point whose y is even.</summary>
    internal const byte EvenY = 0x02;

    private const byte OddY = 0x03;
    private const byte Uncompressed = 0x04;

    private static readonly X9ECParameters Parameters =
        LibraryCall.Try(() => CustomNamedCurves.GetByOid(SecObjectIdentifiers.SecP256r1), out var parameters, out var why)
            ? parameters : throw new CryptographicException("The library has no P-256: " + why);

    /// <summary>The curve, for arithmetic within this project.</summary>
    internal static ECCurve Curve => Parameters.Curve;

    /// <summary>Whether these are the 65 bytes 04 ‖ x ‖ y of a point on the curve.</summary>
    public static bool IsUncompressed(ReadOnlySpan<byte> point) =>
        point.Length == UncompressedSize && point[0] == Uncompressed && TryDecode(point, out _);

    /// <summary>From the 33 bytes of the compressed form to the 65 of the uncompressed one.</summary>
    /// <returns>False for what is no point of the curve in compressed form.</returns>
    public static bool TryUncompress(ReadOnlySpan<byte> compressed, out byte[] point)
    {
        var isPoint = TryDecompress(compressed, out var decoded);
        point = isPoint ? decoded.GetEncoded(compressed: false) : [];
        return isPoint;
    }

    /// <summary>The point of a compressed form; false for what is none.</summary>
    internal static bool TryDecompress(ReadOnlySpan<byte> compressed, out ECPoint point)
    {
        point = Curve.Infinity;
        return compressed.Length == CompressedSize && compressed[0] is EvenY or OddY && TryDecode(compressed, out point);
    }

    // SEC1 2.3.4: the library refuses an x or y that is not below p, an x that no point has, and a pair that is not on the curve.
    private static bool TryDecode(ReadOnlySpan<byte> encoded, out ECPoint point)
    {
        var bytes = encoded.ToArray();
        var isPoint = LibraryCall.Try(() => Curve.DecodePoint(bytes), out var decoded, out _) && !decoded.IsInfinity;
        point = isPoint ? decoded! : Curve.Infinity;
        return isPoint;
    }
}

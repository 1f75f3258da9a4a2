using System.Buffers.Binary;
using System.Security.Cryptography;
using Org.BouncyCastle.Math;
using Org.BouncyCastle.Utilities;
using Trust.Crypto.Asn1;

namespace Trust.Crypto;

/// <summary>
/// A pseudorandom function of an input that its key's holder does not see, under a key that the asker does not see: OPRF(P-256, SHA-256) in mode
/// 0x00 of RFC 9497 (4.3, 3.3.1). The asker blinds (<see cref="Blind(ReadOnlySpan{byte})"/>), the holder multiplies by its key, the asker takes the
/// blind off (<see cref="BlindedInput.TryFinish"/>).
/// <para>
/// One bit differs from the RFC. The holder multiplies by ECDH in a token, which answers the shared point's x and keeps its y, so the asker takes the
/// one of two points whose y is even. What he unblinds is the RFC's element or its negative, and both have the x that is hashed: with prefix 02 always,
/// where the RFC hashes 02 or 03. So the output is the RFC's for half of all inputs, and for every input one and the same whatever the blind.
/// </para>
/// <para>
/// The arithmetic does not take constant time. That is for the asker's side only, in a process that holds the input in the clear and asks about a row its
/// own operator brought; the key is used by the token alone.
/// </para>
/// </summary>
public static class ObliviousPrf
{
    /// <summary>Size of what the asker sends (RFC 9497 4.3: Ne), in bytes.</summary>
    public const int ElementSize = P256Point.CompressedSize;

    /// <summary>Size of what the holder answers, the x of the multiplied point, in bytes.</summary>
    public const int EvaluationSize = P256Point.CoordinateSize;

    /// <summary>Size of the function's value (RFC 9497 4.3: Nh), in bytes.</summary>
    public const int OutputSize = SHA256.HashSizeInBytes;

    // RFC 9497 5.1: smaller than 2^16 - 1 bytes.
    private const int MaxInput = ushort.MaxValue - 1;

    // RFC 9497 4.3: Order().
    private static readonly byte[] Order = Convert.FromHexString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");

    // RFC 9497 4.3: "HashToGroup-" ‖ contextString; 3.1: contextString = "OPRFV1-" ‖ I2OSP(mode, 1) ‖ "-" ‖ identifier.
    private static readonly byte[] HashToGroup = [.. "HashToGroup-OPRFV1-"u8, 0x00, .. "-P256-SHA256"u8];

    /// <summary>Hides an input (RFC 9497 3.3.1, Blind): a new blind each time, from the platform's generator.</summary>
    /// <param name="input">At most 65534 bytes. Inputs of another meaning need a prefix of their own (RFC 9497 7.3).</param>
    public static BlindedInput Blind(ReadOnlySpan<byte> input)
    {
        Span<byte> blind = stackalloc byte[P256Point.CoordinateSize];
        do
        {
            // RFC 9497 4.7.1: rejection, which meets one draw in 2^32.
            RandomNumberGenerator.Fill(blind);
        }
        while (!IsScalar(blind));
        return Blind(input, blind);
    }

    /// <summary>The same with a given blind, 32 bytes, 1 to order - 1: for published vectors.</summary>
    internal static BlindedInput Blind(ReadOnlySpan<byte> input, ReadOnlySpan<byte> blind)
    {
        if (input.Length > MaxInput || !IsScalar(blind))
        {
            throw new CryptographicException("RFC 9497: an input of at most 65534 bytes, and a blind from 1 to the group's order less 1.");
        }

        var (text, scalar) = (input.ToArray(), blind.ToArray());

        // InvalidInputError, an input whose point is infinity: nobody knows one, and its encoding would not have this size.
        return LibraryCall.Try(
            () => HashToCurve.Hash(text, HashToGroup).Multiply(new BigInteger(1, scalar)).Normalize().GetEncoded(compressed: true), out var element, out var why)
            && element.Length == ElementSize
            ? new BlindedInput(text, scalar, element)
            : throw new CryptographicException("The input cannot be blinded: " + why);
    }

    /// <summary>What a holder asks before it multiplies (RFC 9497 4.3, DeserializeElement): 33 bytes, 02 or 03 ‖ x, of a point on the curve.</summary>
    public static bool IsElement(ReadOnlySpan<byte> element) => TryToPoint(element, out _);

    /// <summary>The same point as a token takes it for ECDH: 65 bytes, 04 ‖ x ‖ y.</summary>
    /// <returns>False for what <see cref="IsElement"/> refuses.</returns>
    public static bool TryToPoint(ReadOnlySpan<byte> element, out byte[] point) => P256Point.TryUncompress(element, out point);

    /// <summary>Takes the blind off: the element, with prefix 02.</summary>
    internal static bool TryUnblind(ReadOnlySpan<byte> evaluatedX, byte[] blind, out byte[] element)
    {
        element = [];
        if (evaluatedX.Length != EvaluationSize || !P256Point.TryDecompress([P256Point.EvenY, .. evaluatedX], out var evaluated))
        {
            return false;
        }

        if (!LibraryCall.Try(
            () =>
            {
                var inverse = BigIntegers.ModOddInverse(new BigInteger(1, Order), new BigInteger(1, blind));
                return evaluated.Multiply(inverse).Normalize().AffineXCoord.GetEncoded();
            },
            out var x,
            out var why))
        {
            throw new CryptographicException("The blind cannot be taken off: " + why);
        }

        element = [P256Point.EvenY, .. x];
        return true;
    }

    /// <summary>The hash that ends Finalize (RFC 9497 3.3.1).</summary>
    internal static byte[] Output(ReadOnlySpan<byte> input, ReadOnlySpan<byte> element)
    {
        Span<byte> sizes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt16BigEndian(sizes, (ushort)input.Length);
        BinaryPrimitives.WriteUInt16BigEndian(sizes[2..], (ushort)element.Length);
        return SHA256.HashData([.. sizes[..2], .. input, .. sizes[2..], .. element, .. "Finalize"u8]);
    }

    private static bool IsScalar(ReadOnlySpan<byte> scalar) =>
        scalar.Length == Order.Length && scalar.ContainsAnyExcept((byte)0) && scalar.SequenceCompareTo(Order) < 0;
}

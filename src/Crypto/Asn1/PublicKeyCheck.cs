using System.Collections.Immutable;
using System.Formats.Asn1;
using System.Numerics;
using Trust.Crypto.Native;

namespace Trust.Crypto.Asn1;

/// <summary>Kinds of public key that are accepted. The set is closed: anything else is refused.</summary>
public enum PublicKeyKind
{
    /// <summary>EC on P-256.</summary>
    P256,

    /// <summary>EC on the SM2 curve, for SM2 only.</summary>
    Sm2,

    /// <summary>RSA of 3072 to 8192 bits.</summary>
    Rsa,

    /// <summary>Ed25519.</summary>
    Ed25519,
}

/// <summary>A public key that passed every check.</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="SubjectPublicKeyInfo">Its one DER form.</param>
/// <param name="Bits">Size in bits of field or modulus.</param>
/// <param name="Point">04 ‖ X ‖ Y for EC and SM2, 32 bytes for Ed25519, empty for RSA.</param>
public sealed record PublicKeyInfo(PublicKeyKind Kind, ReadOnlyMemory<byte> SubjectPublicKeyInfo, int Bits, ReadOnlyMemory<byte> Point);

/// <summary>Why a public key was refused.</summary>
public enum PublicKeyRefusal
{
    /// <summary>Not DER SubjectPublicKeyInfo, or more than 2 KiB.</summary>
    Malformed,

    /// <summary>An algorithm or curve outside the list.</summary>
    Unsupported,

    /// <summary>A point that is not on its curve, at infinity, or outside the group of prime order.</summary>
    NotOnCurve,

    /// <summary>RSA with fewer than 3072 bits.</summary>
    TooShort,

    /// <summary>RSA whose exponent or modulus is known to be breakable.</summary>
    Weak,
}

/// <summary>What the check says about a key.</summary>
public abstract record PublicKeyVerdict
{
    private PublicKeyVerdict()
    {
    }

    /// <summary>The key may be used.</summary>
    public sealed record Accepted(PublicKeyInfo Key) : PublicKeyVerdict;

    /// <summary>The key may not be used.</summary>
    public sealed record Refused(PublicKeyRefusal Reason) : PublicKeyVerdict;
}

/// <summary>Parses and judges public keys from outside: algorithm list, point on curve, RSA size and known weaknesses.</summary>
public static class PublicKeyCheck
{
    /// <summary>Shortest RSA modulus, in bits.</summary>
    public const int MinRsaBits = 3072;

    private const int MaxBytes = 2048;
    private const int MaxRsaBits = 8192;
    private const int FermatRounds = 100;

    private static readonly (BigInteger P, BigInteger B) P256 = (
        Number("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"),
        Number("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b"));

    private static readonly (BigInteger P, BigInteger B) Sm2Curve = (
        Number("fffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffff"),
        Number("28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93"));

    // Product of the odd primes below 752, as browsers' CA rules ask for small-factor checks.
    private static readonly ImmutableArray<int> SmallPrimes =
        [.. Enumerable.Range(3, 749).Where(n => n % 2 == 1 && Enumerable.Range(2, (int)Math.Sqrt(n)).All(d => d == n || n % d != 0))];

    private static readonly ImmutableArray<(int Prime, HashSet<int> Powers)> Roca =
        [.. SmallPrimes.Where(p => p <= 167).Select(p => (p, PowersOf65537(p)))];

    private static readonly KeptKeys<PublicKeyVerdict> Kept = new();

    /// <summary>Judges a DER SubjectPublicKeyInfo. The verdict on a key is kept: judging an RSA modulus takes some milliseconds.</summary>
    public static PublicKeyVerdict Examine(ReadOnlyMemory<byte> subjectPublicKeyInfo) =>
        subjectPublicKeyInfo.Length is 0 or > MaxBytes
            ? new PublicKeyVerdict.Refused(PublicKeyRefusal.Malformed)
            : Kept.Get(subjectPublicKeyInfo, der => Judge(der.ToArray(), MinRsaBits));

    /// <summary>Judges a key that is at least so long, for outside test suites whose keys are shorter than ours may be.</summary>
    internal static PublicKeyVerdict Examine(ReadOnlyMemory<byte> subjectPublicKeyInfo, int minRsaBits) =>
        minRsaBits == MinRsaBits ? Examine(subjectPublicKeyInfo) : Judge(subjectPublicKeyInfo, minRsaBits);

    private static PublicKeyVerdict Judge(ReadOnlyMemory<byte> subjectPublicKeyInfo, int minRsaBits)
    {
        try
        {
            var outer = new AsnReader(subjectPublicKeyInfo, AsnEncodingRules.DER);
            var spki = outer.ReadSequence();
            outer.ThrowIfNotEmpty();
            var algorithm = spki.ReadSequence();
            var oid = algorithm.ReadObjectIdentifier();
            var key = spki.ReadBitString(out var unused);
            spki.ThrowIfNotEmpty();
            if (unused != 0)
            {
                return new PublicKeyVerdict.Refused(PublicKeyRefusal.Malformed);
            }

            return oid switch
            {
                Oids.EcPublicKey => Curve(subjectPublicKeyInfo, algorithm, key),
                Oids.Rsa => Rsa(subjectPublicKeyInfo, algorithm, key, minRsaBits),
                Oids.Ed25519 when !algorithm.HasData && key.Length == Crypto.Ed25519.KeySize => Edwards(subjectPublicKeyInfo, key),
                _ => new PublicKeyVerdict.Refused(PublicKeyRefusal.Unsupported),
            };
        }
        catch (AsnContentException)
        {
            return new PublicKeyVerdict.Refused(PublicKeyRefusal.Malformed);
        }
    }

    /// <summary>The kind of a key by its algorithm alone, without judging it; null when outside the list or malformed.</summary>
    public static PublicKeyKind? KindOf(ReadOnlyMemory<byte> subjectPublicKeyInfo)
    {
        try
        {
            var algorithm = Der.OneSequence(subjectPublicKeyInfo).ReadSequence();
            return algorithm.ReadObjectIdentifier() switch
            {
                Oids.EcPublicKey => algorithm.ReadObjectIdentifier() switch
                {
                    Oids.P256 => PublicKeyKind.P256,
                    Oids.Sm2Curve => PublicKeyKind.Sm2,
                    _ => null,
                },
                Oids.Rsa => PublicKeyKind.Rsa,
                Oids.Ed25519 => PublicKeyKind.Ed25519,
                _ => null,
            };
        }
        catch (AsnContentException)
        {
            return null;
        }
    }

    private static PublicKeyVerdict Curve(ReadOnlyMemory<byte> spki, AsnReader algorithm, byte[] point)
    {
        // Explicit curve parameters are refused with the rest: CVE-2020-0601.
        var named = algorithm.PeekTag().HasSameClassAndValue(Asn1Tag.ObjectIdentifier) ? algorithm.ReadObjectIdentifier() : "";
        var (kind, curve) = named switch
        {
            Oids.P256 => (PublicKeyKind.P256, P256),
            Oids.Sm2Curve => (PublicKeyKind.Sm2, Sm2Curve),
            _ => (default, default),
        };
        if (curve.P.IsZero || algorithm.HasData)
        {
            return new PublicKeyVerdict.Refused(PublicKeyRefusal.Unsupported);
        }

        if (point.Length != 65 || point[0] != 4)
        {
            return new PublicKeyVerdict.Refused(PublicKeyRefusal.Unsupported);
        }

        var x = new BigInteger(point.AsSpan(1, 32), isUnsigned: true, isBigEndian: true);
        var y = new BigInteger(point.AsSpan(33, 32), isUnsigned: true, isBigEndian: true);
        // Both curves have a = −3 and cofactor 1: on the curve means in the group.
        var onCurve = x < curve.P && y < curve.P && ((y * y) - ((x * x * x) - (3 * x) + curve.B)) % curve.P == 0;
        return onCurve
            ? new PublicKeyVerdict.Accepted(new PublicKeyInfo(kind, spki, 256, point))
            : new PublicKeyVerdict.Refused(PublicKeyRefusal.NotOnCurve);
    }

    // The point must lie in the group of prime order: under a point of small order one signature fits many messages.
    private static PublicKeyVerdict Edwards(ReadOnlyMemory<byte> spki, byte[] key) =>
        LibraryCall.Try(() => Org.BouncyCastle.Math.EC.Rfc8032.Ed25519.ValidatePublicKeyFull(key, 0), out var inGroup, out _) && inGroup
            ? new PublicKeyVerdict.Accepted(new PublicKeyInfo(PublicKeyKind.Ed25519, spki, 256, key))
            : new PublicKeyVerdict.Refused(PublicKeyRefusal.NotOnCurve);

    private static PublicKeyVerdict Rsa(ReadOnlyMemory<byte> spki, AsnReader algorithm, byte[] key, int minRsaBits)
    {
        algorithm.ReadNull();
        algorithm.ThrowIfNotEmpty();
        var outer = new AsnReader(key, AsnEncodingRules.DER);
        var numbers = outer.ReadSequence();
        outer.ThrowIfNotEmpty();
        var n = numbers.ReadInteger();
        var e = numbers.ReadInteger();
        numbers.ThrowIfNotEmpty();
        if (n.Sign <= 0 || n.GetBitLength() < minRsaBits)
        {
            return new PublicKeyVerdict.Refused(PublicKeyRefusal.TooShort);
        }

        if (n.GetBitLength() > MaxRsaBits)
        {
            return new PublicKeyVerdict.Refused(PublicKeyRefusal.Unsupported);
        }

        var weak = n.IsEven || e.IsEven || e < 65537 || e.GetBitLength() > 256
            || SmallPrimes.Any(p => n % p == 0) || HasRocaFingerprint(n) || HasClosePrimes(n) || IsProbablyPrime(n);
        return weak
            ? new PublicKeyVerdict.Refused(PublicKeyRefusal.Weak)
            : new PublicKeyVerdict.Accepted(new PublicKeyInfo(PublicKeyKind.Rsa, spki, (int)n.GetBitLength(), default));
    }

    // Whoever knows n knows the private key when n is prime. Every prime passes Fermat's test to base 2; a composite number that passes
    // it too, one in some 2^100 by chance, is refused with them. On libcrypto, because the platform's BigInteger takes twenty times as long.
    private static unsafe bool IsProbablyPrime(BigInteger n)
    {
        var (modulus, exponent) = (n.ToByteArray(isUnsigned: true, isBigEndian: true), (n - 1).ToByteArray(isUnsigned: true, isBigEndian: true));
        byte two = 2;
        fixed (byte* m = modulus, p = exponent)
        {
            using var context = LibCrypto.Check(LibCrypto.NumberContextNew(), "BN_CTX_new");
            using var result = LibCrypto.Check(LibCrypto.NumberFromBytes(&two, 1, 0), "BN_bin2bn");
            using var number = LibCrypto.Check(LibCrypto.NumberFromBytes(m, modulus.Length, 0), "BN_bin2bn");
            using var power = LibCrypto.Check(LibCrypto.NumberFromBytes(p, exponent.Length, 0), "BN_bin2bn");
            LibCrypto.Check(LibCrypto.ModExp(result, result, power, number, context, 0), "BN_mod_exp_mont");
            return LibCrypto.IsOne(result) == 1;
        }
    }

    // CVE-2017-15361: moduli of the faulty library are powers of 65537 modulo every small prime; by chance one in 2^154 is.
    private static bool HasRocaFingerprint(BigInteger n)
    {
        foreach (var (prime, powers) in Roca)
        {
            if (!powers.Contains((int)(n % prime)))
            {
                return false;
            }
        }

        return true;
    }

    private static HashSet<int> PowersOf65537(int prime)
    {
        var powers = new HashSet<int>();
        var value = 1;
        while (powers.Add(value))
        {
            value = (int)(value * 65537L % prime);
        }

        return powers;
    }

    // CVE-2022-26320: primes drawn next to each other fall to Fermat's method in a few rounds.
    private static bool HasClosePrimes(BigInteger n)
    {
        var a = Root(n);
        for (var round = 0; round < FermatRounds; round++, a += 1)
        {
            var rest = (a * a) - n;
            // Squares end in 0, 1, 4 or 9 modulo 16: spares most of the roots.
            if (rest.Sign >= 0 && (int)(rest & 15) is 0 or 1 or 4 or 9)
            {
                var b = Root(rest);
                if (b * b == rest)
                {
                    return true;
                }
            }
        }

        return false;
    }

    private static BigInteger Root(BigInteger n)
    {
        if (n.IsZero)
        {
            return n;
        }

        // Newton from above converges to the floor; the loop ends when it stops falling.
        var x = BigInteger.One << (int)((n.GetBitLength() + 1) / 2);
        while (true)
        {
            var next = (x + (n / x)) >> 1;
            if (next >= x)
            {
                return x * x == n ? x : x + (x * x < n ? 1 : 0);
            }

            x = next;
        }
    }

    private static BigInteger Number(string hex) => new(Convert.FromHexString(hex), isUnsigned: true, isBigEndian: true);
}

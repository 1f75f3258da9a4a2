using System.Security.Cryptography;
using Org.BouncyCastle.Asn1.GM;
using Org.BouncyCastle.Crypto;
using Org.BouncyCastle.Crypto.EC;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Crypto.Signers;
using Trust.Crypto.Asn1;

namespace Trust.Crypto;

/// <summary>How an SM2 signature stands to a message.</summary>
public enum Sm2Verdict
{
    /// <summary>Valid under the expected signer ID.</summary>
    Valid,

    /// <summary>Not valid under any reading that is known.</summary>
    Invalid,

    /// <summary>Made with the empty ID, OpenSSL's default; valid mathematics, refused by GB/T 35276.</summary>
    EmptyId,

    /// <summary>Made over SM3(M) without Z; refused because it does not bind the public key.</summary>
    MissingZ,
}

/// <summary>SM2 signatures with SM3 (GB/T 32918.2, GB/T 35276). What a private key does, <see cref="Sm2PrivateKey"/> does on libcrypto.</summary>
public static class Sm2
{
    /// <summary>The signer ID that GB/T 35276 fixes when nothing else is agreed.</summary>
    public static ReadOnlySpan<byte> DefaultId => "1234567812345678"u8;

    private static readonly KeptKeys<ImportedKey> Kept = new();

    private static readonly ECDomainParameters Curve = ECDomainParameters.FromX9ECParameters(CustomNamedCurves.GetByOid(GMObjectIdentifiers.sm2p256v1));

    // GB/T 32918.5: a, b, Gx, Gy, the curve's part of Z.
    private static readonly byte[] CurvePart = Convert.FromHexString(
        "fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc"
        + "28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93"
        + "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7"
        + "bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0");

    /// <summary>Z = SM3(ENTL ‖ ID ‖ a ‖ b ‖ Gx ‖ Gy ‖ Px ‖ Py) (GB/T 32918.2 5.5).</summary>
    /// <param name="subjectPublicKeyInfo">The signer's SM2 key, DER.</param>
    /// <param name="id">The signer ID, at most 8191 bytes.</param>
    /// <exception cref="CryptographicException">The key is not an SM2 key on the curve.</exception>
    public static byte[] ComputeZ(ReadOnlyMemory<byte> subjectPublicKeyInfo, ReadOnlySpan<byte> id)
    {
        var kept = Kept.Get(subjectPublicKeyInfo, Import);
        return kept.Key is not { } key ? throw new CryptographicException("Not an SM2 public key.")
            : id.SequenceEqual(DefaultId) ? kept.Z
            : ZOf(key.Q.GetEncoded(), id);
    }

    /// <summary>e = SM3(Z ‖ M) under the default ID: the 32 bytes that a token signs.</summary>
    /// <exception cref="CryptographicException">The key is not an SM2 key on the curve.</exception>
    public static byte[] DigestToSign(ReadOnlyMemory<byte> subjectPublicKeyInfo, ReadOnlySpan<byte> message) =>
        DigestToSign(subjectPublicKeyInfo, message, DefaultId);

    /// <summary>e = SM3(Z ‖ M) under a given ID.</summary>
    /// <exception cref="CryptographicException">The key is not an SM2 key on the curve.</exception>
    public static byte[] DigestToSign(ReadOnlyMemory<byte> subjectPublicKeyInfo, ReadOnlySpan<byte> message, ReadOnlySpan<byte> id)
    {
        using var hash = new Sm3();
        hash.Append(ComputeZ(subjectPublicKeyInfo, id));
        hash.Append(message);
        return hash.Finish();
    }

    private static byte[] ZOf(ReadOnlySpan<byte> point, ReadOnlySpan<byte> id)
    {
        using var hash = new Sm3();
        var bits = checked((ushort)(id.Length * 8));
        hash.Append([(byte)(bits >> 8), (byte)bits]);
        hash.Append(id);
        hash.Append(CurvePart);
        hash.Append(point[1..]);
        return hash.Finish();
    }

    /// <summary>Judges a signature in DER form, and names the known ways of getting the ID wrong.</summary>
    public static Sm2Verdict Verify(ReadOnlyMemory<byte> subjectPublicKeyInfo, ReadOnlySpan<byte> message, ReadOnlySpan<byte> derSignature)
    {
        if (Kept.Get(subjectPublicKeyInfo, Import).Key is not { } key || !EcdsaForm.TryToRaw(derSignature, out _))
        {
            return Sm2Verdict.Invalid;
        }

        if (VerifyDigest(key, DigestToSign(subjectPublicKeyInfo, message), derSignature))
        {
            return Sm2Verdict.Valid;
        }

        if (VerifyDigest(key, DigestToSign(subjectPublicKeyInfo, message, []), derSignature))
        {
            return Sm2Verdict.EmptyId;
        }

        return VerifyDigest(key, Sm3.HashData(message), derSignature) ? Sm2Verdict.MissingZ : Sm2Verdict.Invalid;
    }

    /// <summary>Checks a signature in DER form under the default ID, without asking what else it could be.</summary>
    internal static bool IsValid(ReadOnlyMemory<byte> subjectPublicKeyInfo, ReadOnlySpan<byte> message, ReadOnlySpan<byte> derSignature) =>
        Kept.Get(subjectPublicKeyInfo, Import).Key is { } key && VerifyDigest(key, DigestToSign(subjectPublicKeyInfo, message), derSignature);

    /// <summary>Checks a DER signature over e, as a token makes it.</summary>
    public static bool VerifyDigest(ReadOnlyMemory<byte> subjectPublicKeyInfo, ReadOnlySpan<byte> e, ReadOnlySpan<byte> derSignature) =>
        Kept.Get(subjectPublicKeyInfo, Import).Key is { } key && VerifyDigest(key, e, derSignature);

    private static ImportedKey Import(ReadOnlyMemory<byte> subjectPublicKeyInfo)
    {
        // The library takes compressed points and explicit curves; what reaches it is an uncompressed point on the curve.
        if (PublicKeyCheck.Examine(subjectPublicKeyInfo) is not PublicKeyVerdict.Accepted { Key.Kind: PublicKeyKind.Sm2 } accepted)
        {
            return new ImportedKey(null, []);
        }

        var point = accepted.Key.Point.ToArray();
        return LibraryCall.Try(() => new ECPublicKeyParameters(Curve.Curve.DecodePoint(point), Curve), out var key, out _)
            ? new ImportedKey(key, ZOf(point, DefaultId))
            : new ImportedKey(null, []);
    }

    private static bool VerifyDigest(ECPublicKeyParameters key, ReadOnlySpan<byte> e, ReadOnlySpan<byte> derSignature)
    {
        // The library accepts some BER; one signature must have one form.
        if (e.Length != Sm3.HashSizeInBytes || !EcdsaForm.TryToRaw(derSignature, out _))
        {
            return false;
        }

        var (digest, signature) = (e.ToArray(), derSignature.ToArray());
        return LibraryCall.Try(
            () =>
            {
                var verifier = new SM2Signer(new GivenDigest(digest));
                verifier.Init(false, key);
                return verifier.VerifySignature(signature);
            },
            out var valid,
            out _) && valid;
    }

    /// <summary>A key as the library wants it, with Z under the default ID; null for what is no SM2 key.</summary>
    private sealed record ImportedKey(ECPublicKeyParameters? Key, byte[] Z);

    /// <summary>Answers e to the library's question for SM3(Z ‖ M): tokens sign e, and libcrypto computes it in a third of the time.</summary>
    private sealed class GivenDigest(byte[] e) : IDigest
    {
        public string AlgorithmName => "SM3";

        public int GetDigestSize() => e.Length;

        public int GetByteLength() => 64;

        public void Update(byte input)
        {
        }

        public void BlockUpdate(byte[] input, int inOff, int inLen)
        {
        }

        public void BlockUpdate(ReadOnlySpan<byte> input)
        {
        }

        public int DoFinal(byte[] output, int outOff) => DoFinal(output.AsSpan(outOff));

        public int DoFinal(Span<byte> output)
        {
            e.CopyTo(output);
            return e.Length;
        }

        public void Reset()
        {
        }
    }
}

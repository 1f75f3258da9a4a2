using System.Diagnostics.CodeAnalysis;
using System.Formats.Asn1;
using System.Security.Cryptography;
using Trust.Crypto.Asn1;
using Trust.Crypto.Native;

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

/// <summary>SM2 signatures with SM3 (GB/T 32918.2, GB/T 35276), by the system libcrypto.</summary>
public static class Sm2
{
    /// <summary>The signer ID that GB/T 35276 fixes when nothing else is agreed.</summary>
    public static ReadOnlySpan<byte> DefaultId => "1234567812345678"u8;

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
        var point = PublicKeyCheck.Examine(subjectPublicKeyInfo) is PublicKeyVerdict.Accepted { Key.Kind: PublicKeyKind.Sm2 } accepted
            ? accepted.Key.Point
            : throw new CryptographicException("Not an SM2 public key.");
        using var hash = new Sm3();
        var bits = checked((ushort)(id.Length * 8));
        hash.Append([(byte)(bits >> 8), (byte)bits]);
        hash.Append(id);
        hash.Append(CurvePart);
        hash.Append(point.Span[1..]);
        return hash.Finish();
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

    /// <summary>Judges a signature in DER form, and names the known ways of getting the ID wrong.</summary>
    public static Sm2Verdict Verify(ReadOnlyMemory<byte> subjectPublicKeyInfo, ReadOnlySpan<byte> message, ReadOnlySpan<byte> derSignature)
    {
        if (!TryOpen(subjectPublicKeyInfo, out var key))
        {
            return Sm2Verdict.Invalid;
        }

        using (key)
        {
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
    }

    /// <summary>Checks a DER signature over e, as a token makes it.</summary>
    public static bool VerifyDigest(ReadOnlyMemory<byte> subjectPublicKeyInfo, ReadOnlySpan<byte> e, ReadOnlySpan<byte> derSignature)
    {
        if (!TryOpen(subjectPublicKeyInfo, out var key))
        {
            return false;
        }

        using (key)
        {
            return VerifyDigest(key, e, derSignature);
        }
    }

    private static unsafe bool TryOpen(ReadOnlyMemory<byte> subjectPublicKeyInfo, [NotNullWhen(true)] out EvpKey? key)
    {
        key = null;
        if (PublicKeyCheck.Examine(subjectPublicKeyInfo) is not PublicKeyVerdict.Accepted { Key.Kind: PublicKeyKind.Sm2 })
        {
            return false;
        }

        fixed (byte* der = subjectPublicKeyInfo.Span)
        {
            var cursor = der;
            key = LibCrypto.Check(LibCrypto.DecodePublicKey(0, &cursor, subjectPublicKeyInfo.Length), "d2i_PUBKEY");
            return true;
        }
    }

    private static unsafe bool VerifyDigest(EvpKey key, ReadOnlySpan<byte> e, ReadOnlySpan<byte> derSignature)
    {
        // libcrypto accepts some BER; one signature must have one form.
        if (e.Length != Sm3.HashSizeInBytes || !EcdsaForm.TryToRaw(derSignature, out _))
        {
            return false;
        }

        using var context = LibCrypto.Check(LibCrypto.KeyContextFromKey(0, key, 0), "EVP_PKEY_CTX_new_from_pkey");
        LibCrypto.Check(LibCrypto.VerifyInit(context), "EVP_PKEY_verify_init");
        fixed (byte* digest = e, signature = derSignature)
        {
            var valid = LibCrypto.Verify(context, signature, (nuint)derSignature.Length, digest, (nuint)e.Length) == 1;
            if (!valid)
            {
                _ = LibCrypto.DrainErrors();
            }

            return valid;
        }
    }
}

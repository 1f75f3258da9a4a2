using System.Security.Cryptography;
using Trust.Crypto.Native;

namespace Trust.Crypto;

/// <summary>
/// An SM2 key in this process's memory, for tokens without SM2 (docs/ARCHITECTURE.md §4: labelled <c>software</c>, refused by a production profile).
/// The libcrypto handle is kept, because importing PKCS#8 for each signature costs more than signing. Safe for concurrent use.
/// </summary>
public sealed class Sm2PrivateKey : IDisposable
{
    private readonly EvpKey key;

    private Sm2PrivateKey(EvpKey key)
    {
        this.key = key;
        SubjectPublicKeyInfo = EncodePublic(key);
    }

    /// <summary>The public key, DER.</summary>
    public ReadOnlyMemory<byte> SubjectPublicKeyInfo { get; }

    /// <summary>Makes a new key.</summary>
    public static Sm2PrivateKey Generate()
    {
        using var context = LibCrypto.Check(LibCrypto.KeyContextFromName(0, "SM2", 0), "EVP_PKEY_CTX_new_from_name(SM2)");
        LibCrypto.Check(LibCrypto.KeygenInit(context), "EVP_PKEY_keygen_init");
        LibCrypto.Check(LibCrypto.Generate(context, out var key), "EVP_PKEY_generate");
        return new Sm2PrivateKey(EvpKey.Own(key));
    }

    /// <summary>Opens an unencrypted PKCS#8 key.</summary>
    /// <exception cref="CryptographicException">Not an SM2 key.</exception>
    public static unsafe Sm2PrivateKey ImportPkcs8(ReadOnlySpan<byte> pkcs8)
    {
        fixed (byte* der = pkcs8)
        {
            var cursor = der;
            return new Sm2PrivateKey(LibCrypto.Check(LibCrypto.DecodePrivateKey(0, &cursor, pkcs8.Length), "d2i_AutoPrivateKey"));
        }
    }

    /// <summary>The key as unencrypted PKCS#8, for sealing by a token; the caller zeroes the bytes.</summary>
    public unsafe byte[] ExportPkcs8()
    {
        using var info = LibCrypto.Check(LibCrypto.ToPkcs8(key), "EVP_PKEY2PKCS8");
        var length = LibCrypto.EncodePkcs8(info, null);
        var der = new byte[Math.Max(length, 1)];
        fixed (byte* start = der)
        {
            var cursor = start;
            return LibCrypto.EncodePkcs8(info, &cursor) == length && length > 0
                ? der
                : throw new CryptographicException("libcrypto: i2d_PKCS8_PRIV_KEY_INFO failed");
        }
    }

    /// <summary>Signs a message under the default ID.</summary>
    /// <returns>r‖s, 64 bytes.</returns>
    public byte[] Sign(ReadOnlySpan<byte> message) => SignDigest(Sm2.DigestToSign(SubjectPublicKeyInfo, message));

    /// <summary>Signs e = SM3(Z ‖ M), as a token would.</summary>
    /// <param name="e">32 bytes.</param>
    /// <returns>r‖s, 64 bytes.</returns>
    public unsafe byte[] SignDigest(ReadOnlySpan<byte> e)
    {
        if (e.Length != Sm3.HashSizeInBytes)
        {
            throw new CryptographicException("SM2 signs a 32-byte digest.");
        }

        using var context = LibCrypto.Check(LibCrypto.KeyContextFromKey(0, key, 0), "EVP_PKEY_CTX_new_from_pkey");
        LibCrypto.Check(LibCrypto.SignInit(context), "EVP_PKEY_sign_init");
        Span<byte> der = stackalloc byte[80];
        nuint size = (nuint)der.Length;
        fixed (byte* digest = e, signature = der)
        {
            LibCrypto.Check(LibCrypto.Sign(context, signature, &size, digest, (nuint)e.Length), "EVP_PKEY_sign");
        }

        return EcdsaForm.TryToRaw(der[..(int)size], out var raw)
            ? raw
            : throw new CryptographicException("libcrypto gave an SM2 signature that is not DER.");
    }

    /// <inheritdoc/>
    public void Dispose() => key.Dispose();

    private static unsafe byte[] EncodePublic(EvpKey key)
    {
        var length = LibCrypto.EncodePublicKey(key, null);
        var der = new byte[Math.Max(length, 1)];
        fixed (byte* start = der)
        {
            var cursor = start;
            if (length <= 0 || LibCrypto.EncodePublicKey(key, &cursor) != length)
            {
                throw new CryptographicException("libcrypto: i2d_PUBKEY failed");
            }
        }

        return Asn1.PublicKeyCheck.Examine(der) is Asn1.PublicKeyVerdict.Accepted { Key.Kind: Asn1.PublicKeyKind.Sm2 }
            ? der
            : throw new CryptographicException("Not an SM2 key.");
    }
}

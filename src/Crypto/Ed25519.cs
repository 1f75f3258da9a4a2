using System.Security.Cryptography;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Crypto.Signers;
using Trust.Crypto.Asn1;
using Trust.Crypto.Native;

namespace Trust.Crypto;

/// <summary>Ed25519 (RFC 8032); keys in raw form, 32 bytes. Private keys are used by the system libcrypto only.</summary>
public static class Ed25519
{
    /// <summary>Size of a public key or private seed, in bytes.</summary>
    public const int KeySize = 32;

    /// <summary>Size of a signature, in bytes.</summary>
    public const int SignatureSize = 64;

    private const int EvpPkeyEd25519 = 1087;

    // RFC 8410 4: SEQUENCE { SEQUENCE { 1.3.101.112 }, BIT STRING }.
    private static readonly byte[] SpkiPrefix = Convert.FromHexString("302a300506032b6570032100");

    /// <summary>Wraps a raw public key as SubjectPublicKeyInfo (RFC 8410).</summary>
    public static byte[] ToSubjectPublicKeyInfo(ReadOnlySpan<byte> publicKey) =>
        publicKey.Length == KeySize ? [.. SpkiPrefix, .. publicKey] : throw new CryptographicException("An Ed25519 key has 32 bytes.");

    /// <summary>Takes the raw public key out of a SubjectPublicKeyInfo.</summary>
    /// <returns>False when it is not an Ed25519 key.</returns>
    public static bool TryFromSubjectPublicKeyInfo(ReadOnlySpan<byte> spki, out byte[] publicKey)
    {
        var matches = spki.Length == SpkiPrefix.Length + KeySize && spki.StartsWith(SpkiPrefix);
        publicKey = matches ? spki[SpkiPrefix.Length..].ToArray() : [];
        return matches;
    }

    /// <summary>Checks a signature (RFC 8032 5.1.7); false for a key that is no point or a point of small order.</summary>
    public static bool Verify(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        if (publicKey.Length != KeySize || signature.Length != SignatureSize)
        {
            return false;
        }

        var (key, text, claimed) = (publicKey.ToArray(), message.ToArray(), signature.ToArray());
        return LibraryCall.Try(
            () =>
            {
                var verifier = new Ed25519Signer();
                verifier.Init(false, new Ed25519PublicKeyParameters(key));
                verifier.BlockUpdate(text, 0, text.Length);
                return verifier.VerifySignature(claimed);
            },
            out var valid,
            out _) && valid;
    }

    /// <summary>Signs with a private seed held in memory.</summary>
    /// <param name="seed">32 secret bytes; the caller zeroes them.</param>
    /// <param name="message">The whole message: Ed25519 does not sign digests.</param>
    public static unsafe byte[] Sign(ReadOnlySpan<byte> seed, ReadOnlySpan<byte> message)
    {
        using var key = OpenSeed(seed);
        using var context = LibCrypto.Check(LibCrypto.MdContextNew(), "EVP_MD_CTX_new");
        LibCrypto.Check(LibCrypto.DigestSignInit(context, 0, 0, 0, key), "EVP_DigestSignInit");
        var signature = new byte[SignatureSize];
        nuint size = SignatureSize;
        fixed (byte* data = message, output = signature)
        {
            LibCrypto.Check(LibCrypto.DigestSign(context, output, &size, data, (nuint)message.Length), "EVP_DigestSign");
        }

        return signature;
    }

    /// <summary>The public key of a private seed.</summary>
    /// <returns>32 bytes.</returns>
    public static unsafe byte[] PublicKeyOf(ReadOnlySpan<byte> seed)
    {
        using var key = OpenSeed(seed);
        var publicKey = new byte[KeySize];
        nuint size = KeySize;
        fixed (byte* output = publicKey)
        {
            LibCrypto.Check(LibCrypto.GetRawPublicKey(key, output, &size), "EVP_PKEY_get_raw_public_key");
        }

        return publicKey;
    }

    private static unsafe EvpKey OpenSeed(ReadOnlySpan<byte> seed)
    {
        if (seed.Length != KeySize)
        {
            throw new CryptographicException("An Ed25519 seed has 32 bytes.");
        }

        fixed (byte* raw = seed)
        {
            return LibCrypto.Check(LibCrypto.NewRawPrivateKey(EvpPkeyEd25519, 0, raw, KeySize), "EVP_PKEY_new_raw_private_key");
        }
    }
}

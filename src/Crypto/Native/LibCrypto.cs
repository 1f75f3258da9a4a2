using System.Runtime.InteropServices;
using System.Security.Cryptography;

// The system's own library only, never one beside the program.
[assembly: DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]

namespace Trust.Crypto.Native;

/// <summary>The functions of the system's OpenSSL 3 that the platform's own cryptography does not reach. Each result is consumed.</summary>
internal static partial class LibCrypto
{
    private const string Library = "libcrypto.so.3";

    /// <summary>Turns OpenSSL's "1 is success" into an exception that names the call; error texts never hold key material.</summary>
    public static void Check(int result, string call)
    {
        if (result != 1)
        {
            throw new CryptographicException($"libcrypto: {call} failed ({DrainErrors()})");
        }
    }

    /// <summary>Fails when OpenSSL returned no object.</summary>
    public static T Check<T>(T handle, string call)
        where T : SafeHandle
    {
        if (handle.IsInvalid)
        {
            handle.Dispose();
            throw new CryptographicException($"libcrypto: {call} failed ({DrainErrors()})");
        }

        return handle;
    }

    /// <summary>Empties the thread's error queue, so that an expected failure is not blamed on a later call.</summary>
    /// <returns>The last code, for the log; decode with <c>openssl errstr</c>.</returns>
    public static string DrainErrors()
    {
        nuint last = 0;
        for (var code = ErrGetError(); code != 0; code = ErrGetError())
        {
            last = code;
        }

        return last.ToString("x", System.Globalization.CultureInfo.InvariantCulture);
    }

    [LibraryImport(Library, EntryPoint = "ERR_get_error")]
    private static partial nuint ErrGetError();

    [LibraryImport(Library, EntryPoint = "EVP_MD_fetch", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial EvpMd MdFetch(nint context, string name, nint properties);

    [LibraryImport(Library, EntryPoint = "EVP_MD_free")]
    internal static partial void MdFree(nint md);

    [LibraryImport(Library, EntryPoint = "EVP_Digest")]
    internal static unsafe partial int Digest(byte* data, nuint length, byte* digest, uint* size, EvpMd md, nint engine);

    [LibraryImport(Library, EntryPoint = "EVP_MD_CTX_new")]
    internal static partial EvpMdContext MdContextNew();

    [LibraryImport(Library, EntryPoint = "EVP_MD_CTX_free")]
    internal static partial void MdContextFree(nint context);

    [LibraryImport(Library, EntryPoint = "EVP_DigestInit_ex")]
    internal static partial int DigestInit(EvpMdContext context, EvpMd md, nint engine);

    [LibraryImport(Library, EntryPoint = "EVP_DigestUpdate")]
    internal static unsafe partial int DigestUpdate(EvpMdContext context, byte* data, nuint length);

    [LibraryImport(Library, EntryPoint = "EVP_DigestFinal_ex")]
    internal static unsafe partial int DigestFinal(EvpMdContext context, byte* digest, uint* size);

    /// <summary>SHA-256 of whole 64-byte blocks; <paramref name="state"/> is an SHA256_CTX in which no block is begun.</summary>
    // Nothing in it waits or calls back and a block takes some 40 ns, so the runtime need not be told that the thread is away: not for long messages.
    [LibraryImport(Library, EntryPoint = "SHA256_Update"), SuppressGCTransition]
    internal static unsafe partial int Sha256Update(uint* state, byte* data, nuint length);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_free")]
    internal static partial void KeyFree(nint key);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_CTX_free")]
    internal static partial void KeyContextFree(nint context);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_CTX_new_from_name", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial EvpKeyContext KeyContextFromName(nint library, string name, nint properties);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_CTX_new_from_pkey")]
    internal static partial EvpKeyContext KeyContextFromKey(nint library, EvpKey key, nint properties);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_keygen_init")]
    internal static partial int KeygenInit(EvpKeyContext context);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_generate")]
    internal static partial int Generate(EvpKeyContext context, out nint key);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_sign_init")]
    internal static partial int SignInit(EvpKeyContext context);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_sign")]
    internal static unsafe partial int Sign(EvpKeyContext context, byte* signature, nuint* size, byte* digest, nuint length);

    [LibraryImport(Library, EntryPoint = "EVP_DigestSignInit")]
    internal static partial int DigestSignInit(EvpMdContext context, nint keyContext, nint md, nint engine, EvpKey key);

    [LibraryImport(Library, EntryPoint = "EVP_DigestSign")]
    internal static unsafe partial int DigestSign(EvpMdContext context, byte* signature, nuint* size, byte* data, nuint length);

    [LibraryImport(Library, EntryPoint = "d2i_AutoPrivateKey")]
    internal static unsafe partial EvpKey DecodePrivateKey(nint existing, byte** der, nint length);

    [LibraryImport(Library, EntryPoint = "i2d_PUBKEY")]
    internal static unsafe partial int EncodePublicKey(EvpKey key, byte** der);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY2PKCS8")]
    internal static partial Pkcs8Info ToPkcs8(EvpKey key);

    [LibraryImport(Library, EntryPoint = "i2d_PKCS8_PRIV_KEY_INFO")]
    internal static unsafe partial int EncodePkcs8(Pkcs8Info info, byte** der);

    [LibraryImport(Library, EntryPoint = "PKCS8_PRIV_KEY_INFO_free")]
    internal static partial void Pkcs8Free(nint info);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_new_raw_private_key")]
    internal static unsafe partial EvpKey NewRawPrivateKey(int type, nint engine, byte* key, nuint length);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_get_raw_public_key")]
    internal static unsafe partial int GetRawPublicKey(EvpKey key, byte* raw, nuint* length);

    [LibraryImport(Library, EntryPoint = "BN_CTX_new")]
    internal static partial BigNumberContext NumberContextNew();

    [LibraryImport(Library, EntryPoint = "BN_CTX_free")]
    internal static partial void NumberContextFree(nint context);

    [LibraryImport(Library, EntryPoint = "BN_bin2bn")]
    internal static unsafe partial BigNumber NumberFromBytes(byte* bytes, int length, nint existing);

    [LibraryImport(Library, EntryPoint = "BN_free")]
    internal static partial void NumberFree(nint number);

    /// <summary>r = a ^ p mod m, m odd; numbers here are public, so the time it takes may tell them.</summary>
    [LibraryImport(Library, EntryPoint = "BN_mod_exp_mont")]
    internal static partial int ModExp(BigNumber r, BigNumber a, BigNumber p, BigNumber m, BigNumberContext context, nint montgomery);

    [LibraryImport(Library, EntryPoint = "BN_is_one")]
    internal static partial int IsOne(BigNumber number);
}

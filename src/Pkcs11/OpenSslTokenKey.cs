using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using System.Security.Cryptography;

namespace Trust.Pkcs11;

/// <summary>An OpenSSL EVP_PKEY whose ECDSA signatures are made by a token.</summary>
[UnsupportedOSPlatform("windows")]
internal static unsafe partial class OpenSslTokenKey
{
    private const int NidP256 = 415;
    private const string LibCrypto = "libcrypto.so.3";

    private static readonly ConcurrentDictionary<nint, Binding> Bindings = new();
    private static readonly Lazy<nint> Method = new(CreateMethod);

    private sealed record Binding(IToken Token, KeyRef Key);

    /// <summary>A key handle for an uncompressed P-256 point of 65 bytes.</summary>
    public static SafeEvpPKeyHandle Wrap(ReadOnlySpan<byte> point, IToken token, KeyRef key)
    {
        var ec = EC_KEY_new_by_curve_name(NidP256);
        var pkey = nint.Zero;
        try
        {
            fixed (byte* p = point)
            {
                Require(ec != 0 && EC_KEY_oct2key(ec, p, (nuint)point.Length, 0) == 1 && EC_KEY_set_method(ec, Method.Value) == 1);
            }

            Bindings[ec] = new Binding(token, key);
            pkey = EVP_PKEY_new();
            Require(pkey != 0 && EVP_PKEY_set1_EC_KEY(pkey, ec) == 1);
            return new SafeEvpPKeyHandle(pkey, ownsHandle: true);
        }
        catch (TokenException)
        {
            EVP_PKEY_free(pkey);
            throw;
        }
        finally
        {
            EC_KEY_free(ec);
        }
    }

    private static nint CreateMethod()
    {
        var standard = EC_KEY_OpenSSL();
        var method = EC_KEY_METHOD_new(standard);
        nint sign;
        nint setup;
        nint signSig;
        EC_KEY_METHOD_get_sign(standard, &sign, &setup, &signSig);
        EC_KEY_METHOD_set_sign(method, sign, setup, (delegate* unmanaged[Cdecl]<byte*, int, nint, nint, nint, nint>)&SignDigest);
        EC_KEY_METHOD_set_init(method, 0, (delegate* unmanaged[Cdecl]<nint, void>)&Forget, 0, 0, 0, 0);
        return method;
    }

    // EC_KEY_METHOD sign_sig: ECDSA_SIG *(*)(const unsigned char *dgst, int len, const BIGNUM *kinv, const BIGNUM *r, EC_KEY *key).
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint SignDigest(byte* digest, int length, nint kinv, nint r, nint ec)
    {
        try
        {
            if (length != 32 || !Bindings.TryGetValue(ec, out var binding))
            {
                return 0;
            }

            var e = new ReadOnlySpan<byte>(digest, length).ToArray();

            // OpenSSL's callback is synchronous. Many handshakes at once must not use up the thread pool, so our own token is
            // waited for without it.
#pragma warning disable VSTHRD002
            var signature = binding.Token is Pkcs11Token own
                ? own.SignBlocking(binding.Key, e)
                : binding.Token.Sign(binding.Key, e, CancellationToken.None).AsTask().GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
            var result = ECDSA_SIG_new();
            fixed (byte* p = signature)
            {
                if (ECDSA_SIG_set0(result, BN_bin2bn(p, 32, 0), BN_bin2bn(p + 32, 32, 0)) == 1)
                {
                    return result;
                }
            }

            ECDSA_SIG_free(result);
            return 0;
        }
        catch (TokenException)
        {
            // Nothing may be thrown through native frames: no signature ends the handshake.
            return 0;
        }
    }

    // EC_KEY_METHOD finish: the key's last reference is gone.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Forget(nint ec) => _ = Bindings.TryRemove(ec, out _);

    private static void Require(bool ok)
    {
        if (!ok)
        {
            throw new TokenException("OPENSSL", "libcrypto refused the key: OpenSSL 3 is needed.");
        }
    }

    [LibraryImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint EC_KEY_new_by_curve_name(int nid);

    [LibraryImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int EC_KEY_oct2key(nint key, byte* buffer, nuint length, nint context);

    [LibraryImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int EC_KEY_set_method(nint key, nint method);

    [LibraryImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial void EC_KEY_free(nint key);

    [LibraryImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint EC_KEY_OpenSSL();

    [LibraryImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint EC_KEY_METHOD_new(nint standard);

    [LibraryImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial void EC_KEY_METHOD_get_sign(nint method, nint* sign, nint* setup, nint* signSig);

    [LibraryImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial void EC_KEY_METHOD_set_sign(
        nint method, nint sign, nint setup, delegate* unmanaged[Cdecl]<byte*, int, nint, nint, nint, nint> signSig);

    [LibraryImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial void EC_KEY_METHOD_set_init(
        nint method, nint init, delegate* unmanaged[Cdecl]<nint, void> finish, nint copy, nint setGroup, nint setPrivate, nint setPublic);

    [LibraryImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint EVP_PKEY_new();

    [LibraryImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial void EVP_PKEY_free(nint key);

    [LibraryImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int EVP_PKEY_set1_EC_KEY(nint pkey, nint key);

    [LibraryImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint ECDSA_SIG_new();

    [LibraryImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial void ECDSA_SIG_free(nint signature);

    [LibraryImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int ECDSA_SIG_set0(nint signature, nint r, nint s);

    [LibraryImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint BN_bin2bn(byte* bytes, int length, nint into);
}

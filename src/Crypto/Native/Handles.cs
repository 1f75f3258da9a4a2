using Microsoft.Win32.SafeHandles;

namespace Trust.Crypto.Native;

/// <summary>An <c>EVP_PKEY</c>; the private key inside is zeroed by libcrypto on release.</summary>
internal sealed class EvpKey() : SafeHandleZeroOrMinusOneIsInvalid(true)
{
    /// <summary>Takes ownership of a pointer that libcrypto handed out.</summary>
    public static EvpKey Own(nint pointer)
    {
        var key = new EvpKey();
        key.SetHandle(pointer);
        return key;
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        LibCrypto.KeyFree(handle);
        return true;
    }
}

/// <summary>An <c>EVP_PKEY_CTX</c>: one operation with a key.</summary>
internal sealed class EvpKeyContext() : SafeHandleZeroOrMinusOneIsInvalid(true)
{
    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        LibCrypto.KeyContextFree(handle);
        return true;
    }
}

/// <summary>An <c>EVP_MD</c>: a fetched hash algorithm.</summary>
internal sealed class EvpMd() : SafeHandleZeroOrMinusOneIsInvalid(true)
{
    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        LibCrypto.MdFree(handle);
        return true;
    }
}

/// <summary>An <c>EVP_MD_CTX</c>: one hash or signature in progress.</summary>
internal sealed class EvpMdContext() : SafeHandleZeroOrMinusOneIsInvalid(true)
{
    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        LibCrypto.MdContextFree(handle);
        return true;
    }
}

/// <summary>A <c>PKCS8_PRIV_KEY_INFO</c>.</summary>
internal sealed class Pkcs8Info() : SafeHandleZeroOrMinusOneIsInvalid(true)
{
    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        LibCrypto.Pkcs8Free(handle);
        return true;
    }
}

/// <summary>A <c>BIGNUM</c>.</summary>
internal sealed class BigNumber() : SafeHandleZeroOrMinusOneIsInvalid(true)
{
    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        LibCrypto.NumberFree(handle);
        return true;
    }
}

/// <summary>A <c>BN_CTX</c>: scratch space for arithmetic.</summary>
internal sealed class BigNumberContext() : SafeHandleZeroOrMinusOneIsInvalid(true)
{
    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        LibCrypto.NumberContextFree(handle);
        return true;
    }
}

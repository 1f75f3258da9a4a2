using Trust.Crypto.Native;

namespace Trust.Crypto;

/// <summary>The SM3 hash (GB/T 32905-2016), 32 bytes, by the system libcrypto.</summary>
public sealed class Sm3 : IDisposable
{
    /// <summary>Digest size in bytes.</summary>
    public const int HashSizeInBytes = 32;

    // Fetched once: a fetch per call costs more than the hash of a short message.
    private static readonly EvpMd Algorithm = LibCrypto.Check(LibCrypto.MdFetch(0, "SM3", 0), "EVP_MD_fetch(SM3)");
    private readonly EvpMdContext context = LibCrypto.Check(LibCrypto.MdContextNew(), "EVP_MD_CTX_new");

    /// <summary>Starts an incremental hash.</summary>
    public Sm3() => LibCrypto.Check(LibCrypto.DigestInit(context, Algorithm, 0), "EVP_DigestInit_ex");

    /// <summary>Hashes one message.</summary>
    /// <returns>32 bytes.</returns>
    public static unsafe byte[] HashData(ReadOnlySpan<byte> message)
    {
        var digest = new byte[HashSizeInBytes];
        fixed (byte* data = message, output = digest)
        {
            uint size = 0;
            LibCrypto.Check(LibCrypto.Digest(data, (nuint)message.Length, output, &size, Algorithm, 0), "EVP_Digest");
        }

        return digest;
    }

    /// <summary>Adds bytes to the hash.</summary>
    public unsafe void Append(ReadOnlySpan<byte> part)
    {
        fixed (byte* data = part)
        {
            LibCrypto.Check(LibCrypto.DigestUpdate(context, data, (nuint)part.Length), "EVP_DigestUpdate");
        }
    }

    /// <summary>Ends the hash and starts a new one.</summary>
    /// <returns>32 bytes.</returns>
    public unsafe byte[] Finish()
    {
        var digest = new byte[HashSizeInBytes];
        fixed (byte* output = digest)
        {
            uint size = 0;
            LibCrypto.Check(LibCrypto.DigestFinal(context, output, &size), "EVP_DigestFinal_ex");
        }

        LibCrypto.Check(LibCrypto.DigestInit(context, Algorithm, 0), "EVP_DigestInit_ex");
        return digest;
    }

    /// <inheritdoc/>
    public void Dispose() => context.Dispose();
}

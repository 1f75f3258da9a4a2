using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Trust.Pkcs11;

/// <summary>
/// CKA_ID of our objects. It pairs private key, public key and certificate for other programs, and tells other instances of a key that is being
/// made and may yet be taken away.
/// </summary>
internal static class KeyId
{
    private const int Size = 20;

    // Longer than any token takes to make a key: a maker that died meanwhile leaves a key that is as good as finished.
    private static readonly TimeSpan Making = TimeSpan.FromMinutes(2);
    private static readonly byte[] Prefix = "making:"u8.ToArray();

    /// <summary>Of a finished key: derived from its label, so always the same.</summary>
    public static byte[] Of(KeyRef key) => SHA256.HashData(Encoding.UTF8.GetBytes(key.Label))[..Size];

    /// <summary>Of a key that is being made: a fixed word, the instant (milliseconds since 1970, 8 bytes big-endian), and chance.</summary>
    public static byte[] BeingMade(DateTimeOffset now)
    {
        var id = RandomNumberGenerator.GetBytes(Size);
        Prefix.CopyTo(id, 0);
        BinaryPrimitives.WriteInt64BigEndian(id.AsSpan(Prefix.Length), now.ToUnixTimeMilliseconds());
        return id;
    }

    /// <summary>Whether the key of that id is being made now.</summary>
    public static bool IsBeingMade(ReadOnlySpan<byte> id, DateTimeOffset now) =>
        id.Length == Size && id.StartsWith(Prefix)
        && now.ToUnixTimeMilliseconds() - BinaryPrimitives.ReadInt64BigEndian(id[Prefix.Length..]) < (long)Making.TotalMilliseconds;
}

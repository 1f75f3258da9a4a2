using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;

namespace Trust.Kernel.Identifiers;

/// <summary>
/// Identifiers of records that say which region's installation keeps them, so that any other can name the right door without asking anyone or knowing
/// whether there is such a record: UUIDs of version 8 (RFC 9562 5.8) of 48 bits Unix milliseconds, 20 bits of the region's GB/T 2260 code, 54 random bits.
/// </summary>
public static class RecordId
{
    private const int Codes = 1_000_000;

    /// <summary>A new identifier.</summary>
    /// <param name="now">Later identifiers sort after earlier ones, to the millisecond.</param>
    /// <param name="keeper">GB/T 2260 code of the region that the installation serves.</param>
    public static Guid New(DateTimeOffset now, string keeper)
    {
        var code = ulong.Parse(keeper, NumberStyles.None, CultureInfo.InvariantCulture);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(code, (ulong)Codes, nameof(keeper));
        Span<byte> bytes = stackalloc byte[16];
        RandomNumberGenerator.Fill(bytes[8..]);
        var random = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]) & ((1UL << 54) - 1);
        BinaryPrimitives.WriteUInt64BigEndian(bytes, ((ulong)now.ToUnixTimeMilliseconds() << 16) | (8UL << 12) | (code >> 8));
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], (2UL << 62) | ((code & 0xff) << 54) | random);
        return new Guid(bytes, bigEndian: true);
    }

    /// <summary>The region whose installation keeps the record; null where the identifier does not say: it is of another version.</summary>
    public static string? KeeperOf(Guid id)
    {
        Span<byte> bytes = stackalloc byte[16];
        _ = id.TryWriteBytes(bytes, bigEndian: true, out _);
        var (high, low) = (BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]));
        var code = ((high & 0xfff) << 8) | ((low >> 54) & 0xff);
        return (high >> 12 & 0xf) == 8 && low >> 62 == 2 && code < Codes ? code.ToString("D6", CultureInfo.InvariantCulture) : null;
    }
}

using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Trust.Kernel.Identifiers;

/// <summary>
/// Universally unique lexicographically sortable identifiers (48-bit milliseconds, 80 random bits, Crockford base 32), the
/// last part of <c>urn:mdid:…</c>: never derived from a national number, never reused (docs/RULES.md §2).
/// </summary>
public static class Ulid
{
    private const string Alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    private static readonly System.Buffers.SearchValues<char> Known = System.Buffers.SearchValues.Create(Alphabet);

    /// <summary>A new identifier of 26 characters.</summary>
    public static string New(DateTimeOffset now)
    {
        Span<byte> bytes = stackalloc byte[16];
        var milliseconds = now.ToUnixTimeMilliseconds();
        for (var i = 5; i >= 0; i--, milliseconds >>= 8)
        {
            bytes[i] = (byte)milliseconds;
        }

        RandomNumberGenerator.Fill(bytes[6..]);
        var value = new UInt128(BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]));
        return string.Create(26, value, static (text, v) =>
        {
            for (var i = 25; i >= 0; i--, v >>= 5)
            {
                text[i] = Alphabet[(int)(uint)(v & 31)];
            }
        });
    }

    /// <summary>True for 26 characters of the alphabet that fit 128 bits.</summary>
    public static bool IsValid(ReadOnlySpan<char> text) =>
        text.Length == 26 && text[0] <= '7' && !text.ContainsAnyExcept(Known);
}

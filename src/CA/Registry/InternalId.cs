using System.Security.Cryptography;

namespace Trust.CA.Registry;

/// <summary>Internal identifiers: <c>urn:mdid:p:</c> and <c>urn:mdid:o:</c> with a ULID; never derived from a national number, never reused.</summary>
public static class InternalId
{
    private const string Crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    private static readonly System.Buffers.SearchValues<char> Characters = System.Buffers.SearchValues.Create(Crockford);

    /// <summary>Prefix of people.</summary>
    public const string PersonPrefix = "urn:mdid:p:";

    /// <summary>Prefix of institutions.</summary>
    public const string InstitutionPrefix = "urn:mdid:o:";

    /// <summary>A new person's identifier.</summary>
    public static string NewPerson(DateTimeOffset now) => PersonPrefix + NewUlid(now);

    /// <summary>A new institution's identifier.</summary>
    public static string NewInstitution(DateTimeOffset now) => InstitutionPrefix + NewUlid(now);

    /// <summary>A ULID: 48 bits of milliseconds, 80 random bits, 26 characters of Crockford's base 32.</summary>
    public static string NewUlid(DateTimeOffset now)
    {
        Span<byte> bytes = stackalloc byte[16];
        var milliseconds = now.ToUnixTimeMilliseconds();
        for (var i = 5; i >= 0; i--, milliseconds >>= 8)
        {
            bytes[i] = (byte)milliseconds;
        }

        RandomNumberGenerator.Fill(bytes[6..]);
        var value = new UInt128(System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(bytes), System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]));
        return string.Create(26, value, static (text, v) =>
        {
            for (var i = 25; i >= 0; i--, v >>= 5)
            {
                text[i] = Crockford[(int)(uint)(v & 31)];
            }
        });
    }

    /// <summary>Whether text is an identifier with that prefix.</summary>
    public static bool Is(string? text, string prefix) =>
        text is not null && text.Length == prefix.Length + 26 && text.StartsWith(prefix, StringComparison.Ordinal)
        && !text.AsSpan(prefix.Length).ContainsAnyExcept(Characters);
}

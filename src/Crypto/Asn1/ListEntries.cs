using System.Buffers.Binary;
using System.Formats.Asn1;
using Org.BouncyCastle.Asn1.X509;

namespace Trust.Crypto.Asn1;

/// <summary>
/// The entries of a revocation list, left in their bytes and found by a sorted index. One pass reads each entry to its last byte and
/// makes no object for it.
/// </summary>
internal sealed class ListEntries
{
    /// <summary>No entries.</summary>
    public static readonly ListEntries None = new(default, 0);

    private readonly ReadOnlyMemory<byte> content;

    // By the last eight bytes of the serial number: the whole of a short one, and as good as unique among random ones.
    private readonly ulong[] keys;
    private readonly int[] offsets;

    // An indirect list names another issuer at an entry, and it holds from there on (RFC 5280 5.3.3).
    private readonly List<(int Offset, X509Name Issuer)> issuers = [];

    private ListEntries(ReadOnlyMemory<byte> content, int count)
    {
        this.content = content;
        keys = new ulong[count];
        offsets = new int[count];
    }

    /// <summary>Number of entries.</summary>
    public int Count => offsets.Length;

    /// <summary>Whether an entry names its issuer.</summary>
    public bool NamesIssuers => issuers.Count > 0;

    /// <summary>Reads the content of revokedCertificates.</summary>
    /// <exception cref="AsnContentException">Empty, or an entry that is malformed or has a critical extension not understood.</exception>
    public static ListEntries Read(ReadOnlyMemory<byte> content)
    {
        var entries = new ListEntries(content, CountOf(content.Span));
        if (entries.Count == 0)
        {
            throw new AsnContentException("A list without entries leaves them out (RFC 5280 5.1.2.6).");
        }

        var offset = 0;
        for (var i = 0; i < entries.Count; i++)
        {
            var entry = ListEntry.Read(content.Span[offset..], out var consumed);
            entries.keys[i] = Key(entry.SerialNumber);
            entries.offsets[i] = offset;
            if (!entry.Issuer.IsEmpty)
            {
                entries.issuers.Add((offset, ReadIssuer(entry.Issuer.ToArray())));
            }

            offset += consumed;
        }

        Array.Sort(entries.keys, entries.offsets);
        return entries;
    }

    /// <summary>The entry of a serial number; of several the one that revokes, and of those the earliest.</summary>
    /// <param name="serialNumber">Big-endian magnitude.</param>
    /// <param name="of">Whether an entry's issuer is the one asked for; null is the list's own.</param>
    public RevokedEntry? Find(ReadOnlySpan<byte> serialNumber, Func<X509Name?, bool> of)
    {
        serialNumber = serialNumber.TrimStart((byte)0);
        var key = Key(serialNumber);
        RevokedEntry? found = null;
        for (var i = FirstOf(key); !serialNumber.IsEmpty && i < keys.Length && keys[i] == key; i++)
        {
            var entry = ListEntry.Read(content.Span[offsets[i]..], out _);
            if (entry.SerialNumber.SequenceEqual(serialNumber) && of(IssuerAt(offsets[i])))
            {
                found = Stronger(found, entry.ToRevoked());
            }
        }

        return found;
    }

    private static RevokedEntry Stronger(RevokedEntry? one, RevokedEntry other)
    {
        if (one is null || (one.Reason == RevocationReason.RemoveFromCrl && other.Reason != RevocationReason.RemoveFromCrl))
        {
            return other;
        }

        return other.Reason != RevocationReason.RemoveFromCrl && other.RevokedAt < one.RevokedAt ? other : one;
    }

    private static int CountOf(ReadOnlySpan<byte> content)
    {
        var count = 0;
        for (; !content.IsEmpty; count++)
        {
            _ = AsnDecoder.ReadEncodedValue(content, AsnEncodingRules.DER, out _, out _, out var consumed);
            content = content[consumed..];
        }

        return count;
    }

    private static ulong Key(ReadOnlySpan<byte> serialNumber)
    {
        Span<byte> last = stackalloc byte[8];
        last.Clear();
        var taken = serialNumber.Length > 8 ? serialNumber[^8..] : serialNumber;
        taken.CopyTo(last[(8 - taken.Length)..]);
        return BinaryPrimitives.ReadUInt64BigEndian(last);
    }

    private int FirstOf(ulong key)
    {
        var (low, high) = (0, keys.Length);
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            (low, high) = keys[middle] < key ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    private X509Name? IssuerAt(int offset)
    {
        X509Name? issuer = null;
        foreach (var (from, name) in issuers)
        {
            if (from > offset)
            {
                break;
            }

            issuer = name;
        }

        return issuer;
    }

    private static X509Name ReadIssuer(byte[] names)
    {
        var reader = new AsnReader(names, AsnEncodingRules.DER);
        var all = GeneralName.ReadSeveral(reader.ReadSequence());
        reader.ThrowIfNotEmpty();
        return all is [GeneralName.Other { Encoded: var encoded }] && encoded.Span[0] == 0xA4
            ? CertificateList.ReadName(new AsnReader(encoded, AsnEncodingRules.DER).PeekContentBytes())
            : throw new AsnContentException("An entry's issuer is not one directory name.");
    }
}

using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Trust.LogFormat;

/// <summary>Place of an event in its producer's chain, assigned after commit (docs/LEDGER-FORMAT.md §4).</summary>
public static class Envelope
{
    /// <summary>Bytes of a SHA-256 hash.</summary>
    public const int HashSize = 32;

    private static readonly byte[] EnvelopeTag = "trust.envelope.v1\n"u8.ToArray();
    private static readonly byte[] BatchTag = "trust.batch.v1\n"u8.ToArray();

    /// <summary>The predecessor named by a producer's very first envelope.</summary>
    public static ReadOnlySpan<byte> NoPredecessor => new byte[HashSize];

    /// <summary>Length of an envelope of that source, in bytes.</summary>
    public static int Length(string source) => EnvelopeTag.Length + 1 + source.Length + 16 + (2 * HashSize);

    /// <summary>Writes the envelope and returns its length.</summary>
    /// <param name="to">At least <see cref="Length"/> bytes.</param>
    /// <param name="source">1 to 32 ASCII characters.</param>
    /// <param name="epoch">Relay takeover, from 1.</param>
    /// <param name="seq">Number within the epoch, from 1.</param>
    /// <param name="prev">Hash of the envelope before, also across epochs; zeros before the first.</param>
    /// <param name="bodyHash">SHA-256 of the body.</param>
    public static int Write(Span<byte> to, string source, long epoch, long seq, ReadOnlySpan<byte> prev, ReadOnlySpan<byte> bodyHash)
    {
        EnvelopeTag.CopyTo(to);
        var at = EnvelopeTag.Length;
        to[at++] = (byte)source.Length;
        at += Encoding.ASCII.GetBytes(source, to[at..]);
        BinaryPrimitives.WriteInt64BigEndian(to[at..], epoch);
        BinaryPrimitives.WriteInt64BigEndian(to[(at + 8)..], seq);
        prev.CopyTo(to[(at + 16)..]);
        bodyHash.CopyTo(to[(at + 16 + HashSize)..]);
        return at + 16 + (2 * HashSize);
    }

    /// <summary>Hash of an envelope, which the next one names as its predecessor.</summary>
    public static void Hash(string source, long epoch, long seq, ReadOnlySpan<byte> prev, ReadOnlySpan<byte> bodyHash, Span<byte> hash)
    {
        Span<byte> bytes = stackalloc byte[160];
        var length = Write(bytes, source, epoch, seq, prev, bodyHash);
        SHA256.HashData(bytes[..length], hash);
    }

    /// <summary>SHA-256 of the text a batch signature covers: the last envelope hash, and through it every event before.</summary>
    public static byte[] BatchDigest(string source, long epoch, long firstSeq, int count, ReadOnlySpan<byte> lastEnvelopeHash)
    {
        Span<byte> bytes = stackalloc byte[128];
        BatchTag.CopyTo(bytes);
        var at = BatchTag.Length;
        bytes[at++] = (byte)source.Length;
        at += Encoding.ASCII.GetBytes(source, bytes[at..]);
        BinaryPrimitives.WriteInt64BigEndian(bytes[at..], epoch);
        BinaryPrimitives.WriteInt64BigEndian(bytes[(at + 8)..], firstSeq);
        BinaryPrimitives.WriteInt32BigEndian(bytes[(at + 16)..], count);
        lastEnvelopeHash.CopyTo(bytes[(at + 20)..]);
        return SHA256.HashData(bytes[..(at + 20 + HashSize)]);
    }
}

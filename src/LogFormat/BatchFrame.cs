using System.Buffers.Binary;

namespace Trust.LogFormat;

/// <summary>One event inside a batch, pointing into the batch's bytes.</summary>
/// <param name="Body">Body v1.</param>
/// <param name="DataKey">Empty or 32 bytes.</param>
public readonly record struct FramedEvent(ReadOnlyMemory<byte> Body, ReadOnlyMemory<byte> DataKey);

/// <summary>A signed run of consecutive events of one source, as posted to the ledger (docs/LEDGER-FORMAT.md §5).</summary>
public sealed class BatchFrame
{
    /// <summary>Most events of a batch.</summary>
    public const int MaxCount = 1024;

    /// <summary>Largest request, in bytes.</summary>
    public const int MaxBytes = 4 << 20;

    /// <summary>Bytes of the P-256 signature, r‖s.</summary>
    public const int SignatureSize = 64;

    private static readonly byte[] Magic = "TLB1"u8.ToArray();

    private BatchFrame(long epoch, long firstSeq, ReadOnlyMemory<byte> prev, FramedEvent[] events, ReadOnlyMemory<byte> signature)
    {
        Epoch = epoch;
        FirstSeq = firstSeq;
        Prev = prev;
        Events = events;
        Signature = signature;
    }

    /// <summary>Relay takeover.</summary>
    public long Epoch { get; }

    /// <summary>Number of the first event within the epoch.</summary>
    public long FirstSeq { get; }

    /// <summary>Envelope hash before the first event.</summary>
    public ReadOnlyMemory<byte> Prev { get; }

    /// <summary>The events in order; at least one.</summary>
    public IReadOnlyList<FramedEvent> Events { get; }

    /// <summary>Signature of the source's batch key over <see cref="Envelope.BatchDigest"/>.</summary>
    public ReadOnlyMemory<byte> Signature { get; }

    /// <summary>Writes a request.</summary>
    public static byte[] Write(long epoch, long firstSeq, ReadOnlySpan<byte> prev, IReadOnlyList<FramedEvent> events, ReadOnlySpan<byte> signature)
    {
        var length = Magic.Length + 16 + Envelope.HashSize + 2 + signature.Length;
        foreach (var e in events)
        {
            length += 3 + e.Body.Length + e.DataKey.Length;
        }

        var bytes = new byte[length];
        var to = bytes.AsSpan();
        Magic.CopyTo(to);
        BinaryPrimitives.WriteInt64BigEndian(to[4..], epoch);
        BinaryPrimitives.WriteInt64BigEndian(to[12..], firstSeq);
        prev.CopyTo(to[20..]);
        BinaryPrimitives.WriteUInt16BigEndian(to[52..], (ushort)events.Count);
        var at = 54;
        foreach (var e in events)
        {
            BinaryPrimitives.WriteUInt16BigEndian(to[at..], (ushort)e.Body.Length);
            e.Body.Span.CopyTo(to[(at + 2)..]);
            at += 2 + e.Body.Length;
            to[at++] = (byte)e.DataKey.Length;
            e.DataKey.Span.CopyTo(to[at..]);
            at += e.DataKey.Length;
        }

        signature.CopyTo(to[at..]);
        return bytes;
    }

    /// <summary>Reads a request; null when it is not exactly one well-formed batch. Bodies are not judged here.</summary>
    /// <param name="bytes">Untrusted, at most <see cref="MaxBytes"/>; kept by the result.</param>
    public static BatchFrame? TryRead(ReadOnlyMemory<byte> bytes)
    {
        var span = bytes.Span;
        if (span.Length is < 54 or > MaxBytes || !span.StartsWith(Magic))
        {
            return null;
        }

        var epoch = BinaryPrimitives.ReadInt64BigEndian(span[4..]);
        var firstSeq = BinaryPrimitives.ReadInt64BigEndian(span[12..]);
        var count = BinaryPrimitives.ReadUInt16BigEndian(span[52..]);
        if (epoch < 1 || firstSeq < 1 || firstSeq > long.MaxValue - MaxCount || count is 0 or > MaxCount)
        {
            return null;
        }

        var events = new FramedEvent[count];
        var at = 54;
        for (var i = 0; i < count; i++)
        {
            if (!TryReadEvent(bytes, ref at, out events[i]))
            {
                return null;
            }
        }

        return span.Length - at == SignatureSize
            ? new BatchFrame(epoch, firstSeq, bytes.Slice(20, Envelope.HashSize), events, bytes[at..])
            : null;
    }

    private static bool TryReadEvent(ReadOnlyMemory<byte> bytes, ref int at, out FramedEvent e)
    {
        e = default;
        var span = bytes.Span;
        if (span.Length - at < 3)
        {
            return false;
        }

        var length = BinaryPrimitives.ReadUInt16BigEndian(span[at..]);
        if (length is 0 or > EventBody.MaxBytes || span.Length - at - 3 < length)
        {
            return false;
        }

        var keyLength = span[at + 2 + length];
        var keyAt = at + 3 + length;
        if (keyLength is not (0 or 32) || span.Length - keyAt < keyLength)
        {
            return false;
        }

        e = new FramedEvent(bytes.Slice(at + 2, length), bytes.Slice(keyAt, keyLength));
        at = keyAt + keyLength;
        return true;
    }
}

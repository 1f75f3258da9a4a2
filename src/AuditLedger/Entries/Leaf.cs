using System.Buffers.Binary;
using Trust.Kernel.Audit;

namespace Trust.AuditLedger.Entries;

/// <summary>Leaf data of an event (docs/LEDGER-FORMAT.md §6): type, subject keys and time are the sequencer's, the rest the producer's.</summary>
internal static class Leaf
{
    /// <summary>Entry type of an event. 0x02, the commit entry of the subject index, is reserved.</summary>
    public const byte EventType = 1;

    private const int TimeSize = 8;

    /// <summary>Bytes of a leaf.</summary>
    public static int Length(string source, int keyBytes, int bodyLength) =>
        2 + keyBytes + TimeSize + 2 + Envelope.Length(source) + 2 + bodyLength;

    /// <summary>Writes a leaf and returns its length.</summary>
    /// <param name="to">Room for <see cref="Length"/> bytes.</param>
    /// <param name="place">Producer's place.</param>
    /// <param name="keys">Subject keys, sorted and without duplicates, 32 bytes each.</param>
    /// <param name="time">Ledger time, microseconds since 1970.</param>
    /// <param name="body">Body v1.</param>
    public static int Write(Span<byte> to, in EntryPlace place, ReadOnlySpan<byte> keys, long time, ReadOnlySpan<byte> body)
    {
        to[0] = EventType;
        to[1] = (byte)(keys.Length / SubjectKey.Size);
        keys.CopyTo(to[2..]);
        var at = 2 + keys.Length;
        BinaryPrimitives.WriteInt64BigEndian(to[at..], time);
        at += TimeSize;
        var envelope = Envelope.Length(place.Source);
        BinaryPrimitives.WriteUInt16BigEndian(to[at..], (ushort)envelope);
        at += 2;
        at += Envelope.Write(to[at..], place.Source, place.Epoch, place.Seq, place.Prev.Span, place.BodyHash.Span);
        BinaryPrimitives.WriteUInt16BigEndian(to[at..], (ushort)body.Length);
        body.CopyTo(to[(at + 2)..]);
        return at + 2 + body.Length;
    }

    /// <summary>Ledger time of a stored leaf.</summary>
    public static long TimeOf(ReadOnlySpan<byte> leaf) =>
        BinaryPrimitives.ReadInt64BigEndian(leaf[(2 + (leaf[1] * SubjectKey.Size))..]);

    /// <summary>Body hash of a stored leaf of that source.</summary>
    public static ReadOnlySpan<byte> BodyHashOf(ReadOnlySpan<byte> leaf, string source)
    {
        var envelopeEnd = 2 + (leaf[1] * SubjectKey.Size) + TimeSize + 2 + Envelope.Length(source);
        return leaf[(envelopeEnd - Envelope.HashSize)..envelopeEnd];
    }
}

/// <summary>A producer's place for one event.</summary>
/// <param name="Source">Source name.</param>
/// <param name="Epoch">Relay takeover.</param>
/// <param name="Seq">Number in the epoch.</param>
/// <param name="Prev">Envelope hash before.</param>
/// <param name="BodyHash">SHA-256 of the body.</param>
internal readonly record struct EntryPlace(string Source, long Epoch, long Seq, ReadOnlyMemory<byte> Prev, ReadOnlyMemory<byte> BodyHash);

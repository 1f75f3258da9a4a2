using System.Buffers.Binary;
using System.Text;
using Trust.LogFormat.Index;

namespace Trust.LogFormat;

/// <summary>
/// Leaf data of an event (docs/LEDGER-FORMAT.md §6), a view of the bytes: type, subject keys and time are the sequencer's, the rest the producer's.
/// </summary>
public readonly ref struct EventLeaf
{
    private const int TimeSize = sizeof(long);
    private const int FixedEnvelope = 16 + (2 * Envelope.HashSize);

    private static readonly byte[] EnvelopeTag = "trust.envelope.v1\n"u8.ToArray();

    private readonly ReadOnlySpan<byte> _envelope;

    private EventLeaf(bool byActor, ReadOnlySpan<byte> keys, long time, ReadOnlySpan<byte> envelope, ReadOnlySpan<byte> body)
    {
        ByActor = byActor;
        Keys = keys;
        Time = time;
        _envelope = envelope;
        Body = body;
    }

    /// <summary>Whether the actor's key is among the keys (type 3).</summary>
    public bool ByActor { get; }

    /// <summary>Subject keys, 32 bytes each, rising, none twice.</summary>
    public ReadOnlySpan<byte> Keys { get; }

    /// <summary>Ledger time, microseconds since 1970.</summary>
    public long Time { get; }

    /// <summary>Body v1, at most 8,192 bytes; its grammar is not checked here.</summary>
    public ReadOnlySpan<byte> Body { get; }

    /// <summary>The producer's envelope, whose SHA-256 the next one of its source names.</summary>
    public ReadOnlySpan<byte> EnvelopeBytes => _envelope;

    /// <summary>Name of the producer.</summary>
    public string Source => Encoding.ASCII.GetString(SourceBytes);

    /// <summary>Name of the producer, ASCII.</summary>
    public ReadOnlySpan<byte> SourceBytes => _envelope[(EnvelopeTag.Length + 1)..^FixedEnvelope];

    /// <summary>Takeover of the producer's relay.</summary>
    public long Epoch => BinaryPrimitives.ReadInt64BigEndian(_envelope[^FixedEnvelope..]);

    /// <summary>Number within the epoch.</summary>
    public long Seq => BinaryPrimitives.ReadInt64BigEndian(_envelope[^(FixedEnvelope - 8)..]);

    /// <summary>Hash of the source's envelope before.</summary>
    public ReadOnlySpan<byte> Prev => _envelope[^(2 * Envelope.HashSize)..^Envelope.HashSize];

    /// <summary>SHA-256 of the body, as the envelope says; whether it is true is for an auditor to check.</summary>
    public ReadOnlySpan<byte> BodyHash => _envelope[^Envelope.HashSize..];

    /// <summary>Bytes of a leaf.</summary>
    public static int Length(string source, int keyBytes, int bodyLength) =>
        2 + keyBytes + TimeSize + 2 + Envelope.Length(source) + 2 + bodyLength;

    /// <summary>Writes a leaf and returns its length.</summary>
    /// <param name="to">Room for <see cref="Length"/> bytes.</param>
    /// <param name="place">Producer's place.</param>
    /// <param name="keys">Subject keys, sorted and without duplicates, 32 bytes each.</param>
    /// <param name="time">Ledger time, microseconds since 1970.</param>
    /// <param name="body">Body v1.</param>
    /// <param name="byActor">Whether the actor's key is among the keys.</param>
    public static int Write(Span<byte> to, in EntryPlace place, ReadOnlySpan<byte> keys, long time, ReadOnlySpan<byte> body, bool byActor = false)
    {
        to[0] = byActor ? EntryType.EventByActor : EntryType.Event;
        to[1] = (byte)(keys.Length / SubjectKey.Size);
        keys.CopyTo(to[2..]);
        var at = 2 + keys.Length;
        BinaryPrimitives.WriteInt64BigEndian(to[at..], time);
        at += TimeSize;
        BinaryPrimitives.WriteUInt16BigEndian(to[at..], (ushort)Envelope.Length(place.Source));
        at += 2;
        at += Envelope.Write(to[at..], place.Source, place.Epoch, place.Seq, place.Prev.Span, place.BodyHash.Span);
        BinaryPrimitives.WriteUInt16BigEndian(to[at..], (ushort)body.Length);
        body.CopyTo(to[(at + 2)..]);
        return at + 2 + body.Length;
    }

    /// <summary>Reads leaf data; false when it is not an event's, to the last byte.</summary>
    public static bool TryRead(ReadOnlySpan<byte> leaf, out EventLeaf read)
    {
        read = default;
        if (leaf.Length < 2 || leaf[0] is not (EntryType.Event or EntryType.EventByActor) || leaf[1] > EventBody.MaxSubjects + (leaf[0] == EntryType.EventByActor ? 1 : 0))
        {
            return false;
        }

        var rest = leaf[2..];
        var keyBytes = leaf[1] * SubjectKey.Size;
        if (rest.Length < keyBytes + TimeSize)
        {
            return false;
        }

        var keys = rest[..keyBytes];
        var time = BinaryPrimitives.ReadInt64BigEndian(rest[keyBytes..]);
        rest = rest[(keyBytes + TimeSize)..];
        if (time < 0 || !Rises(keys) || !TryTake(ref rest, out var envelope) || !TryTake(ref rest, out var body) || rest.Length != 0
            || body.Length > EventBody.MaxBytes || !IsEnvelope(envelope))
        {
            return false;
        }

        read = new EventLeaf(leaf[0] == EntryType.EventByActor, keys, time, envelope, body);
        return true;
    }

    /// <summary>Subject keys of leaf data that was read before.</summary>
    public static ReadOnlySpan<byte> KeysOf(ReadOnlySpan<byte> leaf) => leaf.Slice(2, leaf[1] * SubjectKey.Size);

    /// <summary>True when 32-byte keys stand in rising order, none twice.</summary>
    public static bool Rises(ReadOnlySpan<byte> keys)
    {
        for (var at = SubjectKey.Size; at < keys.Length; at += SubjectKey.Size)
        {
            if (keys.Slice(at - SubjectKey.Size, SubjectKey.Size).SequenceCompareTo(keys.Slice(at, SubjectKey.Size)) >= 0)
            {
                return false;
            }
        }

        return keys.Length % SubjectKey.Size == 0;
    }

    private static bool TryTake(scoped ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> part)
    {
        part = default;
        if (rest.Length < 2 || rest.Length - 2 < BinaryPrimitives.ReadUInt16BigEndian(rest))
        {
            return false;
        }

        var length = BinaryPrimitives.ReadUInt16BigEndian(rest);
        part = rest.Slice(2, length);
        rest = rest[(2 + length)..];
        return true;
    }

    private static bool IsEnvelope(ReadOnlySpan<byte> envelope)
    {
        if (envelope.Length <= EnvelopeTag.Length || !envelope.StartsWith(EnvelopeTag))
        {
            return false;
        }

        var name = envelope[EnvelopeTag.Length];
        return name is > 0 and <= 32 && envelope.Length == EnvelopeTag.Length + 1 + name + FixedEnvelope
            && Ascii.IsValid(envelope.Slice(EnvelopeTag.Length + 1, name))
            && BinaryPrimitives.ReadInt64BigEndian(envelope[^FixedEnvelope..]) > 0
            && BinaryPrimitives.ReadInt64BigEndian(envelope[^(FixedEnvelope - 8)..]) > 0;
    }
}

/// <summary>A producer's place for one event.</summary>
/// <param name="Source">Source name.</param>
/// <param name="Epoch">Relay takeover.</param>
/// <param name="Seq">Number in the epoch.</param>
/// <param name="Prev">Envelope hash before.</param>
/// <param name="BodyHash">SHA-256 of the body.</param>
public readonly record struct EntryPlace(string Source, long Epoch, long Seq, ReadOnlyMemory<byte> Prev, ReadOnlyMemory<byte> BodyHash);

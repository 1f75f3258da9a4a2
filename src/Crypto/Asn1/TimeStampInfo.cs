using System.Formats.Asn1;
using System.Numerics;

namespace Trust.Crypto.Asn1;

/// <summary>TSTInfo (RFC 3161 2.4.2): what a time-stamp says.</summary>
/// <param name="Policy">The authority's policy.</param>
/// <param name="HashOid">Hash of the imprint.</param>
/// <param name="Imprint">The stamped hash.</param>
/// <param name="SerialNumber">Unique at this authority; big-endian magnitude.</param>
/// <param name="Time">genTime, UTC; written with milliseconds.</param>
/// <param name="Accuracy">Half-width of the time's uncertainty; whole milliseconds.</param>
/// <param name="Nonce">The request's nonce.</param>
public sealed record TimeStampInfo(
    string Policy,
    string HashOid,
    ReadOnlyMemory<byte> Imprint,
    ReadOnlyMemory<byte> SerialNumber,
    DateTimeOffset Time,
    TimeSpan Accuracy,
    ReadOnlyMemory<byte>? Nonce)
{
    /// <summary>Encodes TSTInfo, the content of the token.</summary>
    public byte[] Encode() => Der.Encode(w =>
    {
        using (w.PushSequence())
        {
            w.WriteInteger(1);
            w.WriteObjectIdentifier(Policy);
            using (w.PushSequence())
            {
                Der.WriteAlgorithm(w, HashOid);
                w.WriteOctetString(Imprint.Span);
            }

            Der.WriteUnsigned(w, SerialNumber.Span);
            // DER drops trailing zeros of the fraction, as RFC 3161 2.4.2 demands; AsnWriter does that.
            w.WriteGeneralizedTime(new DateTimeOffset(Time.UtcTicks - (Time.UtcTicks % TimeSpan.TicksPerMillisecond), TimeSpan.Zero));
            WriteAccuracy(w);
            if (Nonce is { } nonce)
            {
                Der.WriteUnsigned(w, nonce.Span);
            }
        }
    });

    /// <summary>Reads TSTInfo.</summary>
    /// <exception cref="AsnContentException">Not TSTInfo version 1, or with extensions.</exception>
    internal static TimeStampInfo Read(ReadOnlyMemory<byte> der)
    {
        var reader = Der.OneSequence(der);
        if (!reader.TryReadInt32(out var version) || version != 1)
        {
            throw new AsnContentException("TSTInfo is not version 1.");
        }

        var policy = reader.ReadObjectIdentifier();
        var imprint = reader.ReadSequence();
        var hash = Der.ReadAlgorithm(imprint);
        var hashed = imprint.ReadOctetString();
        imprint.ThrowIfNotEmpty();
        var serial = Der.ReadUnsigned(reader, 20);
        var time = reader.ReadGeneralizedTime();
        var accuracy = reader.HasData && reader.PeekTag().HasSameClassAndValue(Asn1Tag.Sequence) ? ReadAccuracy(reader.ReadSequence()) : TimeSpan.Zero;
        if (reader.HasData && reader.PeekTag().HasSameClassAndValue(Asn1Tag.Boolean))
        {
            _ = reader.ReadBoolean();
        }

        ReadOnlyMemory<byte>? nonce = reader.HasData && reader.PeekTag().HasSameClassAndValue(Asn1Tag.Integer) ? (ReadOnlyMemory<byte>?)Der.ReadUnsigned(reader, 32) : null;
        if (reader.HasData && reader.PeekTag().HasSameClassAndValue(Der.Context(0)))
        {
            // tsa [0] GeneralName: only a hint; the signing certificate says who it was.
            _ = reader.ReadEncodedValue();
        }

        reader.ThrowIfNotEmpty();
        return new TimeStampInfo(policy, hash, hashed, serial, time, accuracy, nonce);
    }

    private static TimeSpan ReadAccuracy(AsnReader reader)
    {
        var seconds = reader.HasData && reader.PeekTag().HasSameClassAndValue(Asn1Tag.Integer) ? reader.ReadInteger() : BigInteger.Zero;
        var millis = Fraction(reader, 0);
        var micros = Fraction(reader, 1);
        reader.ThrowIfNotEmpty();
        return seconds.Sign >= 0 && seconds < 86_400
            ? TimeSpan.FromSeconds((double)seconds) + TimeSpan.FromMilliseconds(millis) + TimeSpan.FromMicroseconds(micros)
            : throw new AsnContentException("The accuracy is out of range.");
    }

    private static int Fraction(AsnReader reader, int tag)
    {
        if (!reader.HasData || !reader.PeekTag().HasSameClassAndValue(Der.Context(tag, false)))
        {
            return 0;
        }

        return reader.TryReadInt32(out var value, Der.Context(tag, false)) && value is > 0 and < 1000
            ? value
            : throw new AsnContentException("The accuracy is out of range.");
    }

    private void WriteAccuracy(AsnWriter w)
    {
        var (seconds, millis) = ((long)Accuracy.TotalSeconds, Accuracy.Milliseconds);
        if (seconds == 0 && millis == 0)
        {
            return;
        }

        using (w.PushSequence())
        {
            if (seconds > 0)
            {
                w.WriteInteger(seconds);
            }

            if (millis > 0)
            {
                w.WriteInteger(millis, Der.Context(0, false));
            }
        }
    }
}

using System.Diagnostics.CodeAnalysis;
using System.Formats.Asn1;
using Org.BouncyCastle.Asn1;
using Library = Org.BouncyCastle.Asn1.Tsp;

namespace Trust.Crypto.Asn1;

/// <summary>TSTInfo (RFC 3161 2.4.2): what a time-stamp says.</summary>
/// <param name="Policy">The authority's policy.</param>
/// <param name="HashOid">Hash of the imprint.</param>
/// <param name="Imprint">The stamped hash.</param>
/// <param name="SerialNumber">Unique at this authority; big-endian magnitude.</param>
/// <param name="Time">genTime, UTC; written with milliseconds.</param>
/// <param name="Accuracy">Half-width of the time's uncertainty; whole milliseconds.</param>
/// <param name="Nonce">The request's nonce.</param>
/// <param name="NullParameters">Whether the imprint's hash algorithm has the parameters NULL, as the request's had.</param>
public sealed record TimeStampInfo(
    string Policy,
    string HashOid,
    ReadOnlyMemory<byte> Imprint,
    ReadOnlyMemory<byte> SerialNumber,
    DateTimeOffset Time,
    TimeSpan Accuracy,
    ReadOnlyMemory<byte>? Nonce,
    bool NullParameters = false)
{
    /// <summary>Encodes TSTInfo, the content of the token.</summary>
    // DER drops trailing zeros of the fraction, as RFC 3161 2.4.2 demands.
    public byte[] Encode() => LibraryCall.Encode(() => new Library.TstInfo(
        new DerObjectIdentifier(Policy),
        new Library.MessageImprint(Der.Algorithm(HashOid, NullParameters), Imprint.ToArray()),
        Der.Number(SerialNumber),
        Der.Time(Time, TimeSpan.TicksPerMillisecond),
        EncodeAccuracy(),
        null,
        Nonce is { } nonce ? Der.SignedNumber(nonce) : null,
        null,
        null));

    /// <summary>Reads TSTInfo.</summary>
    /// <param name="der">The content of a token whose signature holds.</param>
    /// <param name="info">What it says.</param>
    /// <returns>False when it is not TSTInfo version 1 in DER, or has a critical extension.</returns>
    internal static bool TryRead(ReadOnlyMemory<byte> der, [NotNullWhen(true)] out TimeStampInfo? info)
    {
        info = null;
        return LibraryCall.TryRead(der, TimeStamp.MaxBytes, Library.TstInfo.GetInstance, out var read)
            && LibraryCall.Try(() => Of(read), out info, out _);
    }

    private static TimeStampInfo Of(Library.TstInfo info)
    {
        // RFC 3161 2.4.2: an extension is ignored unless it is critical. tsa is only a hint: the signing certificate says who it was.
        if (!info.Version.Equals(DerInteger.One) || (info.Extensions is { } extensions && CertificateExtension.ReadList(extensions).Exists(e => e.Critical)))
        {
            throw new AsnContentException("TSTInfo is not version 1, or has an extension that is not understood.");
        }

        return new TimeStampInfo(
            info.Policy.Id,
            Der.OidOf(info.MessageImprint.HashAlgorithm),
            info.MessageImprint.GetHashedMessage(),
            Der.Unsigned(info.SerialNumber, 20),
            Der.Instant(info.GenTime),
            info.Accuracy is { } accuracy ? ReadAccuracy(accuracy) : TimeSpan.Zero,
            info.Nonce is { } nonce ? (ReadOnlyMemory<byte>?)Der.Signed(nonce, TimeStampRequest.MaxNonce) : null,
            info.MessageImprint.HashAlgorithm.Parameters is not null);
    }

    // The library holds milliseconds and microseconds to 1 to 999.
    private static TimeSpan ReadAccuracy(Library.Accuracy accuracy)
    {
        var seconds = accuracy.Seconds?.IntValueExact ?? 0;
        return seconds is >= 0 and < 86_400
            ? TimeSpan.FromSeconds(seconds) + TimeSpan.FromMilliseconds(accuracy.Millis?.IntValueExact ?? 0) + TimeSpan.FromMicroseconds(accuracy.Micros?.IntValueExact ?? 0)
            : throw new AsnContentException("The accuracy is out of range.");
    }

    private Library.Accuracy? EncodeAccuracy()
    {
        var (seconds, millis) = ((int)Accuracy.TotalSeconds, Accuracy.Milliseconds);
        return seconds == 0 && millis == 0
            ? null
            : new Library.Accuracy(seconds > 0 ? DerInteger.ValueOf(seconds) : null, millis > 0 ? DerInteger.ValueOf(millis) : null, null);
    }
}

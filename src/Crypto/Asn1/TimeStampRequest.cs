using System.Diagnostics.CodeAnalysis;
using System.Formats.Asn1;

namespace Trust.Crypto.Asn1;

/// <summary>Why a time-stamp request is refused (PKIFailureInfo, RFC 3161 2.4.2); the numbers are the bit positions.</summary>
public enum TimeStampFailure
{
    /// <summary>badAlg.</summary>
    BadAlgorithm = 0,

    /// <summary>badRequest.</summary>
    BadRequest = 2,

    /// <summary>badDataFormat.</summary>
    BadDataFormat = 5,

    /// <summary>timeNotAvailable.</summary>
    TimeNotAvailable = 14,

    /// <summary>unacceptedPolicy.</summary>
    UnacceptedPolicy = 15,

    /// <summary>unacceptedExtension.</summary>
    UnacceptedExtension = 16,

    /// <summary>systemFailure.</summary>
    SystemFailure = 25,
}

/// <summary>A time-stamp request (TimeStampReq, RFC 3161 2.4.1), parsed within bounds.</summary>
/// <param name="HashOid">SHA-256, SHA-384, SHA-512 or SM3.</param>
/// <param name="Imprint">The hash to be stamped, of that algorithm's size.</param>
/// <param name="Policy">The policy asked for; null for any.</param>
/// <param name="Nonce">Big-endian magnitude, at most 32 bytes; null when absent.</param>
/// <param name="CertificateWanted">certReq.</param>
public sealed record TimeStampRequest(
    string HashOid, ReadOnlyMemory<byte> Imprint, string? Policy = null, ReadOnlyMemory<byte>? Nonce = null, bool CertificateWanted = true)
{
    /// <summary>Largest accepted request, in bytes.</summary>
    public const int MaxBytes = 2048;

    /// <summary>Parses a request.</summary>
    /// <param name="der">The body.</param>
    /// <param name="request">The request when acceptable.</param>
    /// <param name="failure">What to answer when not.</param>
    public static bool TryParse(
        ReadOnlyMemory<byte> der, [NotNullWhen(true)] out TimeStampRequest? request, out TimeStampFailure failure)
    {
        request = null;
        failure = TimeStampFailure.BadDataFormat;
        if (der.Length is 0 or > MaxBytes)
        {
            return false;
        }

        try
        {
            var fault = Read(Der.OneSequence(der), out request);
            failure = fault ?? TimeStampFailure.BadDataFormat;
            return fault is null && request is not null;
        }
        catch (AsnContentException)
        {
            request = null;
            return false;
        }
    }

    /// <summary>Encodes the request, as a client.</summary>
    public byte[] Encode() => Der.Encode(w =>
    {
        using (w.PushSequence())
        {
            w.WriteInteger(1);
            using (w.PushSequence())
            {
                Der.WriteAlgorithm(w, HashOid);
                w.WriteOctetString(Imprint.Span);
            }

            if (Policy is not null)
            {
                w.WriteObjectIdentifier(Policy);
            }

            if (Nonce is { } nonce)
            {
                Der.WriteUnsigned(w, nonce.Span);
            }

            if (CertificateWanted)
            {
                w.WriteBoolean(true);
            }
        }
    });

    private static TimeStampFailure? Read(AsnReader reader, out TimeStampRequest? request)
    {
        request = null;
        if (!reader.TryReadInt32(out var version) || version != 1)
        {
            return TimeStampFailure.BadRequest;
        }

        var imprint = reader.ReadSequence();
        var hash = Der.ReadAlgorithm(imprint);
        var hashed = imprint.ReadOctetString();
        imprint.ThrowIfNotEmpty();
        var policy = reader.HasData && reader.PeekTag().HasSameClassAndValue(Asn1Tag.ObjectIdentifier) ? reader.ReadObjectIdentifier() : null;
        ReadOnlyMemory<byte>? nonce = reader.HasData && reader.PeekTag().HasSameClassAndValue(Asn1Tag.Integer) ? (ReadOnlyMemory<byte>?)Der.ReadUnsigned(reader, 32) : null;
        var wanted = reader.HasData && reader.PeekTag().HasSameClassAndValue(Asn1Tag.Boolean) && reader.ReadBoolean();
        if (reader.HasData)
        {
            _ = reader.ReadSequence(Der.Context(0));
            reader.ThrowIfNotEmpty();
            // RFC 3161 2.4.1: an extension that is not understood is refused whether critical or not.
            return TimeStampFailure.UnacceptedExtension;
        }

        var size = Der.HashSize(hash);
        if (size == 0)
        {
            return TimeStampFailure.BadAlgorithm;
        }

        if (hashed.Length != size)
        {
            return TimeStampFailure.BadDataFormat;
        }

        request = new TimeStampRequest(hash, hashed, policy, nonce, wanted);
        return null;
    }
}

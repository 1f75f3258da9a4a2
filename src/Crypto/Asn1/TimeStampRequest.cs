using System.Diagnostics.CodeAnalysis;
using Org.BouncyCastle.Asn1;
using Library = Org.BouncyCastle.Asn1.Tsp;

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
/// <param name="Nonce">An INTEGER of any sign, big-endian two's complement, at most 128 bytes; null when absent.</param>
/// <param name="CertificateWanted">certReq.</param>
/// <param name="NullParameters">Whether the hash algorithm has the parameters NULL: the answer's imprint is the request's, to the byte (RFC 3161 2.4.2).</param>
public sealed record TimeStampRequest(
    string HashOid, ReadOnlyMemory<byte> Imprint, string? Policy = null, ReadOnlyMemory<byte>? Nonce = null, bool CertificateWanted = true,
    bool NullParameters = false)
{
    /// <summary>Largest accepted request, in bytes.</summary>
    public const int MaxBytes = 2048;

    /// <summary>Longest nonce, in bytes.</summary>
    internal const int MaxNonce = 128;

    /// <summary>Parses a request.</summary>
    /// <param name="der">The body.</param>
    /// <param name="request">The request when acceptable.</param>
    /// <param name="failure">What to answer when not.</param>
    public static bool TryParse(
        ReadOnlyMemory<byte> der, [NotNullWhen(true)] out TimeStampRequest? request, out TimeStampFailure failure)
    {
        request = null;
        failure = TimeStampFailure.BadDataFormat;
        // Not held to what the library writes back: some clients write that they want no certificate, which is the default.
        return DerGate.Check(der.Span, MaxBytes) is null
            && LibraryCall.Try(() => Library.TimeStampReq.GetInstance(Asn1Object.FromByteArray(der.ToArray())), out var read, out _)
            && LibraryCall.Try(() => Judge(read), out var verdict, out _)
            && verdict.TryGet(out request, out failure);
    }

    /// <summary>Encodes the request, as a client.</summary>
    public byte[] Encode() => LibraryCall.Encode(() => new Library.TimeStampReq(
        new Library.MessageImprint(Der.Algorithm(HashOid, NullParameters), Imprint.ToArray()),
        Policy is null ? null : new DerObjectIdentifier(Policy),
        Nonce is { } nonce ? Der.SignedNumber(nonce) : null,
        DerBoolean.GetInstance(CertificateWanted),
        null));

    private static Verdict Judge(Library.TimeStampReq read)
    {
        if (!read.Version.Equals(DerInteger.One))
        {
            return new Verdict(null, TimeStampFailure.BadRequest);
        }

        // RFC 3161 2.4.1: an extension that is not understood is refused whether critical or not.
        if (read.Extensions is not null)
        {
            return new Verdict(null, TimeStampFailure.UnacceptedExtension);
        }

        var (hash, imprint) = (Der.OidOf(read.MessageImprint.HashAlgorithm), read.MessageImprint.GetHashedMessage());
        var size = Der.HashSize(hash);
        if (size == 0 || imprint.Length != size)
        {
            return new Verdict(null, size == 0 ? TimeStampFailure.BadAlgorithm : TimeStampFailure.BadDataFormat);
        }

        var nonce = read.Nonce is { } number ? (ReadOnlyMemory<byte>?)Der.Signed(number, MaxNonce) : null;
        return new Verdict(new TimeStampRequest(hash, imprint, read.ReqPolicy?.Id, nonce, read.CertReq.IsTrue, read.MessageImprint.HashAlgorithm.Parameters is not null), default);
    }

    private sealed record Verdict(TimeStampRequest? Request, TimeStampFailure Failure)
    {
        public bool TryGet([NotNullWhen(true)] out TimeStampRequest? request, out TimeStampFailure failure)
        {
            (request, failure) = (Request, Failure);
            return request is not null;
        }
    }
}

using System.Numerics;
using Org.BouncyCastle.Asn1;
using Org.BouncyCastle.Asn1.Cmp;
using Org.BouncyCastle.Asn1.Cms;
using Library = Org.BouncyCastle.Asn1.Tsp;

namespace Trust.Crypto.Asn1;

/// <summary>Why a time-stamp proves nothing. The set is closed.</summary>
public enum TimeStampRefusal
{
    /// <summary>Not a response or token, or beyond 32 KiB.</summary>
    Malformed,

    /// <summary>The authority refused the request.</summary>
    NotGranted,

    /// <summary>The token's signature is not acceptable.</summary>
    Signature,

    /// <summary>The token is over other data.</summary>
    OtherImprint,

    /// <summary>The nonce is not the one that was sent.</summary>
    NonceMismatch,

    /// <summary>The authority's certificate does not lead to a trusted root, or is not for time-stamping.</summary>
    Untrusted,
}

/// <summary>What a verifier learns from a token.</summary>
public abstract record TimeStampOutcome
{
    private TimeStampOutcome()
    {
    }

    /// <summary>The data existed at the time.</summary>
    /// <param name="Info">What the token says.</param>
    /// <param name="Path">The authority's certificates, leaf first.</param>
    public sealed record Proved(TimeStampInfo Info, IReadOnlyList<Certificate> Path) : TimeStampOutcome;

    /// <summary>Nothing proved.</summary>
    public sealed record Refused(TimeStampRefusal Reason, PathRefusal? Path = null) : TimeStampOutcome;
}

/// <summary>Time-stamp responses and tokens (RFC 3161, RFC 5816).</summary>
public static class TimeStamp
{
    /// <summary>Largest accepted response, in bytes.</summary>
    public const int MaxBytes = 32 * 1024;

    // PKIStatus, RFC 3161 2.4.2.
    private const int StatusGranted = 0;
    private const int StatusGrantedWithMods = 1;
    private const int StatusRejected = 2;

    /// <summary>Makes a token.</summary>
    /// <param name="info">What it says.</param>
    /// <param name="authority">The authority's certificate; its sole purpose is time-stamping.</param>
    /// <param name="certificates">Certificates to carry when the request wants them; empty otherwise.</param>
    /// <param name="signer">The authority's key.</param>
    /// <param name="ct">Cancels waiting for the key.</param>
    public static ValueTask<byte[]> IssueToken(
        TimeStampInfo info, Certificate authority, IReadOnlyList<Certificate> certificates, DigestSigner signer, CancellationToken ct) =>
        CmsSignedData.Sign(Oids.TstInfo, info.Encode(), detached: false, authority, certificates, signer, signingTime: null, ct);

    /// <summary>Wraps a token as a granted response.</summary>
    public static byte[] Granted(ReadOnlyMemory<byte> token) =>
        LibraryCall.Encode(() => new Library.TimeStampResp(new PkiStatusInfo(StatusGranted), ContentInfo.GetInstance(Asn1Object.FromByteArray(token.ToArray()))));

    /// <summary>A refusal.</summary>
    /// <param name="failure">The rule.</param>
    /// <param name="text">One sentence for people; no secrets.</param>
    public static byte[] Rejected(TimeStampFailure failure, string text) => LibraryCall.Encode(() => new Library.TimeStampResp(
        // The library numbers the bits of a named bit list by byte, the highest bit of each first.
        new PkiStatusInfo(StatusRejected, new PkiFreeText(text), new PkiFailureInfo((0x80 >> ((int)failure % 8)) << ((int)failure / 8 * 8))), null));

    /// <summary>Takes the token out of a response.</summary>
    /// <returns>Null when the response is malformed or not granted.</returns>
    public static ReadOnlyMemory<byte>? TokenOf(ReadOnlyMemory<byte> response) =>
        LibraryCall.TryRead(response, MaxBytes, Library.TimeStampResp.GetInstance, out var read)
        && LibraryCall.Try(() => IsGranted(read.Status) && read.TimeStampToken is not null ? read.TimeStampToken.Received() : [], out var token, out _)
        && token.Length > 0 ? (ReadOnlyMemory<byte>?)token : null;

    /// <summary>Verifies a token over data, at the token's own time.</summary>
    /// <param name="token">The token (ContentInfo).</param>
    /// <param name="data">The data that should be stamped.</param>
    /// <param name="extraCertificates">Certificates that may help to build the path.</param>
    /// <param name="trustedRoots">Trust anchors.</param>
    /// <param name="nonce">The nonce that was sent; null when it does not matter.</param>
    /// <param name="ct">Ends the search for a path.</param>
    public static TimeStampOutcome Verify(
        ReadOnlyMemory<byte> token,
        ReadOnlySpan<byte> data,
        IReadOnlyList<Certificate> extraCertificates,
        IReadOnlyList<Certificate> trustedRoots,
        ReadOnlyMemory<byte>? nonce = null,
        CancellationToken ct = default)
    {
        if (token.Length > MaxBytes)
        {
            return new TimeStampOutcome.Refused(TimeStampRefusal.Malformed);
        }

        if (CmsVerification.Verify(token, Oids.TstInfo, null, extraCertificates) is not CmsOutcome.Valid signed)
        {
            return new TimeStampOutcome.Refused(TimeStampRefusal.Signature);
        }

        if (!TimeStampInfo.TryRead(signed.Content, out var info))
        {
            return new TimeStampOutcome.Refused(TimeStampRefusal.Malformed);
        }

        if (Der.Hash(info.HashOid, data) is not { } hash || !info.Imprint.Span.SequenceEqual(hash))
        {
            return new TimeStampOutcome.Refused(TimeStampRefusal.OtherImprint);
        }

        if (nonce is { } sent && !(info.Nonce is { } back && Number(back) == Number(sent)))
        {
            return new TimeStampOutcome.Refused(TimeStampRefusal.NonceMismatch);
        }

        // The caller's own certificates first: what a stranger carries along must not spend the search before them.
        return CertificatePath.Build(signed.Signer, [.. extraCertificates, .. signed.Certificates], trustedRoots, info.Time, CertificateUsage.TimeStamping, ct) switch
        {
            PathOutcome.Trusted trusted => new TimeStampOutcome.Proved(info, trusted.Path),
            PathOutcome.Refused refused => new TimeStampOutcome.Refused(TimeStampRefusal.Untrusted, refused.Reason),
            _ => throw new InvalidOperationException("A closed set."),
        };
    }

    private static bool IsGranted(PkiStatusInfo status) => status.StatusObject.HasValue(StatusGranted) || status.StatusObject.HasValue(StatusGrantedWithMods);

    private static BigInteger Number(ReadOnlyMemory<byte> bytes) => new(bytes.Span, isUnsigned: false, isBigEndian: true);
}

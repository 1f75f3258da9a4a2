using System.Formats.Asn1;
using System.Numerics;

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
    public static byte[] Granted(ReadOnlyMemory<byte> token) => Der.Encode(w =>
    {
        using (w.PushSequence())
        {
            using (w.PushSequence())
            {
                w.WriteInteger(0);
            }

            w.WriteEncodedValue(token.Span);
        }
    });

    /// <summary>A refusal.</summary>
    /// <param name="failure">The rule.</param>
    /// <param name="text">One sentence for people; no secrets.</param>
    public static byte[] Rejected(TimeStampFailure failure, string text) => Der.Encode(w =>
    {
        using (w.PushSequence())
        using (w.PushSequence())
        {
            w.WriteInteger(2);
            using (w.PushSequence())
            {
                w.WriteCharacterString(UniversalTagNumber.UTF8String, text);
            }

            // failInfo is a named bit list: the highest set bit is the last one written.
            var bits = new byte[((int)failure / 8) + 1];
            bits[^1] = (byte)(0x80 >> ((int)failure % 8));
            w.WriteBitString(bits, 7 - ((int)failure % 8));
        }
    });

    /// <summary>Takes the token out of a response.</summary>
    /// <returns>Null when the response is malformed or not granted.</returns>
    public static ReadOnlyMemory<byte>? TokenOf(ReadOnlyMemory<byte> response)
    {
        if (response.Length > MaxBytes)
        {
            return null;
        }

        try
        {
            var reader = Der.OneSequence(response);
            var status = reader.ReadSequence();
            var granted = status.TryReadInt32(out var value) && value is 0 or 1;
            if (!granted || !reader.HasData)
            {
                return null;
            }

            var token = reader.ReadEncodedValue();
            reader.ThrowIfNotEmpty();
            return token;
        }
        catch (AsnContentException)
        {
            return null;
        }
    }

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

        TimeStampInfo info;
        try
        {
            info = TimeStampInfo.Read(signed.Content);
        }
        catch (AsnContentException)
        {
            return new TimeStampOutcome.Refused(TimeStampRefusal.Malformed);
        }

        if (Der.Hash(info.HashOid, data) is not { } hash || !info.Imprint.Span.SequenceEqual(hash))
        {
            return new TimeStampOutcome.Refused(TimeStampRefusal.OtherImprint);
        }

        if (nonce is { } sent && !(info.Nonce is { } back && Magnitude(back) == Magnitude(sent)))
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

    private static BigInteger Magnitude(ReadOnlyMemory<byte> bytes) => new(bytes.Span, isUnsigned: true, isBigEndian: true);
}

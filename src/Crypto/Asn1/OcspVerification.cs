using System.Formats.Asn1;
using Org.BouncyCastle.Asn1;
using Library = Org.BouncyCastle.Asn1.Ocsp;

namespace Trust.Crypto.Asn1;

/// <summary>Why an OCSP response says nothing about a certificate. The set is closed.</summary>
public enum OcspRefusal
{
    /// <summary>Not DER, beyond 16 KiB, or a critical extension that is not understood.</summary>
    Malformed,

    /// <summary>The responder answered with an error status.</summary>
    NotSuccessful,

    /// <summary>The response answers another question.</summary>
    OtherCertificate,

    /// <summary>The nonce is missing or not the one that was sent.</summary>
    NonceMismatch,

    /// <summary>The signer that the response names is neither the issuer nor delegated by it for good.</summary>
    ResponderNotAuthorised,

    /// <summary>The signature does not verify.</summary>
    BadSignature,

    /// <summary>Outside thisUpdate and nextUpdate, or without nextUpdate and too old.</summary>
    Stale,
}

/// <summary>What a client learns from an OCSP response.</summary>
public abstract record OcspOutcome
{
    private OcspOutcome()
    {
    }

    /// <summary>A verified answer.</summary>
    public sealed record Answer(SingleResponse Response, DateTimeOffset ProducedAt) : OcspOutcome;

    /// <summary>No answer.</summary>
    public sealed record Refused(OcspRefusal Reason) : OcspOutcome;
}

/// <summary>Judges OCSP responses as a client (RFC 6960 3.2).</summary>
public static class OcspVerification
{
    /// <summary>Largest accepted response, in bytes.</summary>
    public const int MaxBytes = 16 * 1024;

    /// <summary>How long an answer holds that names no end: it says that a newer one can be had at any time (RFC 6960 4.2.2.1).</summary>
    public static readonly TimeSpan MaxAgeWithoutEnd = TimeSpan.FromDays(1);

    private const int MaxCandidates = 4;
    private const int MaxResponses = 64;

    // RFC 5019 4: clocks differ a little.
    private static readonly TimeSpan Skew = TimeSpan.FromMinutes(1);

    /// <summary>Checks a response to a question about one certificate.</summary>
    /// <param name="der">The response.</param>
    /// <param name="issuer">The issuer of the certificate asked about, already trusted.</param>
    /// <param name="serialNumber">The certificate asked about.</param>
    /// <param name="at">The instant at which the answer must be fresh and the responder valid.</param>
    /// <param name="nonce">The nonce sent; null when none was.</param>
    /// <returns>Of several answers about the certificate the worst.</returns>
    public static OcspOutcome Verify(
        ReadOnlyMemory<byte> der, Certificate issuer, ReadOnlyMemory<byte> serialNumber, DateTimeOffset at, ReadOnlyMemory<byte>? nonce = null)
    {
        if (!LibraryCall.TryRead(der, MaxBytes, Library.OcspResponse.GetInstance, out var response))
        {
            return new OcspOutcome.Refused(OcspRefusal.Malformed);
        }

        if (response.ResponseStatus.IntValueExact != 0)
        {
            return new OcspOutcome.Refused(OcspRefusal.NotSuccessful);
        }

        return response.ResponseBytes is { } bytes && bytes.ResponseType.Id == Oids.OcspBasic
            && LibraryCall.TryRead(bytes.Response.GetOctets(), MaxBytes, Library.BasicOcspResponse.GetInstance, out var basic)
            && LibraryCall.Try(() => new Content(basic), out var content, out _)
            ? Judge(content, issuer, serialNumber, at, nonce)
            : new OcspOutcome.Refused(OcspRefusal.Malformed);
    }

    private static OcspOutcome Judge(
        Content content, Certificate issuer, ReadOnlyMemory<byte> serialNumber, DateTimeOffset at, ReadOnlyMemory<byte>? nonce)
    {
        if (content.Suite is not { } suite
            || content.Certificates.Prepend(issuer).FirstOrDefault(c => MayAnswer(c, issuer, at) && content.IsBy(c)) is not { } responder)
        {
            return new OcspOutcome.Refused(OcspRefusal.ResponderNotAuthorised);
        }

        if (!suite.Verify(responder.SubjectPublicKeyInfo, content.Signed, content.Signature))
        {
            return new OcspOutcome.Refused(OcspRefusal.BadSignature);
        }

        if (nonce is { } sent && !(content.Nonce is { } back && back.Span.SequenceEqual(sent.Span)))
        {
            return new OcspOutcome.Refused(OcspRefusal.NonceMismatch);
        }

        var serial = serialNumber.TrimStart((byte)0);
        var worst = content.Responses.Where(s => s.Id.SerialNumber.Span.SequenceEqual(serial.Span) && s.Id.IsIssuedBy(issuer)).MaxBy(s => Badness(s.Status));
        if (worst is null)
        {
            return new OcspOutcome.Refused(OcspRefusal.OtherCertificate);
        }

        return IsFresh(worst, at) && content.ProducedAt <= at + Skew
            ? new OcspOutcome.Answer(worst, content.ProducedAt)
            : new OcspOutcome.Refused(OcspRefusal.Stale);
    }

    private static int Badness(CertificateStatus status) => status switch
    {
        CertificateStatus.Good => 0,
        CertificateStatus.Unknown => 1,
        _ => 2,
    };

    private static bool IsFresh(SingleResponse response, DateTimeOffset at)
    {
        // Differences, because a response may name the first or the last instant of the calendar, beyond which there is no sum.
        var (end, age) = response.NextUpdate is { } next ? (next, TimeSpan.Zero) : (response.ThisUpdate, MaxAgeWithoutEnd);
        return response.ThisUpdate <= end && response.ThisUpdate - at <= Skew && at - end <= age + Skew;
    }

    // RFC 6960 4.2.2.2: the issuer itself, or whom the same issuer gave the purpose. Nobody asks for the status of a delegate, so it must
    // be one of which none is needed (4.2.2.2.1).
    private static bool MayAnswer(Certificate candidate, Certificate issuer, DateTimeOffset at) =>
        candidate.Der.Span.SequenceEqual(issuer.Der.Span)
        || (candidate.FindExtension(Oids.OcspNoCheck) is not null
            && CertificatePath.Build(candidate, [], [issuer], at, CertificateUsage.OcspSigning) is PathOutcome.Trusted);

    // BasicOCSPResponse (RFC 6960 4.2.1) in parts.
    private sealed class Content
    {
        private readonly Library.ResponderID responder;

        public Content(Library.BasicOcspResponse basic)
        {
            var data = basic.TbsResponseData;
            Der.RefuseVersion(data);
            responder = data.ResponderID;
            Signed = data.Received();
            Suite = SignatureSuite.FromAlgorithmIdentifier(basic.SignatureAlgorithm.Received());
            Signature = basic.GetSignatureOctets();
            ProducedAt = Der.Instant(data.ProducedAt);
            Responses = data.Responses.Count <= MaxResponses
                ? [.. data.Responses.Select(r => Read(LibraryCall.Part(r, Library.SingleResponse.GetInstance)))]
                : throw new AsnContentException("Too many answers.");
            Nonce = OcspNonce.Read(data.ResponseExtensions);
            foreach (var element in basic.Certs?.Take(MaxCandidates) ?? [])
            {
                if (Certificate.TryParse(element.Received(), out var certificate, out _))
                {
                    Certificates.Add(certificate);
                }
            }
        }

        public byte[] Signed { get; }

        public SignatureSuite? Suite { get; }

        public byte[] Signature { get; }

        public DateTimeOffset ProducedAt { get; }

        public List<SingleResponse> Responses { get; }

        public ReadOnlyMemory<byte>? Nonce { get; }

        public List<Certificate> Certificates { get; } = [];

        // KeyHash is SHA-1 by definition (RFC 6960 4.2.1).
        public bool IsBy(Certificate certificate) => responder.GetKeyHash() is { } hash
            ? hash.AsSpan().SequenceEqual(CertificateId.Hash(Oids.Sha1, CertificateId.KeyBits(certificate.SubjectPublicKeyInfo)))
            : PathValidation.Same(responder.Name, certificate.Structure.Subject);

        private static SingleResponse Read(Library.SingleResponse response)
        {
            // None is understood here, so none may be critical.
            _ = OcspNonce.Read(response.SingleExtensions);
            return new SingleResponse(
                CertificateId.Of(response.CertId),
                Read(response.CertStatus),
                Der.Instant(response.ThisUpdate),
                response.NextUpdate is { } next ? Der.Instant(next) : null);
        }

        private static CertificateStatus Read(Library.CertStatus status) => status.TagNo switch
        {
            OcspResponse.TagOfGood => new CertificateStatus.Good(),
            OcspResponse.TagOfRevoked when status.Status is Library.RevokedInfo revoked => new CertificateStatus.Revoked(
                Der.Instant(revoked.RevocationTime),
                revoked.RevocationReason is { } reason ? CertificateList.ReadReason(new AsnReader(reason.Received(), AsnEncodingRules.DER)) : RevocationReason.Unspecified),
            _ => new CertificateStatus.Unknown(),
        };
    }
}

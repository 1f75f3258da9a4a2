using Org.BouncyCastle.Asn1;
using Org.BouncyCastle.Asn1.X509;
using Library = Org.BouncyCastle.Asn1.Ocsp;

namespace Trust.Crypto.Asn1;

/// <summary>Unsigned OCSP answers (OCSPResponseStatus, RFC 6960 4.2.1).</summary>
public enum OcspError
{
    /// <summary>malformedRequest.</summary>
    MalformedRequest = 1,

    /// <summary>internalError.</summary>
    InternalError = 2,

    /// <summary>tryLater.</summary>
    TryLater = 3,

    /// <summary>sigRequired.</summary>
    SignatureRequired = 5,

    /// <summary>unauthorized: not our certificates (RFC 5019 2.2.3).</summary>
    Unauthorized = 6,
}

/// <summary>The state of one certificate (CertStatus).</summary>
public abstract record CertificateStatus
{
    private CertificateStatus()
    {
    }

    /// <summary>Issued and not revoked.</summary>
    public sealed record Good : CertificateStatus;

    /// <summary>Revoked or on hold.</summary>
    public sealed record Revoked(DateTimeOffset At, RevocationReason Reason) : CertificateStatus;

    /// <summary>Never issued, or not known here: never "good".</summary>
    public sealed record Unknown : CertificateStatus;
}

/// <summary>One answer inside a response.</summary>
/// <param name="Id">As in the request, byte for byte.</param>
/// <param name="Status">The state.</param>
/// <param name="ThisUpdate">When it was true.</param>
/// <param name="NextUpdate">Until when it may be cached; null for always fresh.</param>
public sealed record SingleResponse(CertificateId Id, CertificateStatus Status, DateTimeOffset ThisUpdate, DateTimeOffset? NextUpdate);

/// <summary>Writes OCSP responses (RFC 6960 4.2) in two steps: encode the bytes to sign, then assemble.</summary>
public static class OcspResponse
{
    // CertStatus, RFC 6960 4.2.1.
    internal const int TagOfGood = 0;
    internal const int TagOfRevoked = 1;
    internal const int TagOfUnknown = 2;

    /// <summary>An unsigned error answer.</summary>
    public static byte[] Error(OcspError error) => [0x30, 0x03, 0x0A, 0x01, (byte)error];

    /// <summary>ResponseData, the bytes to sign; the responder is named by its key (byKey).</summary>
    /// <param name="responder">The responder's certificate.</param>
    /// <param name="producedAt">When this is signed.</param>
    /// <param name="responses">The answers.</param>
    /// <param name="nonce">The request's nonce, given back; null when there was none.</param>
    public static byte[] EncodeTbs(
        Certificate responder, DateTimeOffset producedAt, IReadOnlyList<SingleResponse> responses, ReadOnlyMemory<byte>? nonce) =>
        LibraryCall.Encode(() => new Library.ResponseData(
            // KeyHash is SHA-1 by definition (RFC 6960 4.2.1).
            new Library.ResponderID(new DerOctetString(CertificateId.Hash(Oids.Sha1, CertificateId.KeyBits(responder.SubjectPublicKeyInfo)))),
            Der.Time(producedAt),
            new DerSequence(responses.Select(Encode).ToArray<Asn1Encodable>()),
            OcspNonce.Encode(nonce)));

    /// <summary>Wraps signed ResponseData as a successful response with the responder's certificate inside.</summary>
    public static byte[] Assemble(
        ReadOnlyMemory<byte> tbs, SignatureSuite suite, ReadOnlySpan<byte> rawSignature, params IReadOnlyList<Certificate> certificates)
    {
        var signature = suite.EncodeSignature(rawSignature);
        var basic = Der.Encode(w =>
        {
            using (w.PushSequence())
            {
                w.WriteEncodedValue(tbs.Span);
                w.WriteEncodedValue(suite.AlgorithmIdentifier.Span);
                w.WriteBitString(signature);
                if (certificates.Count > 0)
                {
                    using (w.PushSequence(Der.Context(0)))
                    using (w.PushSequence())
                    {
                        foreach (var certificate in certificates)
                        {
                            w.WriteEncodedValue(certificate.Der.Span);
                        }
                    }
                }
            }
        });
        return Der.Encode(w =>
        {
            using (w.PushSequence())
            {
                w.WriteEncodedValue([0x0A, 0x01, 0x00]);
                using (w.PushSequence(Der.Context(0)))
                using (w.PushSequence())
                {
                    w.WriteObjectIdentifier(Oids.OcspBasic);
                    w.WriteOctetString(basic);
                }
            }
        });
    }

    private static Library.SingleResponse Encode(SingleResponse response) => new(
        response.Id.Encode(),
        response.Status switch
        {
            CertificateStatus.Good => new Library.CertStatus(),
            CertificateStatus.Revoked revoked => new Library.CertStatus(new Library.RevokedInfo(
                Der.Time(revoked.At), revoked.Reason == RevocationReason.Unspecified ? null : new CrlReason((int)revoked.Reason))),
            _ => new Library.CertStatus(TagOfUnknown, DerNull.Instance),
        },
        Der.Time(response.ThisUpdate),
        response.NextUpdate is { } next ? Der.Time(next) : null,
        null);
}

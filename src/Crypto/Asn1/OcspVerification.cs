using System.Formats.Asn1;

namespace Trust.Crypto.Asn1;

/// <summary>Why an OCSP response says nothing about a certificate. The set is closed.</summary>
public enum OcspRefusal
{
    /// <summary>Not DER, or beyond 16 KiB.</summary>
    Malformed,

    /// <summary>The responder answered with an error status.</summary>
    NotSuccessful,

    /// <summary>The response answers another question.</summary>
    OtherCertificate,

    /// <summary>The nonce is missing or not the one that was sent.</summary>
    NonceMismatch,

    /// <summary>The signer is neither the issuer nor delegated by it.</summary>
    ResponderNotAuthorised,

    /// <summary>The signature does not verify.</summary>
    BadSignature,

    /// <summary>Outside thisUpdate and nextUpdate.</summary>
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

    // RFC 5019 4: clocks differ a little.
    private static readonly TimeSpan Skew = TimeSpan.FromMinutes(1);

    /// <summary>Checks a response to a question about one certificate.</summary>
    /// <param name="der">The response.</param>
    /// <param name="issuer">The issuer of the certificate asked about, already trusted.</param>
    /// <param name="serialNumber">The certificate asked about.</param>
    /// <param name="at">The instant at which the answer must be fresh and the responder valid.</param>
    /// <param name="nonce">The nonce sent; null when none was.</param>
    public static OcspOutcome Verify(
        ReadOnlyMemory<byte> der, Certificate issuer, ReadOnlyMemory<byte> serialNumber, DateTimeOffset at, ReadOnlyMemory<byte>? nonce = null)
    {
        if (der.Length > MaxBytes)
        {
            return new OcspOutcome.Refused(OcspRefusal.Malformed);
        }

        try
        {
            var outer = Der.OneSequence(der);
            var status = outer.ReadEnumeratedBytes();
            if (status.Length != 1 || status.Span[0] != 0)
            {
                return new OcspOutcome.Refused(OcspRefusal.NotSuccessful);
            }

            var response = outer.ReadSequence(Der.Context(0)).ReadSequence();
            outer.ThrowIfNotEmpty();
            return string.Equals(response.ReadObjectIdentifier(), Oids.OcspBasic, StringComparison.Ordinal)
                ? VerifyBasic(response.ReadOctetString(), issuer, serialNumber, at, nonce)
                : new OcspOutcome.Refused(OcspRefusal.Malformed);
        }
        catch (AsnContentException)
        {
            return new OcspOutcome.Refused(OcspRefusal.Malformed);
        }
    }

    private static OcspOutcome VerifyBasic(
        ReadOnlyMemory<byte> der, Certificate issuer, ReadOnlyMemory<byte> serialNumber, DateTimeOffset at, ReadOnlyMemory<byte>? nonce)
    {
        var basic = Der.OneSequence(der);
        var tbs = basic.ReadEncodedValue();
        var suite = SignatureSuite.FromAlgorithmIdentifier(basic.ReadEncodedValue().Span);
        var signature = Der.ReadWholeBits(basic);
        var responder = FindResponder(basic, issuer, at);
        if (responder is null || suite is null)
        {
            return new OcspOutcome.Refused(OcspRefusal.ResponderNotAuthorised);
        }

        if (!suite.Verify(responder.SubjectPublicKeyInfo, tbs.Span, signature))
        {
            return new OcspOutcome.Refused(OcspRefusal.BadSignature);
        }

        var (producedAt, singles, echoed) = ReadData(tbs);
        if (nonce is { } sent && !(echoed is { } back && back.Span.SequenceEqual(sent.Span)))
        {
            return new OcspOutcome.Refused(OcspRefusal.NonceMismatch);
        }

        var single = singles.Find(s => s.Id.SerialNumber.Span.SequenceEqual(serialNumber.Span.TrimStart((byte)0)) && s.Id.IsIssuedBy(issuer));
        if (single is null)
        {
            return new OcspOutcome.Refused(OcspRefusal.OtherCertificate);
        }

        var stale = at < single.ThisUpdate - Skew || (single.NextUpdate is { } next && at > next + Skew);
        return stale ? new OcspOutcome.Refused(OcspRefusal.Stale) : new OcspOutcome.Answer(single, producedAt);
    }

    // RFC 6960 4.2.2.2: the issuer itself, or a certificate the same issuer gave the OCSP-signing purpose.
    private static Certificate? FindResponder(AsnReader basic, Certificate issuer, DateTimeOffset at)
    {
        if (!basic.HasData)
        {
            return issuer;
        }

        var certificates = basic.ReadSequence(Der.Context(0)).ReadSequence();
        basic.ThrowIfNotEmpty();
        for (var n = 0; certificates.HasData && n < 4; n++)
        {
            if (!Certificate.TryParse(certificates.ReadEncodedValue(), out var candidate, out _))
            {
                continue;
            }

            var same = candidate.Der.Span.SequenceEqual(issuer.Der.Span);
            if (same || (candidate.Issuer.Span.SequenceEqual(issuer.Subject.Span)
                && at >= candidate.NotBefore && at < candidate.NotAfter.AddSeconds(1)
                && CertificatePath.Permits(candidate, CertificateUsage.OcspSigning)
                && candidate.IsSignedBy(issuer.SubjectPublicKeyInfo)))
            {
                return candidate;
            }
        }

        return null;
    }

    private static (DateTimeOffset ProducedAt, List<SingleResponse> Singles, ReadOnlyMemory<byte>? Nonce) ReadData(ReadOnlyMemory<byte> tbs)
    {
        var data = Der.OneSequence(tbs);
        _ = data.ReadEncodedValue();
        var producedAt = data.ReadGeneralizedTime();
        var list = data.ReadSequence();
        var singles = new List<SingleResponse>();
        while (list.HasData && singles.Count < 64)
        {
            singles.Add(ReadSingle(list.ReadSequence()));
        }

        list.ThrowIfNotEmpty();
        var nonce = data.HasData ? OcspRequest.ReadNonce(CertificateExtension.ReadList(data.ReadSequence(Der.Context(1)).ReadSequence())) : null;
        data.ThrowIfNotEmpty();
        return (producedAt, singles, nonce);
    }

    private static SingleResponse ReadSingle(AsnReader reader)
    {
        var id = CertificateId.Read(reader);
        var status = ReadStatus(reader);
        var thisUpdate = reader.ReadGeneralizedTime();
        DateTimeOffset? nextUpdate = null;
        if (reader.HasData && reader.PeekTag().HasSameClassAndValue(Der.Context(0)))
        {
            nextUpdate = reader.ReadSequence(Der.Context(0)).ReadGeneralizedTime();
        }

        if (reader.HasData)
        {
            _ = reader.ReadSequence(Der.Context(1));
        }

        reader.ThrowIfNotEmpty();
        return new SingleResponse(id, status, thisUpdate, nextUpdate);
    }

    private static CertificateStatus ReadStatus(AsnReader reader)
    {
        switch (reader.PeekTag())
        {
            case { TagClass: TagClass.ContextSpecific, TagValue: 0 }:
                reader.ReadNull(Der.Context(0, false));
                return new CertificateStatus.Good();
            case { TagClass: TagClass.ContextSpecific, TagValue: 1 }:
                var info = reader.ReadSequence(Der.Context(1));
                var at = info.ReadGeneralizedTime();
                var reason = info.HasData ? CertificateList.ReadReason(info.ReadSequence(Der.Context(0))) : RevocationReason.Unspecified;
                return new CertificateStatus.Revoked(at, reason);
            default:
                reader.ReadNull(Der.Context(2, false));
                return new CertificateStatus.Unknown();
        }
    }
}

using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.CA.Certificates;
using Trust.CA.Officers;
using Trust.CA.Registry;
using Trust.Crypto.Asn1;
using Trust.Crypto.Json;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.LogFormat;

namespace Trust.CA.Enrolment;

/// <summary>
/// <c>POST /certificate-requests</c>: binds a key whose possession is proved, a holder the registry knows and an identity proof into
/// one request that two other officers must approve.
/// </summary>
internal sealed class RequestCertificate(
    NpgsqlDataSource db, ProfileSet profiles, RegistrySnapshot snapshots, RefusedRequests refused, Outbox outbox, TimeProvider clock)
{
    // 2019, eHBA: identification apart in time from the request let a stranger obtain a doctor's card.
    private static readonly TimeSpan ProofWindow = TimeSpan.FromDays(30);

    /// <summary>Records a request.</summary>
    public async Task<Results<Created<CertificateRequestCreated>, Refusal>> Handle(HttpContext context, CertificateRequestBody body)
    {
        var ct = context.RequestAborted;
        var officer = context.Officer();
        var now = Microseconds.Truncate(clock.GetUtcNow());
        if (profiles.Find(body.Profile) is not { Ca: false, NoCheck: false } profile)
        {
            return CaRefusals.UnknownProfile;
        }

        if (JudgeProof(body, now) is { } badProof)
        {
            return badProof;
        }

        switch (Read(body.Pkcs10, profile))
        {
            case Pkcs10.Bad(var why):
                return await Refuse(officer, body, why, ct);
            case Pkcs10.Good(var pkcs10):
                return await snapshots.JudgeHolder(profile, body.Holder, body.Institution?.Value, now, ct) switch
                {
                    SnapshotOutcome.Fit fit when Matches(pkcs10, fit.Subject) => await Record(body, profile, pkcs10, fit, officer, now, ct),
                    SnapshotOutcome.Fit => await Refuse(officer, body, CaRefusals.SubjectMismatch, ct),
                    SnapshotOutcome.Unfit(var why) => await Refuse(officer, body, why, ct),
                    _ => throw new InvalidOperationException("Unknown snapshot outcome."),
                };
            default:
                throw new InvalidOperationException("Unknown outcome of reading a PKCS#10.");
        }
    }

    private async Task<Results<Created<CertificateRequestCreated>, Refusal>> Record(
        CertificateRequestBody body, Profile profile, CertificationRequest pkcs10, SnapshotOutcome.Fit fit, Officer officer, DateTimeOffset now,
        CancellationToken ct)
    {
        // The hash is over what an approver will be shown, so over the bytes of the request and not over its caller's way to write base64.
        var shown = body with { Pkcs10 = Convert.ToBase64String(pkcs10.Der.Span) };
        var requestSha256 = SHA256.HashData(Encode(shown, CaJson.Default.CertificateRequestBody));
        var row = new RequestRow(
            Guid.CreateVersion7(now), profile.Name, profile.Sha256, body.Holder, body.Institution?.Value, pkcs10.Der.ToArray(),
            Encode(body.IdentityProof, CaJson.Default.IdentityProof), Encode(body.Carrier, CaJson.Default.Carrier), fit.Sha256, requestSha256,
            officer.Person, now, "pending", null);
        if (await Store(row, SHA256.HashData(pkcs10.Key.SubjectPublicKeyInfo.Span), officer, body, ct) is { } why)
        {
            return why == CaRefusals.ReusedKey ? await Refuse(officer, body, why, ct) : why;
        }

        return TypedResults.Created($"/certificate-requests/{row.Id}", new CertificateRequestCreated(
            row.Id, Convert.ToHexStringLower(requestSha256), Convert.ToHexStringLower(profile.Sha256), Convert.ToHexStringLower(fit.Sha256),
            Convert.ToBase64String(ApprovalBytes.Encode(row.Id, requestSha256, profile.Sha256, fit.Sha256))));
    }

    private static byte[] Encode<T>(T value, JsonTypeInfo<T> type) => CanonicalJson.Encode(JsonSerializer.SerializeToElement(value, type));

    private async Task<Refusal?> Store(RequestRow row, byte[] spkiSha256, Officer officer, CertificateRequestBody body, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (!await RequestStore.Add(tx, row, spkiSha256, ct))
        {
            return CaRefusals.ReusedKey;
        }

        if (await outbox.Append(tx, Event(officer, body, EventOutcome.Success, "recorded", row.Id), ct) is AppendOutcome.Refused notRecorded)
        {
            return CommonRefusals.From(notRecorded.Reason);
        }

        await tx.CommitAsync(CancellationToken.None);
        return null;
    }

    private Task<Refusal> Refuse(Officer officer, CertificateRequestBody body, Refusal why, CancellationToken ct) =>
        refused.Record(Event(officer, body, EventOutcome.Refused, why.Name, null), why, ct);

    private static AuditEvent Event(Officer officer, CertificateRequestBody body, string outcome, string reason, Guid? id) => new()
    {
        Action = "CERT.request",
        Actor = officer.Actor,
        Subjects = PersonId.TryParse(body.Holder, out _) || InstitutionId.TryParse(body.Holder, out _)
            ? CertificateEvents.Subjects(body.Holder, null, null) : [SubjectKey.Of("service", "ca")],
        Outcome = outcome,
        Reason = reason,
        Correlation = id?.ToString(),
    };

    private static Refusal? JudgeProof(CertificateRequestBody body, DateTimeOffset now)
    {
        var proof = body.IdentityProof;
        return proof.Method.Length is 0 or > 60 || proof.PerformedBy.Length is 0 or > 100
            || proof.EvidenceSha256.Length != 64 || !proof.EvidenceSha256.All(char.IsAsciiHexDigit) ? CaRefusals.IdentityProof
            : proof.PerformedAt > now.AddMinutes(5) || proof.PerformedAt < now - ProofWindow ? CaRefusals.IdentityProofTooOld
            : body.Carrier.Model.Length is 0 or > 100 || body.Carrier.Serial.Length is 0 or > 100 ? CaRefusals.Carrier
            : null;
    }

    private static Pkcs10 Read(string base64, Profile profile)
    {
        var buffer = new byte[CertificationRequest.MaxBytes];
        if (!Convert.TryFromBase64String(base64, buffer, out var length))
        {
            return new Pkcs10.Bad(CaRefusals.MalformedPkcs10);
        }

        return CertificationRequest.Read(buffer.AsMemory(0, length)) switch
        {
            RequestOutcome.Proved proved when profile.Keys.Contains(proved.Request.Key.Kind) => new Pkcs10.Good(proved.Request),
            RequestOutcome.Proved => new Pkcs10.Bad(CaRefusals.KeyNotOfProfile),
            RequestOutcome.Refused { Reason: RequestRefusal.BadSignature } => new Pkcs10.Bad(CaRefusals.BadPossessionProof),
            RequestOutcome.Refused { Reason: RequestRefusal.WeakKey } => new Pkcs10.Bad(CaRefusals.WeakKey),
            RequestOutcome.Refused { Reason: RequestRefusal.UnsupportedKey } => new Pkcs10.Bad(CaRefusals.UnsupportedKey),
            _ => new Pkcs10.Bad(CaRefusals.MalformedPkcs10),
        };
    }

    // The CN must be the registered name or the holder's own URN; an O, where asked for, the institution's; a URI the holder's or the institution's.
    private static bool Matches(CertificationRequest request, CertificateSubject subject)
    {
        string? commonName = null;
        foreach (var name in request.Subject.EnumerateRelativeDistinguishedNames())
        {
            if (name.HasMultipleElements)
            {
                return false;
            }

            switch (name.GetSingleElementType().Value)
            {
                case "2.5.4.3" when commonName is null:
                    commonName = name.GetSingleElementValue();
                    break;
                case "2.5.4.10" when string.Equals(name.GetSingleElementValue(), subject.Organization, StringComparison.Ordinal):
                case "2.5.4.6" when name.GetSingleElementValue() is "CN":
                    break;
                default:
                    return false;
            }
        }

        var asked = request.RequestedExtensions.Where(e => string.Equals(e.Oid, Oids.SubjectAltName, StringComparison.Ordinal)).ToList();
        return (string.Equals(commonName, subject.CommonName, StringComparison.Ordinal)
                || subject.Names.OfType<GeneralName.Uri>().Any(u => string.Equals(u.Value, commonName, StringComparison.Ordinal)))
            && asked.TrueForAll(e => e.Value.Span.SequenceEqual(CertificateExtension.SubjectAltName(subject.Names).Value.Span));
    }

    private abstract record Pkcs10
    {
        // Possession of the key is proved.
        public sealed record Good(CertificationRequest Request) : Pkcs10;

        public sealed record Bad(Refusal Why) : Pkcs10;
    }
}

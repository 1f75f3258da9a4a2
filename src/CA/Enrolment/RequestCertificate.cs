using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Npgsql;
using Trust.CA.Certificates;
using Trust.CA.Officers;
using Trust.CA.Registry;
using Trust.Crypto.Asn1;
using Trust.Crypto.Json;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.CA.Enrolment;

/// <summary>
/// <c>POST /certificate-requests</c>: binds a key whose possession is proved, a holder the registry knows and an identity proof into
/// one request that two other officers must approve.
/// </summary>
public static class RequestCertificate
{
    // 2019, eHBA: identification apart in time from the request let a stranger obtain a doctor's card.
    private static readonly TimeSpan ProofWindow = TimeSpan.FromDays(30);

    /// <summary>Maps the endpoint.</summary>
    public static void Map(IEndpointRouteBuilder app) =>
        app.MapPost("/certificate-requests", Handle).RequireOfficer().Idempotent();

    private static async Task<Results<Created<CertificateRequestCreated>, ProblemHttpResult>> Handle(
        HttpContext context, CertificateRequestBody body, NpgsqlDataSource db, ProfileSet profiles, RegistrySnapshot snapshots,
        Outbox outbox, TimeProvider clock, ProblemSet problems)
    {
        var ct = context.RequestAborted;
        var officer = OfficerDirectory.Of(context);
        var now = Microseconds.Truncate(clock.GetUtcNow());
        if (profiles.Find(body.Profile) is not { Ca: false, NoCheck: false } profile)
        {
            return problems.Of("unknown-profile", 400, "No profile of that name can be requested.");
        }

        if (ProofRefusal(body, now) is { } proof)
        {
            return problems.Of(proof, 422, "The identity proof needs a method, 64 hex digits of evidence hash, who performed it, and an instant of the last 30 days.");
        }

        if (Read(body.Pkcs10, profile) is not (CertificationRequest pkcs10, _) parsed)
        {
            var rule = Read(body.Pkcs10, profile).Rule;
            return await Refuse(outbox, db, officer, body, rule, problems.Of(rule, 422, "The PKCS#10 is refused: " + rule + "."), ct);
        }

        switch (await snapshots.Take(profile, body.Holder, body.Institution, now, ct))
        {
            case SnapshotOutcome.Fit fit when Matches(pkcs10, fit.Subject):
                return await Record(context, body, profile, pkcs10, fit, officer, now, db, outbox, problems);
            case SnapshotOutcome.Fit:
                return await Refuse(outbox, db, officer, body, "subject-mismatch",
                    problems.Of("subject-mismatch", 422, "The PKCS#10's subject is not the holder as registered: its CN must be the registered name."), ct);
            case SnapshotOutcome.Unfit unfit:
                return await Refuse(outbox, db, officer, body, unfit.Rule,
                    problems.Of(unfit.Rule, 422, "The registry does not let this holder have such a certificate now."), ct);
            default:
                throw new InvalidOperationException("Unknown snapshot outcome.");
        }
    }

    private static async Task<Results<Created<CertificateRequestCreated>, ProblemHttpResult>> Record(
        HttpContext context, CertificateRequestBody body, Profile profile, CertificationRequest pkcs10, SnapshotOutcome.Fit fit, Officer officer,
        DateTimeOffset now, NpgsqlDataSource db, Outbox outbox, ProblemSet problems)
    {
        var ct = context.RequestAborted;
        var proof = CanonicalJson.Encode(JsonSerializer.SerializeToElement(body.IdentityProof, CaJson.Default.IdentityProof));
        var carrier = CanonicalJson.Encode(JsonSerializer.SerializeToElement(body.Carrier, CaJson.Default.Carrier));
        var requestSha256 = SHA256.HashData(CanonicalJson.Encode(JsonSerializer.SerializeToElement(body, CaJson.Default.CertificateRequestBody)));
        var row = new RequestRow(
            Guid.CreateVersion7(now), profile.Name, profile.Sha256, body.Holder, body.Institution, pkcs10.Der.ToArray(), fit.Sha256, requestSha256,
            officer.Person, "pending", null);
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (!await RequestStore.Add(tx, row, SHA256.HashData(pkcs10.Key.SubjectPublicKeyInfo.Span), proof, carrier, now, ct))
        {
            await tx.RollbackAsync(ct);
            return await Refuse(outbox, db, officer, body, "reused-key",
                problems.Of("reused-key", 422, "This key was used in a request before: generate a new one."), ct);
        }

        var traced = await outbox.Append(tx, Event(officer, body, EventOutcome.Success, "recorded", row.Id), ct);
        if (traced is AppendOutcome.Refused refused)
        {
            await tx.RollbackAsync(CancellationToken.None);
            return problems.Of(refused.Reason.Code, 503, "The audit ledger is away for too long; nothing was recorded. Try again later.");
        }

        await tx.CommitAsync(CancellationToken.None);
        return TypedResults.Created($"/certificate-requests/{row.Id}", new CertificateRequestCreated(
            row.Id, Convert.ToHexStringLower(requestSha256), Convert.ToHexStringLower(profile.Sha256), Convert.ToHexStringLower(fit.Sha256),
            Convert.ToBase64String(ApprovalBytes.Of(row.Id, requestSha256, profile.Sha256, fit.Sha256))));
    }

    // Refusals of officers' requests are events too.
    private static async Task<ProblemHttpResult> Refuse(
        Outbox outbox, NpgsqlDataSource db, Officer officer, CertificateRequestBody body, string rule, ProblemHttpResult answer, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        _ = await outbox.Append(tx, Event(officer, body, EventOutcome.Refused, rule, null), ct);
        await tx.CommitAsync(ct);
        return answer;
    }

    private static AuditEvent Event(Officer officer, CertificateRequestBody body, string outcome, string reason, Guid? id) => new()
    {
        Action = "CERT.request",
        Actor = officer.Actor,
        Subjects = InternalId.Is(body.Holder, InternalId.PersonPrefix) || InternalId.Is(body.Holder, InternalId.InstitutionPrefix)
            ? CertificateEvents.Subjects(body.Holder, null, null) : [SubjectKey.Of("service", "ca")],
        Outcome = outcome,
        Reason = reason,
        Correlation = id?.ToString(),
    };

    private static string? ProofRefusal(CertificateRequestBody body, DateTimeOffset now)
    {
        var proof = body.IdentityProof;
        return proof.Method.Length is 0 or > 60 || proof.PerformedBy.Length is 0 or > 100
            || proof.EvidenceSha256.Length != 64 || !proof.EvidenceSha256.All(char.IsAsciiHexDigit) ? "identity-proof"
            : proof.PerformedAt > now.AddMinutes(5) || proof.PerformedAt < now - ProofWindow ? "identity-proof-too-old"
            : body.Carrier.Model.Length is 0 or > 100 || body.Carrier.Serial.Length is 0 or > 100 ? "carrier"
            : null;
    }

    private static (CertificationRequest? Request, string Rule) Read(string base64, Profile profile)
    {
        var buffer = new byte[CertificationRequest.MaxBytes];
        if (!Convert.TryFromBase64String(base64, buffer, out var length))
        {
            return (null, "malformed-request");
        }

        return CertificationRequest.Read(buffer.AsMemory(0, length)) switch
        {
            RequestOutcome.Proved proved when profile.Keys.Contains(proved.Request.Key.Kind) => (proved.Request, string.Empty),
            RequestOutcome.Proved => (null, "key-not-of-profile"),
            RequestOutcome.Refused { Reason: RequestRefusal.BadSignature } => (null, "bad-possession-proof"),
            RequestOutcome.Refused { Reason: RequestRefusal.WeakKey } => (null, "weak-key"),
            RequestOutcome.Refused { Reason: RequestRefusal.UnsupportedKey } => (null, "unsupported-key"),
            _ => (null, "malformed-request"),
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
        return (string.Equals(commonName, subject.CommonName, StringComparison.Ordinal) || subject.Names.OfType<GeneralName.Uri>().Any(u => u.Value == commonName))
            && asked.TrueForAll(e => e.Value.Span.SequenceEqual(CertificateExtension.SubjectAltName(subject.Names).Value.Span));
    }
}

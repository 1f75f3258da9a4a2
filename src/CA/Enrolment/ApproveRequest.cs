using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Npgsql;
using Trust.CA.Certificates;
using Trust.CA.Officers;
using Trust.CA.Registry;
using Trust.Crypto;
using Trust.Crypto.Asn1;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.CA.Enrolment;

/// <summary>
/// <c>POST /certificate-requests/{id}/approvals</c>: an officer's card signature over the request's, the profile's and the registry's
/// hash. Two people approve, neither of them the requester; the second good approval issues.
/// </summary>
public static class ApproveRequest
{
    private const int Needed = 2;

    /// <summary>Maps both endpoints.</summary>
    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapPost("/certificate-requests/{id:guid}/approvals", Handle).RequireOfficer().Idempotent();
        app.MapGet("/certificate-requests/{id:guid}", Show).RequireOfficer();
    }

    private static async Task<Results<Ok<RequestState>, ProblemHttpResult>> Handle(
        HttpContext context, Guid id, ApprovalBody body, NpgsqlDataSource db, RequestStore requests, OfficerDirectory officers, ProfileSet profiles,
        RegistrySnapshot snapshots, Issuance issuance, Outbox outbox, StateOfRequest states, TimeProvider clock, ProblemSet problems)
    {
        var ct = context.RequestAborted;
        var officer = OfficerDirectory.Of(context);
        if (await requests.Find(id, ct) is not { } request)
        {
            return problems.Of("unknown-request", 404, "No request has this identifier.");
        }

        if (request.State is "issued" or "refused")
        {
            return TypedResults.Ok(await states.Of(request, ct));
        }

        var (signatureCertificate, signature, rule) = await Judge(request, body, officer, officers, ct);
        rule ??= await Drift(request, profiles, snapshots, Microseconds.Truncate(clock.GetUtcNow()), ct);
        if (rule is null && await requests.ApprovedUnder(id, officer.Person, ct) is { } before
            && !string.Equals(before, signatureCertificate, StringComparison.Ordinal))
        {
            // Two certificates of one person are one voice.
            rule = "same-person";
        }

        if (rule is not null)
        {
            await Trace(db, outbox, officer, request, EventOutcome.Refused, rule, ct);
            return problems.Of(rule, rule is "own-request" or "same-person" ? 403 : 422, Explain(rule));
        }

        // Sent again it has no effect: the first one counts, and the issuance goes on from where it stands.
        if (await requests.Approve(
            Event(officer, request, EventOutcome.Success, "approved"), request.Id, officer.Person, signatureCertificate!, signature!, Microseconds.Truncate(clock.GetUtcNow())) is CommitOutcome.Refused refused)
        {
            return problems.Of(refused.Reason.Code, 503, "The audit ledger is away for too long; nothing was recorded. Try again later.");
        }

        return await Proceed(request, officer, requests, issuance, states, problems, ct);
    }

    private static async Task<Results<Ok<RequestState>, ProblemHttpResult>> Proceed(
        RequestRow request, Officer officer, RequestStore requests, Issuance issuance, StateOfRequest states, ProblemSet problems, CancellationToken ct)
    {
        var approvals = await requests.Approvals(request.Id, ct);
        if (approvals >= Needed)
        {
            var spki = ((RequestOutcome.Proved)CertificationRequest.Read(request.Pkcs10)).Request.Key.SubjectPublicKeyInfo;
            var approved = new ApprovedRequest(
                request.Id, request.Profile, request.ProfileSha256, request.Holder, request.Institution, spki, request.RegistrySha256);
            switch (await issuance.Issue(approved, officer.Actor, ct))
            {
                case IssueOutcome.Issued issued:
                    return TypedResults.Ok(await states.Issued(issued.Issuer, issued.Der, approvals, ct));
                case IssueOutcome.Waiting { Reason: AppendRefusal.LedgerAway or AppendRefusal.HeadBehind } waiting:
                    return problems.Of(waiting.Reason, 503, "The approval is recorded, but nothing is issued while the audit ledger does not answer. Approve again later.");
                case IssueOutcome.Refused refused:
                    return problems.Of(refused.Rule, 422, "The request is refused for good: " + refused.Rule + ".");
                default:
                    break;
            }
        }

        return TypedResults.Ok(await states.Of((await requests.Find(request.Id, ct))!, ct));
    }

    private static async Task<Results<Ok<RequestState>, ProblemHttpResult>> Show(
        HttpContext context, Guid id, RequestStore requests, StateOfRequest states, ProblemSet problems)
    {
        var ct = context.RequestAborted;
        return await requests.Find(id, ct) is { } request
            ? TypedResults.Ok(await states.Of(request, ct))
            : problems.Of("unknown-request", 404, "No request has this identifier.");
    }

    private static async Task<(string? Certificate, byte[]? Signature, string? Rule)> Judge(
        RequestRow request, ApprovalBody body, Officer officer, OfficerDirectory officers, CancellationToken ct)
    {
        if (string.Equals(request.RequestedBy, officer.Person, StringComparison.Ordinal)
            || string.Equals(request.Holder, officer.Person, StringComparison.Ordinal))
        {
            return (null, null, "own-request");
        }

        var der = new byte[Certificate.MaxBytes];
        var signature = new byte[80];
        if (!Convert.TryFromBase64String(body.Certificate, der, out var length) || !Convert.TryFromBase64String(body.Signature, signature, out var signed)
            || signed != 64 || !Certificate.TryParse(der.AsMemory(0, length), out var certificate, out _))
        {
            return (null, null, "malformed-approval");
        }

        // The signature key, and of the very person whose card is at the door.
        if (!string.Equals(await officers.PersonOf(certificate.Sha256Hex, "officer-signature", ct), officer.Person, StringComparison.Ordinal))
        {
            return (null, null, "not-your-signature-certificate");
        }

        var bytes = ApprovalBytes.Of(request.Id, request.RequestSha256, request.ProfileSha256, request.RegistrySha256);
        return SignatureSuite.ES256.Verify(certificate.SubjectPublicKeyInfo, bytes, EcdsaForm.ToDer(signature.AsSpan(0, 64)))
            ? (certificate.Sha256Hex, signature[..64], null)
            : (null, null, "approval-mismatch");
    }

    private static async Task<string?> Drift(RequestRow request, ProfileSet profiles, RegistrySnapshot snapshots, DateTimeOffset now, CancellationToken ct)
    {
        if (profiles.Find(request.Profile) is not { } profile || !profile.Sha256.AsSpan().SequenceEqual(request.ProfileSha256))
        {
            return "profile-changed";
        }

        return await snapshots.Take(profile, request.Holder, request.Institution, now, ct) is SnapshotOutcome.Fit fit
            && fit.Sha256.AsSpan().SequenceEqual(request.RegistrySha256) ? null : "registry-changed";
    }

    private static async Task Trace(NpgsqlDataSource db, Outbox outbox, Officer officer, RequestRow request, string outcome, string rule, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        _ = await outbox.Append(tx, Event(officer, request, outcome, rule), ct);
        await tx.CommitAsync(ct);
    }

    private static AuditEvent Event(Officer officer, RequestRow request, string outcome, string reason) => new()
    {
        Action = "CERT.approve",
        Actor = officer.Actor,
        Subjects = CertificateEvents.Subjects(request.Holder, request.Institution, null),
        Outcome = outcome,
        Reason = reason,
        Basis = $"request:sha256:{Convert.ToHexStringLower(request.RequestSha256)}",
        Correlation = request.Id.ToString(),
    };

    private static string Explain(string rule) => rule switch
    {
        "own-request" => "Who asked for a certificate, or will hold it, does not approve it.",
        "same-person" => "You approved this request before, under another certificate: two people must approve.",
        "malformed-approval" => "Send the signature (r‖s, 64 bytes) and the signature certificate (DER), both base64.",
        "not-your-signature-certificate" => "The certificate is not a good officer's signature certificate of the card's holder.",
        "approval-mismatch" => "The signature is not over this request's approval bytes.",
        "registry-changed" => "The registry has changed since the request: make a new one.",
        _ => "The profile has changed since the request: make a new one.",
    };
}

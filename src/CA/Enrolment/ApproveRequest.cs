using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.CA.Certificates;
using Trust.CA.Officers;
using Trust.Crypto.Asn1;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.CA.Enrolment;

/// <summary>
/// <c>POST /certificate-requests/{id}/approvals</c>: an officer's card signature over the request's, the profile's and the registry's
/// hash. Two people approve, neither of them the requester; the second good approval issues.
/// </summary>
internal sealed class ApproveRequest(
    RequestStore requests, ApprovalJudge judge, Issuance issuance, RefusedRequests refused, RequestStates states, TimeProvider clock)
{
    /// <summary>Approves.</summary>
    public async Task<Results<Ok<RequestState>, Refusal>> Handle(HttpContext context, Guid id, ApprovalBody body)
    {
        var ct = context.RequestAborted;
        var officer = context.Officer();
        if (await requests.Find(id, ct) is not { } request)
        {
            return CaRefusals.UnknownRequest;
        }

        if (request.State is "issued" or "refused")
        {
            return TypedResults.Ok(await states.Describe(request, ct));
        }

        var now = Microseconds.Truncate(clock.GetUtcNow());
        if (request.State is "pending" && request.ExpiresAt <= now)
        {
            await requests.Lapse(request.Id, CaRefusals.RequestExpired.Name, ct);
            return await refused.Record(Event(officer, request, EventOutcome.Refused, CaRefusals.RequestExpired.Name), CaRefusals.RequestExpired, ct);
        }

        switch (await judge.Judge(request, body, officer, now, ct))
        {
            case ApprovalOutcome.Refused(var why):
                return await refused.Record(Event(officer, request, EventOutcome.Refused, why.Name), why, ct);

            // Sent again it has no effect: the first one counts, and the issuance goes on from where it stands.
            case ApprovalOutcome.Good(var certificate, var signature):
                var approved = Event(officer, request, EventOutcome.Success, "approved");
                return await requests.Approve(approved, request.Id, officer, certificate, signature, now) is CommitOutcome.Refused notRecorded
                    ? CommonRefusals.From(notRecorded.Reason)
                    : await Proceed(request, officer, now, ct);
            default:
                throw new InvalidOperationException("Unknown outcome of judging an approval.");
        }
    }

    private async Task<Results<Ok<RequestState>, Refusal>> Proceed(RequestRow request, Officer officer, DateTimeOffset now, CancellationToken ct)
    {
        var approvals = await requests.CountApprovals(request.Id, now, ct);
        if (approvals >= GoodApprovals.Needed)
        {
            var spki = ((RequestOutcome.Proved)CertificationRequest.Read(request.Pkcs10)).Request.Key.SubjectPublicKeyInfo;
            var approved = new ApprovedRequest(
                request.Id, request.Profile, request.ProfileSha256, request.Holder, request.Institution, spki, request.RegistrySha256);
            switch (await issuance.Issue(approved, officer.Actor, ct))
            {
                case IssueOutcome.Issued issued:
                    return TypedResults.Ok(await states.DescribeIssued(issued.Issuer, issued.Der, approvals, ct));
                case IssueOutcome.LedgerAway(var reason):
                    // The approval is recorded; sent again it goes on to the issuance.
                    return CommonRefusals.From(reason);
                case IssueOutcome.Refused(var why):
                    return why;
                default:
                    break;
            }
        }

        return TypedResults.Ok(await states.Describe((await requests.Find(request.Id, ct))!, ct));
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
}

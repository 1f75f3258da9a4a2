using System.Security.Cryptography;
using System.Text.Json;
using Trust.CA.Certificates;
using Trust.CA.Registry;
using Trust.Crypto.Asn1;

namespace Trust.CA.Enrolment;

/// <summary>Puts together where a request stands.</summary>
public sealed class RequestStates(
    RequestStore requests, CertificateStore certificates, CertificateChains chains, ProfileSet profiles, RegistrySnapshot snapshots, TimeProvider clock)
{
    /// <summary>Where a request stands, with the chain once issued.</summary>
    public async Task<RequestState> Describe(RequestRow request, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var approvals = await requests.CountApprovals(request.Id, now, ct);
        return request.State is not "issued" || await certificates.FindByRequest(request.Id, ct) is not { Der: { } der } row
            ? request.State is "pending" && request.ExpiresAt <= now
                ? new RequestState("refused", approvals, CaRefusals.RequestExpired.Name)
                : new RequestState(request.State, approvals, request.Refusal)
            : await DescribeIssued(row.Issuer, der, approvals, ct);
    }

    /// <summary>Where a request stands whose certificate is at hand.</summary>
    public async Task<RequestState> DescribeIssued(string issuer, byte[] der, int approvals, CancellationToken ct) =>
        new("issued", approvals, null, await chains.Pem(issuer, der, ct), Certificate.Parse(der).Sha256Hex);

    /// <summary>Everything that an approval covers.</summary>
    public async Task<RequestContent> Show(RequestRow request, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var pkcs10 = Pkcs10Of(request);
        var facts = profiles.Find(request.Profile) is { } profile
            && await snapshots.JudgeHolder(profile, request.Holder, request.Institution, now, ct) is SnapshotOutcome.Fit fit
            && fit.Sha256.AsSpan().SequenceEqual(request.RegistrySha256) ? fit.Facts : null;
        return new RequestContent(
            request.Id, request.Body(), CommonName(pkcs10), pkcs10.Key.Kind.ToString(),
            Convert.ToHexStringLower(SHA256.HashData(pkcs10.Key.SubjectPublicKeyInfo.Span)), facts is null ? null : JsonElement.Parse(facts),
            request.RequestedBy, request.RequestedAt, request.ExpiresAt, await requests.Approvals(request.Id, now, ct),
            Convert.ToHexStringLower(request.RequestSha256), Convert.ToHexStringLower(request.ProfileSha256), Convert.ToHexStringLower(request.RegistrySha256),
            Convert.ToBase64String(ApprovalBytes.Encode(request.Id, request.RequestSha256, request.ProfileSha256, request.RegistrySha256)));
    }

    /// <summary>A request in a list.</summary>
    public static RequestSummary Summarize(RequestRow request) => new(
        request.Id, request.State, request.Profile, request.Holder, CommonName(Pkcs10Of(request)), request.Institution, request.RequestedBy,
        request.RequestedAt, request.ExpiresAt, request.Refusal);

    // Recorded only once it was read and its possession proved.
    private static CertificationRequest Pkcs10Of(RequestRow request) => ((RequestOutcome.Proved)CertificationRequest.Read(request.Pkcs10)).Request;

    private static string CommonName(CertificationRequest request) =>
        request.Subject.EnumerateRelativeDistinguishedNames().FirstOrDefault(n => !n.HasMultipleElements && n.GetSingleElementType().Value is "2.5.4.3")
            ?.GetSingleElementValue() ?? string.Empty;
}

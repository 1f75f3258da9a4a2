using Trust.CA.Certificates;
using Trust.Crypto.Asn1;

namespace Trust.CA.Enrolment;

/// <summary>Puts together where a request stands.</summary>
public sealed class RequestStates(RequestStore requests, CertificateStore certificates, CertificateChains chains)
{
    /// <summary>Where a request stands, with the chain once issued.</summary>
    public async Task<RequestState> Describe(RequestRow request, CancellationToken ct)
    {
        var approvals = await requests.CountApprovals(request.Id, ct);
        if (request.State is not "issued" || await certificates.FindByRequest(request.Id, ct) is not { Der: { } der } row)
        {
            return new RequestState(request.State, approvals, request.Refusal);
        }

        return await DescribeIssued(row.Issuer, der, approvals, ct);
    }

    /// <summary>Where a request stands whose certificate is at hand.</summary>
    public async Task<RequestState> DescribeIssued(string issuer, byte[] der, int approvals, CancellationToken ct) =>
        new("issued", approvals, null, await chains.Pem(issuer, der, ct), Certificate.Parse(der).Sha256Hex);
}

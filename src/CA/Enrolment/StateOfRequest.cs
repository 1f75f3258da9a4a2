using Trust.CA.Certificates;
using Trust.Crypto.Asn1;

namespace Trust.CA.Enrolment;

/// <summary>Puts a request's state together.</summary>
public sealed class StateOfRequest(RequestStore requests, CertificateStore certificates, IssuerDirectory issuers)
{
    /// <summary>The state of a request, with the chain once issued.</summary>
    public async Task<RequestState> Of(RequestRow request, CancellationToken ct)
    {
        var approvals = await requests.Approvals(request.Id, ct);
        if (request.State is not "issued" || await certificates.FindByRequest(request.Id, ct) is not { Der: { } der } row)
        {
            return new RequestState(request.State, approvals, request.Refusal);
        }

        return await Issued(row.Issuer, der, approvals, ct);
    }

    /// <summary>The state of a request whose certificate is at hand.</summary>
    public async Task<RequestState> Issued(string issuer, byte[] der, int approvals, CancellationToken ct) =>
        new("issued", approvals, null, await PemChain(issuer, der, ct), Certificate.Parse(der).Sha256Hex);

    /// <summary>PEM of a certificate and the CAs above it, without the root, which relying parties pin.</summary>
    public async Task<string> PemChain(string issuer, byte[] der, CancellationToken ct)
    {
        var above = await issuers.Chain(issuer, ct);
        return string.Concat(above.Where(c => !c.IsSelfIssued).Prepend(Certificate.Parse(der)).Select(c => c.ToPem()));
    }
}

using Trust.Crypto.Asn1;

namespace Trust.CA.Certificates;

/// <summary>Certificates as their holders receive them.</summary>
public sealed class CertificateChains(IssuerDirectory issuers)
{
    /// <summary>PEM of a certificate and the CAs above it, without the root, which relying parties pin.</summary>
    /// <param name="issuer">Name of its CA.</param>
    /// <param name="der">Its bytes.</param>
    /// <param name="ct">Cancels.</param>
    public async Task<string> Pem(string issuer, byte[] der, CancellationToken ct)
    {
        var above = await issuers.Chain(issuer, ct);
        return string.Concat(above.Where(c => !c.IsSelfIssued).Prepend(Certificate.Parse(der)).Select(c => c.ToPem()));
    }
}

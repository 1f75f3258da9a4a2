using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.CA.Certificates;
using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.CA.Enrolment;

/// <summary>
/// <c>POST /service-certificates</c>: a service renews its own TLS certificate over the current one. The names are those of the current
/// certificate, whatever the request asks for beyond them is refused. A certificate that is revoked, on hold or not on record renews nothing.
/// </summary>
internal sealed class RenewServiceCertificate(
    Issuance issuance, CertificateStore certificates, IssuerDirectory issuers, CaKeys keys, ProfileSet profiles, CertificateChains chains, CaOptions options, TimeProvider clock)
{
    /// <summary>Renews.</summary>
    public async Task<Results<ContentHttpResult, Refusal>> Handle(HttpContext context)
    {
        var ct = context.RequestAborted;
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, ct);
        if (CertificationRequest.Read(body.ToArray()) is not RequestOutcome.Proved { Request: var request })
        {
            return CaRefusals.MalformedPkcs10;
        }

        var current = Certificate.Parse(context.Connection.ClientCertificate!.RawDataMemory);
        // The handshake proves the key and the path, not that the certificate still stands: whoever stole a key would renew it for ever.
        if (await certificates.Find(current.Sha256Hex, ct) is not { State: "good" })
        {
            return CaRefusals.RevokedRenewsNothing;
        }

        var peer = context.Peer();
        var asked = ServiceNames.Among(request.RequestedExtensions);
        var own = ServiceNames.Among(current.Extensions).Select(ServiceNames.Text).ToHashSet(StringComparer.Ordinal);
        if (!asked.Select(ServiceNames.Text).All(own.Contains) || !asked.Contains(new GeneralName.Dns(ServiceIdentity.TlsName(peer))))
        {
            return CaRefusals.NameNotYours;
        }

        if (request.Key.SubjectPublicKeyInfo.Span.SequenceEqual(current.SubjectPublicKeyInfo.Span))
        {
            return CaRefusals.ReusedKey;
        }

        if (await issuers.Find("service-issuing", ct) is not { } issuer)
        {
            return CaRefusals.NoSuchIssuer;
        }

        var subject = new CertificateSubject(peer, null, asked);
        var plan = CertificatePlan.Make(
            profiles["service-tls"], issuer, issuer.Suite, subject, request.Key.SubjectPublicKeyInfo, clock.GetUtcNow(), options.Base);
        var made = await issuance.IssueForSystem(plan, peer, await keys.SignerOf(issuer.KeyLabel, ct), new Actor(peer));
        return TypedResults.Text(await chains.Pem(issuer.Name, made.Der.ToArray(), ct), "application/x-pem-file", Encoding.ASCII);
    }
}

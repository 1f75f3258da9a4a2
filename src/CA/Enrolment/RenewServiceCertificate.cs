using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Trust.CA.Certificates;
using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.CA.Enrolment;

/// <summary>
/// <c>POST /service-certificates</c>: a service renews its own TLS certificate over the current one. The names are those of the current
/// certificate, whatever the request asks for beyond them is refused.
/// </summary>
public static class RenewServiceCertificate
{
    /// <summary>Maps the endpoint.</summary>
    public static void Map(IEndpointRouteBuilder app) =>
        app.MapPost("/service-certificates", Handle).RequirePeer("ca", "idp", "sign", "ledger", "witness").Idempotent();

    private static async Task<Results<ContentHttpResult, ProblemHttpResult>> Handle(
        HttpContext context, Issuance issuance, IssuerDirectory issuers, CaKeys keys, ProfileSet profiles, StateOfRequest chains, CaOptions options,
        TimeProvider clock, ProblemSet problems)
    {
        var ct = context.RequestAborted;
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, ct);
        if (CertificationRequest.Read(body.ToArray()) is not RequestOutcome.Proved { Request: var request })
        {
            return problems.Of("malformed-request", 422, "The body is not a PKCS#10 with a proved key.");
        }

        var current = Certificate.Parse(context.Connection.ClientCertificate!.RawDataMemory);
        var peer = context.Peer();
        var asked = ServiceNames.Of(request.RequestedExtensions);
        var own = ServiceNames.Of(current.Extensions).Select(ServiceNames.Text).ToHashSet(StringComparer.Ordinal);
        if (!asked.Select(ServiceNames.Text).All(own.Contains) || !asked.Contains(new GeneralName.Dns(ServiceIdentity.TlsName(peer))))
        {
            return problems.Of("name-not-yours", 403, "A renewal asks for exactly the service's own name, and no address beyond the current certificate's.");
        }

        if (request.Key.SubjectPublicKeyInfo.Span.SequenceEqual(current.SubjectPublicKeyInfo.Span))
        {
            return problems.Of("reused-key", 422, "A renewal needs a new key.");
        }

        var issuer = await issuers.Find("service-issuing", ct);
        if (issuer is null)
        {
            return problems.Of("no-such-issuer", 503, "The ceremony has not been held.");
        }

        var subject = new CertificateSubject(peer, null, asked);
        var plan = CertificatePlan.Make(profiles["service-tls"], issuer, issuer.Suite, subject, request.Key.SubjectPublicKeyInfo, clock.GetUtcNow(), options.Base);
        var made = await issuance.IssueForSystem(plan, peer, await keys.SignerOf(issuer.KeyLabel, ct), new Actor(peer), ct);
        return TypedResults.Text(await chains.PemChain(issuer.Name, made.Der.ToArray(), ct), "application/x-pem-file", Encoding.ASCII);
    }
}

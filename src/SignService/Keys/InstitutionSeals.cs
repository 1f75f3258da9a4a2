using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;
using Trust.Kernel.LiveStatus;
using Trust.Pkcs11;

namespace Trust.SignService.Keys;

/// <summary>The certificate an officer obtained for a seal.</summary>
/// <param name="Chain">PEM, leaf first.</param>
public sealed record SealCertificateRequest(string Chain);

/// <summary>
/// <c>GET /seals/{institution}/request?name=…</c> makes the institution's seal key in the token, once, and gives its PKCS#10 with the
/// registered name as CN (the CA compares it with the registry);
/// <c>PUT /seals/{institution}/certificate</c> takes the certificate, which is accepted only when our own CA issued it for this institution
/// and this key. Both are the institution's own system's (scope <c>seal</c>): a stranger could fill the token with keys, or have us search
/// paths through certificates of his making.
/// </summary>
public static partial class InstitutionSeals
{
    /// <summary>Maps the endpoints.</summary>
    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapGet("/seals/{institution}/request", GetRequest).RequireScope("seal");
        app.MapPut("/seals/{institution}/certificate", PutCertificate).RequireScope("seal");
    }

    private static async Task<Results<FileContentHttpResult, ProblemHttpResult>> GetRequest(
        string institution, string? name, HttpContext context, SealStore seals, IToken token, EntitlementClient entitlements, ServiceOptions service, TimeProvider clock, ProblemSet problems,
        CancellationToken ct)
    {
        if (NotOwn(context, institution) is { } other)
        {
            return other.ToProblem(problems);
        }

        if (await seals.Find(institution, ct) is { } existing && (name is null || existing.Certificates.Count > 0))
        {
            return TypedResults.File(existing.Request, "application/pkcs10");
        }

        if (name is { Length: 0 or > 128 })
        {
            return Refusal.Content("name", "Give the registered name of the institution, at most 128 characters.").ToProblem(problems);
        }

        // The registry's word keeps strangers from filling the token with keys.
        if (!Urn().IsMatch(institution) || await entitlements.Check(new EntitlementQuestion(null, institution, "seal"), ct) is not Entitlement.Permit permit)
        {
            return new Refusal("unknown-institution", 404, "The registry knows no such institution that may seal now.").ToProblem(problems);
        }

        var key = new KeyRef("seal-" + institution["urn:mdid:o:".Length..]);
        var held = await token.FindOrGenerate(key, KeyAlgorithm.EcdsaP256, ct);
        var subject = new X500DistinguishedNameBuilder();
        subject.AddCountryOrRegion("CN");
        subject.AddCommonName(name ?? institution);
        var request = await CertificationRequest.Create(
            subject.Build(), held.SubjectPublicKeyInfo,
            [CertificateExtension.SubjectAltName(new GeneralName.Uri(institution)), CertificateExtension.KeyUsage(KeyUsages.NonRepudiation)],
            (digest, cancel) => token.Sign(key, digest, cancel), ct);
        var region = permit.Region.Length == 6 ? permit.Region : service.Region;
        await seals.Insert(institution, region, key.Label, request, clock.GetUtcNow(), ct);
        var stored = await seals.Find(institution, ct);
        return TypedResults.File(stored!.Request, "application/pkcs10");
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> PutCertificate(
        string institution, SealCertificateRequest request, HttpContext context, SealStore seals, SealDirectory directory, IToken token, TrustAnchors anchors, TimeProvider clock, ProblemSet problems,
        CancellationToken ct)
    {
        if (NotOwn(context, institution) is { } other)
        {
            return other.ToProblem(problems);
        }

        if (await seals.Find(institution, ct) is not { } seal || await token.Find(new KeyRef(seal.KeyLabel), ct) is not { } key)
        {
            return new Refusal("unknown-seal", 404, "Ask for the seal's request first.").ToProblem(problems);
        }

        if (Read(request.Chain) is not { Count: > 0 } chain)
        {
            return Refusal.Malformed("malformed-certificate", "The chain is not PEM certificates.").ToProblem(problems);
        }

        var leaf = chain[0];
        if (!leaf.SubjectPublicKeyInfo.Span.SequenceEqual(key.SubjectPublicKeyInfo.Span) || !leaf.SubjectUris.Contains(institution, StringComparer.Ordinal))
        {
            return Refusal.Conflict("other-certificate", "The certificate is for another key or another institution.").ToProblem(problems);
        }

        // A system may bring any certificate it was ever given, so an older one, perhaps revoked since, must not push out the one in use.
        if (seal.Certificates.Count > 0 && Certificate.Parse(seal.Certificates[0]).NotBefore > leaf.NotBefore)
        {
            return Refusal.Conflict("older-certificate", "A newer certificate is in use.").ToProblem(problems);
        }

        if (CertificatePath.Build(leaf, [.. anchors.Issuers, .. chain], anchors.Roots, clock.GetUtcNow(), CertificateUsage.Seal, ct) is not PathOutcome.Trusted trusted)
        {
            return Refusal.Conflict("certificate-untrusted", "The certificate is not one of ours for sealing, valid now.").ToProblem(problems);
        }

        await seals.Certify(institution, [.. trusted.Path.Take(trusted.Path.Count - 1).Select(c => c.Der.ToArray())], clock.GetUtcNow(), ct);
        directory.Forget(institution);
        return TypedResults.NoContent();
    }

    private static Refusal? NotOwn(HttpContext context, string institution) =>
        string.Equals(context.Caller().Institution, institution, StringComparison.Ordinal)
            ? null : Refusal.Forbidden("other-institution", "A system asks for its own institution's seal only.");

    private static IReadOnlyList<Certificate>? Read(string pem)
    {
        try
        {
            return pem.Length <= 64 * 1024 ? Certificate.ParsePem(pem) : null;
        }
        catch (Exception e) when (e is System.Security.Cryptography.CryptographicException or FormatException)
        {
            return null;
        }
    }

    [GeneratedRegex("^urn:mdid:o:[0-7][0-9A-HJKMNP-TV-Z]{25}$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 100)]
    private static partial Regex Urn();
}

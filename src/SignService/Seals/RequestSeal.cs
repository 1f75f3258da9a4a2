using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.Kernel.LiveStatus;
using Trust.Pkcs11;

namespace Trust.SignService.Seals;

/// <summary>
/// Makes an institution's seal key in the token, once, and gives its PKCS#10 with the registered name as CN (the CA compares it with the
/// registry).
/// </summary>
internal sealed class RequestSeal(SealStore seals, IToken token, EntitlementClient entitlements, ServiceOptions service, TimeProvider clock)
{
    private const int LongestName = 128;

    /// <summary>The request; a name given later replaces the one in a request that has no certificate yet.</summary>
    public async Task<Results<FileContentHttpResult, Refusal>> Handle(string institution, string? name, HttpContext context)
    {
        var ct = context.RequestAborted;
        if (OwnSeal.Judge(context.Caller(), institution, out var own) is { } other)
        {
            return other;
        }

        if (await seals.Find(own, ct) is { } existing && (name is null || existing.Certificates.Count > 0))
        {
            return TypedResults.File(existing.Request, "application/pkcs10");
        }

        if (name is { Length: 0 or > LongestName })
        {
            return SealRefusals.InstitutionName;
        }

        // Without the registry's word any token with the scope could fill the token with keys.
        if (await entitlements.Check(new EntitlementQuestion(null, own.Value, "seal"), ct) is not Entitlement.Permit permit)
        {
            return SealRefusals.UnknownInstitution;
        }

        var key = new KeyRef("seal-" + own.Ulid);
        var request = await NewRequest(key, own, name, ct);
        var region = RegionCode.TryParse(permit.Region, out var registered) ? registered.Value : service.Region;
        await seals.Insert(own, region, key.Label, request, clock.GetUtcNow(), ct);
        var stored = await seals.Find(own, ct);
        return TypedResults.File(stored!.Request, "application/pkcs10");
    }

    private async Task<byte[]> NewRequest(KeyRef key, InstitutionId institution, string? name, CancellationToken ct)
    {
        var held = await token.FindOrGenerate(key, KeyAlgorithm.EcdsaP256, ct);
        var subject = new X500DistinguishedNameBuilder();
        subject.AddCountryOrRegion("CN");
        subject.AddCommonName(name ?? institution.Value);
        return await CertificationRequest.Create(
            subject.Build(), held.SubjectPublicKeyInfo,
            [CertificateExtension.SubjectAltName(new GeneralName.Uri(institution.Value)), CertificateExtension.KeyUsage(KeyUsages.NonRepudiation)],
            (digest, cancel) => token.Sign(key, digest, cancel), ct);
    }
}

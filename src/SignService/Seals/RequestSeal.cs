using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Crypto.Asn1;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.Kernel.LiveStatus;
using Trust.Pkcs11;

namespace Trust.SignService.Seals;

/// <summary>
/// Makes an institution's seal key in the token, once, and gives its PKCS#10 with the registered name as CN (the CA compares it with the
/// registry).
/// </summary>
internal sealed class RequestSeal(
    SealStore seals, IToken token, EntitlementClient entitlements, Outbox outbox, NpgsqlDataSource db, ServiceOptions service, TimeProvider clock)
{
    private const int LongestCommonName = 64;

    /// <summary>The request, made at the first call. Its name is the registered one; a name given must be that.</summary>
    public async Task<Results<FileContentHttpResult, Refusal>> Handle(string institution, string? name, HttpContext context)
    {
        var ct = context.RequestAborted;
        if (OwnSeal.Judge(context.Caller(), institution, out var own) is { } other)
        {
            return other;
        }

        // Without the registry's word any token with the scope could fill the token with keys.
        if (await entitlements.Check(new EntitlementQuestion(null, own.Value, "seal"), ct) is not Entitlement.Permit permit)
        {
            return SealRefusals.UnknownInstitution;
        }

        if (name is not null && name != permit.InstitutionName)
        {
            return SealRefusals.InstitutionName;
        }

        if (await seals.Find(own, ct) is { } existing)
        {
            return TypedResults.File(existing.Request, "application/pkcs10");
        }

        var key = new KeyRef("seal-" + own.Ulid);
        // RFC 5280 ub-common-name: a longer name does not stand in a CN; the identifier does, and the CA writes the name where there is room.
        var shown = permit.InstitutionName is { Length: > 0 and <= LongestCommonName } registered ? registered : own.Value;
        var request = await NewRequest(key, own, shown, ct);
        var region = RegionCode.TryParse(permit.Region, out var code) ? code.Value : service.Region;
        if (await Store(context.Caller(), own, region, key, request, ct) is { } refusal)
        {
            return refusal;
        }

        var stored = await seals.Find(own, ct);
        return TypedResults.File(stored!.Request, "application/pkcs10");
    }

    // Of two first calls at once one stores; both have asked the token for the same key, which it makes once.
    private async Task<Refusal?> Store(Caller caller, InstitutionId institution, string region, KeyRef key, byte[] request, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await SealStore.Insert(tx, institution, region, key.Label, request, clock.GetUtcNow(), ct) == 1
            && await outbox.Record(tx, SealEvents.Of("KEY.generate", institution, caller, request)) is { } refusal)
        {
            return refusal;
        }

        await tx.CommitAsync(CancellationToken.None);
        return null;
    }

    private async Task<byte[]> NewRequest(KeyRef key, InstitutionId institution, string name, CancellationToken ct)
    {
        var held = await token.FindOrGenerate(key, KeyAlgorithm.EcdsaP256, ct);
        var subject = new X500DistinguishedNameBuilder();
        subject.AddCountryOrRegion("CN");
        subject.AddCommonName(name);
        return await CertificationRequest.Create(
            subject.Build(), held.SubjectPublicKeyInfo,
            [CertificateExtension.SubjectAltName(new GeneralName.Uri(institution.Value)), CertificateExtension.KeyUsage(KeyUsages.NonRepudiation)],
            (digest, cancel) => token.Sign(key, digest, cancel), ct);
    }
}

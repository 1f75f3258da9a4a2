using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.CA.Certificates;
using Trust.CA.Registry;
using Trust.Kernel.Hosting;

namespace Trust.CA.Entitlements;

/// <summary>One affiliation of a holder.</summary>
public sealed record HolderAffiliation(string Institution, string InstitutionName, string Kind, string Role, bool Filing);

/// <summary>Who holds a certificate.</summary>
/// <param name="Person">Practitioner URN.</param>
/// <param name="Name">Registered name.</param>
/// <param name="Usage"><c>authentication</c> or <c>signature</c>.</param>
/// <param name="Status"><c>good</c>, <c>hold</c>, <c>revoked</c> or <c>expired</c>.</param>
/// <param name="State">The practitioner's state.</param>
/// <param name="Affiliations">Affiliations in force.</param>
public sealed record Holder(string Person, string Name, string Usage, string Status, string State, IReadOnlyList<HolderAffiliation> Affiliations);

/// <summary><c>GET /holders/{certificateSha256}</c>: the person behind a card, for services only.</summary>
internal sealed class ShowHolder(CertificateStore certificates, RegistryStore registry, TimeProvider clock)
{
    /// <summary>Shows.</summary>
    public async Task<Results<Ok<Holder>, Refusal>> Handle(string sha256, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var row = await certificates.Find(sha256, ct);
        var usage = row?.Profile switch
        {
            "practitioner-authentication" => "authentication",
            "practitioner-signature" or "practitioner-signature-sm2" => "signature",
            _ => null,
        };
        if (row is null || usage is null || await registry.FindPractitioner(row.Holder, now, ct) is not { } person)
        {
            return CaRefusals.UnknownHolder;
        }

        var status = row.State is "good" && row.NotAfter < now ? "expired" : row.State;
        var state = await registry.StateOfPractitioner(row.Holder, now, ct) ?? "pending";
        var affiliations = await registry.AffiliationsOf(row.Holder, now, ct);
        return TypedResults.Ok(new Holder(
            row.Holder, person.Name, usage, status, state,
            [.. affiliations.Select(a => new HolderAffiliation(a.Institution, a.InstitutionName, a.Kind, person.Role, a.Filed))]));
    }
}

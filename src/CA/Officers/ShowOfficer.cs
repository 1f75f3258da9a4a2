using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Hosting;

namespace Trust.CA.Officers;

/// <summary>Whose card a certificate is.</summary>
/// <param name="Person">The officer.</param>
/// <param name="Usage"><c>authentication</c> or <c>signature</c>.</param>
public sealed record OfficerCard(string Person, string Usage);

/// <summary><c>GET /officers/{certificateSha256}</c>: the officer behind a good certificate, for services whose own doors officers open. Asked at each use, so a held card opens none.</summary>
internal sealed class ShowOfficer(OfficerDirectory officers)
{
    /// <summary>Shows.</summary>
    public async Task<Results<Ok<OfficerCard>, Refusal>> Handle(string sha256, CancellationToken ct)
    {
        foreach (var usage in (string[])["authentication", "signature"])
        {
            if (await officers.PersonOf(sha256, "officer-" + usage, ct) is { } person)
            {
                return TypedResults.Ok(new OfficerCard(person, usage));
            }
        }

        return CaRefusals.UnknownOfficer;
    }
}

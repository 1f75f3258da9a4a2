using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.CA.Officers;
using Trust.Kernel.Hosting;

namespace Trust.CA.Residency;

/// <summary>
/// <c>POST /residency/declarations</c>: an officer proposes a declaration, signed by the officer's own card (a JSON Web Signature in the general
/// serialization). Nothing changes until a second officer has signed it too.
/// </summary>
internal sealed class ProposeDeclaration(DeclarationStore declarations)
{
    /// <summary>Proposes.</summary>
    public async Task<Results<Created<DeclarationSummary>, Refusal>> Handle(HttpContext context, JsonElement body)
    {
        var ct = context.RequestAborted;
        var officer = context.Officer();
        var fault = new List<string>();
        if (await declarations.Read(System.Text.Encoding.UTF8.GetBytes(body.GetRawText()), fault, ct) is not var (signed, terms))
        {
            return CaRefusals.DeclarationRefused.With("fault", fault[0]);
        }

        if (signed.Accepted || signed.Signers is not [var signer] || await declarations.OfficerOf(signer, ct) != officer.Person)
        {
            return CaRefusals.NotYourSignatureCertificate;
        }

        return await declarations.Propose(officer, signed, terms) is { } summary
            ? TypedResults.Created("/residency/declarations/" + summary.Id.ToString("D"), summary) : CommonRefusals.LedgerAway;
    }
}

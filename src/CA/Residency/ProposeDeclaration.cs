using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.CA.Officers;
using Trust.Kernel.Hosting;

namespace Trust.CA.Residency;

/// <summary>A declaration with an officer's signature: the general serialization (RFC 7515 7.2.1).</summary>
/// <param name="Payload">The canonical document, base64url.</param>
/// <param name="Signatures">The officer's.</param>
public sealed record DeclarationJws(string Payload, IReadOnlyList<DeclarationSignature> Signatures);

/// <summary>
/// <c>POST /residency/declarations</c>: an officer proposes a declaration, signed by the officer's own card (a JSON Web Signature in the general
/// serialization). Nothing changes until a second officer has signed it too.
/// </summary>
internal sealed class ProposeDeclaration(DeclarationStore declarations)
{
    /// <summary>Proposes.</summary>
    public async Task<Results<Created<DeclarationSummary>, Refusal>> Handle(HttpContext context, DeclarationJws body)
    {
        var ct = context.RequestAborted;
        var officer = context.Officer();
        var fault = new List<string>();
        if (await declarations.Read(JsonSerializer.SerializeToUtf8Bytes(body, CaJson.Default.DeclarationJws), fault, ct) is not var (signed, terms))
        {
            return CaRefusals.DeclarationRefused.With("fault", fault[0]);
        }

        if (signed.Accepted || signed.Signers is not [var signer] || await declarations.OfficerOf(signer, ct) != officer.Person)
        {
            return CaRefusals.NotYourSignatureCertificate;
        }

        var (summary, refusal) = await declarations.Propose(officer, signed, terms);
        return refusal is not null ? refusal : TypedResults.Created("/residency/declarations/" + summary.Id.ToString("D"), summary);
    }
}

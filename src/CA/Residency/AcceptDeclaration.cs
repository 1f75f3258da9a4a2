using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.CA.Officers;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;

namespace Trust.CA.Residency;

/// <summary>A second officer's signature over the same document.</summary>
/// <param name="Protected">The protected header, base64url, with <c>x5c</c>.</param>
/// <param name="Signature">The value, base64url.</param>
public sealed record DeclarationSignature(string Protected, string Signature);

/// <summary>
/// <c>POST /residency/declarations/{id}/signatures</c>: a second officer signs what the first proposed, and it comes into force: ca signs that both are
/// officers in good standing, and services take it within seconds.
/// </summary>
internal sealed class AcceptDeclaration(DeclarationStore declarations)
{
    /// <summary>Accepts.</summary>
    public async Task<Results<Ok<DeclarationSummary>, Refusal>> Handle(HttpContext context, Guid id, DeclarationSignature body)
    {
        var ct = context.RequestAborted;
        var officer = context.Officer();
        if (await declarations.Summary(id, ct) is not { } summary || await declarations.Find(id, ct) is not { } jws)
        {
            return CaRefusals.UnknownDeclaration;
        }

        if (summary.State is "in-force")
        {
            return summary.AcceptedBy == officer.Person ? TypedResults.Ok(summary) : CaRefusals.DeclarationClosed;
        }

        if (summary.ProposedBy == officer.Person)
        {
            return CaRefusals.OwnImport;
        }

        var trust = declarations.Trust();
        var proposed = SignedDeclaration.TryRead(jws, trust, out _) ?? throw new InvalidDataException("A kept declaration cannot be read.");
        var both = SignedDeclaration.Write(proposed.Document, [.. proposed.Signers.Select(s => (s.Header, s.Signature)), (body.Protected, body.Signature)]);
        var fault = new List<string>();
        if (await declarations.Read(both, fault, ct) is not var (signed, terms))
        {
            return CaRefusals.DeclarationRefused.With("fault", fault[0]);
        }

        if (signed.Fault(trust, terms.Declaration.IssuedAt, ct) is { } unsigned)
        {
            return CaRefusals.DeclarationRefused.With("fault", unsigned);
        }

        if (await declarations.OfficerOf(signed.Signers[1], ct) != officer.Person)
        {
            return CaRefusals.NotYourSignatureCertificate;
        }

        // The first officer's signature is as good now as when it was given, or it does not count.
        if (await declarations.OfficerOf(signed.Signers[0], ct) != summary.ProposedBy)
        {
            return CaRefusals.DeclarationClosed;
        }

        return await declarations.PutInForce(id, officer.Actor, officer.Person, summary.ProposedBy, signed, terms.Sha256, ct) is { } refusal
            ? refusal : TypedResults.Ok((await declarations.Summary(id, ct))!);
    }
}

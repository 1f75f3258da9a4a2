using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;

namespace Trust.CA.Residency;

/// <summary>Everything that a second officer signs.</summary>
/// <param name="Declaration">Where it stands.</param>
/// <param name="Document">The document.</param>
/// <param name="InForce">The document that it would replace; null before the first.</param>
/// <param name="Payload">The canonical bytes, base64url, as they are signed.</param>
public sealed record DeclarationView(DeclarationSummary Declaration, JsonElement Document, JsonElement? InForce, string Payload);

/// <summary><c>GET /residency/declarations</c>, <c>GET /residency/declarations/{id}</c>, and <c>GET /residency/declaration</c>, the newest in force.</summary>
internal sealed class ShowDeclarations(DeclarationStore declarations, ResidencyGate residency)
{
    /// <summary>Lists, oldest first.</summary>
    public async Task<Results<Ok<IReadOnlyList<DeclarationSummary>>, Refusal>> List(HttpContext context, string? after, int? limit, CancellationToken ct)
    {
        if (Page.Of(after, limit) is not { } page)
        {
            return CommonRefusals.MalformedPage;
        }

        var found = await declarations.List(page, ct);
        return TypedResults.Ok(page.Take(context, found, d => new Cursor(d.ProposedAt, d.Id)));
    }

    /// <summary>Shows one.</summary>
    public async Task<Results<Ok<DeclarationView>, Refusal>> Show(Guid id, CancellationToken ct)
    {
        if (await declarations.Summary(id, ct) is not { } summary || await declarations.Find(id, ct) is not { } jws)
        {
            return CaRefusals.UnknownDeclaration;
        }

        var document = Document(jws);
        return TypedResults.Ok(new DeclarationView(
            summary, JsonElement.Parse(document), await declarations.Newest(ct) is { } newest ? JsonElement.Parse(Document(newest)) : null,
            System.Buffers.Text.Base64Url.EncodeToString(document)));
    }

    /// <summary>The newest in force, for services and whoever keeps a copy; of a ca whose database is closed the one that closed it, which the others need all the same.</summary>
    public async Task<Results<FileContentHttpResult, Refusal>> Newest(CancellationToken ct) =>
        (residency.IsClosedBy(PlaceKind.Database) ? residency.Signed?.ToArray() : await declarations.Newest(ct)) is { } jws ? TypedResults.File(jws, "application/jose+json") : CaRefusals.UnknownDeclaration;

    private byte[] Document(byte[] jws) =>
        (SignedDeclaration.TryRead(jws, declarations.Trust(), out var fault) ?? throw new InvalidDataException("A kept declaration cannot be read: " + fault)).Document;
}

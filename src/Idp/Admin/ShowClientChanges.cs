using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Hosting;

namespace Trust.Idp.Admin;

/// <summary>A proposed client as officers see it.</summary>
/// <param name="Id">The change.</param>
/// <param name="Code">Eight letters of the document's hash, to name it by.</param>
/// <param name="ClientId">Whom it concerns.</param>
/// <param name="ProposedBy">The officer.</param>
/// <param name="ProposedAt">When.</param>
/// <param name="ExpiresAt">When it lapses.</param>
/// <param name="State"><c>open</c> or <c>applied</c>.</param>
/// <param name="Document">What cards sign, base64.</param>
/// <param name="ApprovedBy">Officers who signed it.</param>
public sealed record ClientChangeAnswer(
    Guid Id, string Code, string ClientId, string ProposedBy, DateTimeOffset ProposedAt, DateTimeOffset ExpiresAt, string State, string Document, IReadOnlyList<string> ApprovedBy)
{
    /// <summary>Of a row.</summary>
    internal static ClientChangeAnswer Of(ClientChange change, IEnumerable<string> approvers) => new(
        change.Id, ClientChange.CodeOf(change.Document), change.ClientId, change.ProposedBy, change.ProposedAt, change.ExpiresAt, change.State, Convert.ToBase64String(change.Document), [.. approvers]);
}

/// <summary><c>GET /admin/client-changes</c>, <c>/admin/client-changes/{id}</c>: what waits for a second officer, or what became of it.</summary>
public sealed class ShowClientChanges(ClientChanges changes)
{
    /// <summary>One.</summary>
    public async Task<Results<Ok<ClientChangeAnswer>, Refusal>> Show(Guid id, CancellationToken ct) => await changes.Find(id, ct) is { } change
        ? TypedResults.Ok(ClientChangeAnswer.Of(change, (await changes.Approvers(id, ct)).Select(a => a.Officer))) : IdpRefusals.ChangeUnknown;

    /// <summary>A page, oldest first.</summary>
    public async Task<Results<Ok<IReadOnlyList<ClientChangeAnswer>>, Refusal>> List(HttpContext context, string? state, string? after, int? limit, CancellationToken ct)
    {
        if (Page.Of(after, limit) is not { } page || state is not (null or "open" or "applied"))
        {
            return CommonRefusals.MalformedPage;
        }

        var rows = page.Take(context, await changes.List(state, page, ct), c => new Cursor(c.ProposedAt, c.Id));
        var answers = new List<ClientChangeAnswer>();
        foreach (var row in rows)
        {
            answers.Add(ClientChangeAnswer.Of(row, (await changes.Approvers(row.Id, ct)).Select(a => a.Officer)));
        }

        return TypedResults.Ok<IReadOnlyList<ClientChangeAnswer>>(answers);
    }
}

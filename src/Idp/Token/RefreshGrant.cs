using Trust.Idp.Clients;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;

namespace Trust.Idp.Token;

/// <summary>
/// The refresh grant (RFC 6749 6). A token that is bound to its sender, or to a client that proves itself, stays (FAPI 2.0 5.3.2.1 item 9: an answer that is
/// lost costs nobody the login); a public client's unbound one is rotated, and its reuse ends the family (RFC 9700 4.14.2).
/// </summary>
public sealed class RefreshGrant(RefreshFamilies families, IssueTokens tokens, Senders senders)
{
    // The family's row is held until the commit: whoever ends it meanwhile waits, and then finds this token too.
    private const string Keep = "WITH act AS (SELECT id FROM refresh_families WHERE id = $13 AND ended_at IS NULL FOR SHARE)" + IssueTokens.Record + Outbox.Trace;
    private const string Rotate = """
        WITH alive AS (SELECT id FROM refresh_families WHERE id = $13 AND ended_at IS NULL FOR SHARE),
             act AS (UPDATE refresh_tokens t SET used_at = $11 FROM alive WHERE t.hash = $25 AND t.family = alive.id AND t.used_at IS NULL AND t.expires_at > $11 RETURNING 1)
        """ + IssueTokens.Record + Outbox.Trace;

    /// <summary>Answers the grant.</summary>
    internal async Task<IResult> Handle(HttpContext context, Client client, FormFields form, CancellationToken ct)
    {
        var token = form.Text("refresh_token");
        if (await families.Find(token, ct) is not { } family || !Check.Holds("refresh.client", family.ClientId == client.Id))
        {
            // Another client's token stays usable by its owner: a thief must not be able to end the family (CVE-2026-55672).
            return OAuthError.Of(context, "invalid_grant", "The refresh token is not known, or has ended.");
        }

        if (family.TokenUsed)
        {
            return await Reused(context, client, family, ct);
        }

        return await senders.Of(context, client, ct) switch
        {
            ShownSender.Refused refused => OAuthError.Of(context, refused.Error, refused.Description),
            ShownSender.Shown { Binding: var shown } when !Check.Holds("refresh.sender", family.Sender.IsMetBy(shown)) => OAuthError.Of(context, "invalid_grant", "The refresh token is bound to another key or certificate."),
            ShownSender.Shown { Binding: var shown } => await Issue(context, client, new Request(family, token!, shown), form, ct),
            _ => throw new InvalidOperationException("A closed set."),
        };
    }

    private async Task<IResult> Issue(HttpContext context, Client client, Request request, FormFields form, CancellationToken ct)
    {
        var family = request.Family;
        if (Narrowed(form.Text("scope"), family.Scope) is not { } asked)
        {
            return OAuthError.Of(context, "invalid_scope", "A refresh asks for no more than was granted.");
        }

        if ((form.Text("resource") ?? family.Resource) != family.Resource)
        {
            return OAuthError.Of(context, "invalid_target", "The resource was not granted.");
        }

        var (practitioner, refused) = await tokens.Practitioner(family.SessionId, family.Institution, ct);
        if (practitioner is null)
        {
            return OAuthError.Of(context, "invalid_grant", refused!);
        }

        var scope = await tokens.StillHeld(asked, practitioner.Session, family.Institution, ct);
        var rotates = Rotates(client, family);
        var signed = await tokens.Sign(
            new Grant(client, practitioner, scope, family.Resource, family.Sender with { Jkt = family.Sender.Jkt ?? request.Shown.Jkt })
            {
                Claims = family.Claims, AuthorizationDetails = family.AuthorizationDetails, Family = family.Id, Reason = "refreshed",
            },
            withRefreshToken: rotates, ct);
        var committed = rotates
            ? await tokens.Commit(signed, Rotate, c => c.With(RefreshFamilies.Hash(request.Token)))
            : await tokens.Commit(signed, Keep, c => c);
        return committed switch
        {
            CommitOutcome.Refused => IssueTokens.LedgerAway(context),
            // Another request won the swap just now, or the family has ended.
            CommitOutcome.NoEffect => await families.Find(request.Token, ct) is { TokenUsed: true } again
                ? await Reused(context, client, again, ct) : OAuthError.Of(context, "invalid_grant", "The refresh token has ended."),
            _ => IssueTokens.Answer(context, rotates ? signed : signed with { RefreshToken = request.Token }),
        };
    }

    private async Task<IResult> Reused(HttpContext context, Client client, RefreshFamily family, CancellationToken ct)
    {
        await families.End(family.Id, client, "refresh-replayed", isAttack: true, ct);
        return OAuthError.Of(context, "invalid_grant", "The refresh token was used before; everything it brought is revoked.");
    }

    private static bool Rotates(Client client, RefreshFamily family) => client.IsPublic && family.Sender is { Jkt: null, X5t: null };

    private static string? Narrowed(string? asked, string granted)
    {
        if (asked is null)
        {
            return granted;
        }

        var all = granted.Split(' ');
        var wanted = asked.Split(' ', StringSplitOptions.RemoveEmptyEntries).Distinct(StringComparer.Ordinal).ToList();
        return wanted.Count > 0 && wanted.All(s => all.Contains(s, StringComparer.Ordinal)) ? string.Join(' ', wanted) : null;
    }

    private sealed record Request(RefreshFamily Family, string Token, SenderBinding Shown);
}

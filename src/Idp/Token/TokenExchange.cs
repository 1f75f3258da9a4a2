using Trust.Idp.Access;
using Trust.Idp.Clients;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;

namespace Trust.Idp.Token;

/// <summary>
/// Token exchange (RFC 8693), for a service that was called with a person's token and calls another in turn: the same person, no more scope, no longer life, another
/// audience, and <c>act</c> says who does it. Only whoever the token was issued to or meant for may exchange it, and only while it counts (CVE-2026-9704, CVE-2025-55241).
/// </summary>
public sealed class TokenExchange(LiveToken live, IssueTokens tokens, Senders senders)
{
    private const string AccessTokenType = "urn:ietf:params:oauth:token-type:access_token";
    private const string Use = "WITH act AS (SELECT jti FROM tokens WHERE jti = $25 AND revoked_at IS NULL AND expires_at > $11 FOR SHARE)" + IssueTokens.Record + Outbox.Trace;

    /// <summary>Answers the grant.</summary>
    internal async Task<IResult> Handle(HttpContext context, Client client, FormFields form, CancellationToken ct)
    {
        if (form.Text("subject_token") is not { } presented || form.Text("subject_token_type") != AccessTokenType
            || (form.Text("requested_token_type") ?? AccessTokenType) != AccessTokenType || form.Has("actor_token") || form.Has("actor_token_type"))
        {
            return OAuthError.Of(context, "invalid_request", "Send one subject_token, an access token; actor tokens and other types are not taken.");
        }

        if (await live.Judge(presented, ct) is not { Session: not null } subject || !Concerns(subject, client))
        {
            return OAuthError.Of(context, "invalid_request", "The subject token does not count, or is none of this client's.");
        }

        var resource = form.Text("resource") ?? form.Text("audience") ?? client.Resources[0];
        if (!client.Resources.Contains(resource, StringComparer.Ordinal))
        {
            return OAuthError.Of(context, "invalid_target", "The resource is not registered for this client.");
        }

        return Scope(form.Text("scope"), subject, client) is { } scope
            ? await Issue(context, client, new Request(subject, scope, resource), ct)
            : OAuthError.Of(context, "invalid_scope", "An exchange asks for no more than the subject token has, and than this client may.");
    }

    private async Task<IResult> Issue(HttpContext context, Client client, Request request, CancellationToken ct)
    {
        var subject = request.Subject;
        if (await senders.Of(context, client, ct) is not ShownSender.Shown { Binding: var sender })
        {
            return OAuthError.Of(context, "invalid_dpop_proof", "The new token is bound: send a DPoP proof, or use the client's certificate.");
        }

        var (practitioner, refused) = await tokens.Practitioner(subject.Session!.Id, subject.Token.GetPayloadValue<string>("acting_institution"), ct);
        if (practitioner is null)
        {
            return OAuthError.Of(context, "invalid_request", refused!);
        }

        var scope = await tokens.StillHeld(request.Scope, practitioner.Session, practitioner.Institution, ct);
        var signed = await tokens.Sign(
            new Grant(client, practitioner, scope, request.Resource, sender)
            {
                Family = subject.Family, NotAfter = new DateTimeOffset(subject.Token.ValidTo, TimeSpan.Zero), ActsFor = subject.Token.GetPayloadValue<string>("client_id"), Reason = "exchanged",
            },
            withRefreshToken: false, ct);
        return await tokens.Commit(signed, Use, c => c.With(subject.Token.Id)) switch
        {
            CommitOutcome.Committed => IssueTokens.Answer(context, signed with { IdToken = null }, AccessTokenType),
            CommitOutcome.Refused => IssueTokens.LedgerAway(context),
            _ => OAuthError.Of(context, "invalid_request", "The subject token has ended."),
        };
    }

    private static bool Concerns(LiveAccess subject, Client client) =>
        subject.Token.GetPayloadValue<string>("client_id") == client.Id
        || (client.Role is "resource-server" && subject.Token.Audiences.Any(a => client.Resources.Contains(a, StringComparer.Ordinal)));

    private static string? Scope(string? asked, LiveAccess subject, Client client)
    {
        var had = subject.Token.GetPayloadValue<string>("scope").Split(' ');
        var wanted = asked?.Split(' ', StringSplitOptions.RemoveEmptyEntries).Distinct(StringComparer.Ordinal).ToList()
            ?? [.. had.Where(s => s is not ("openid" or "profile") && client.Scopes.Contains(s, StringComparer.Ordinal))];
        return wanted.Count > 0 && wanted.All(s => s is not "openid" && had.Contains(s, StringComparer.Ordinal) && client.Scopes.Contains(s, StringComparer.Ordinal))
            ? string.Join(' ', wanted) : null;
    }

    private sealed record Request(LiveAccess Subject, string Scope, string Resource);
}

using Trust.Idp.Clients;
using Trust.Kernel.Audit;
using Trust.Kernel.LiveStatus;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using EventId = Trust.LogFormat.EventId;

namespace Trust.Idp.Token;

/// <summary>The client credentials grant (RFC 6749 §4.4), for systems that have proved themselves.</summary>
public sealed class ClientCredentials(TokenIssuer issuer, Senders senders, EntitlementClient entitlements, RefusalCounter refusals, Outbox outbox, TimeProvider clock)
{
    private const string Record = """
        WITH act AS (INSERT INTO tokens (jti, client_id, subject, issued_at, expires_at, jkt, x5t) VALUES ($6, $7, $8, $9, $10, $11, $12) RETURNING 1)
        """ + Outbox.Trace;
    private static readonly string[] Personal = ["openid", "profile", "rx.sign", "rx.review"];

    /// <summary>Answers the grant.</summary>
    internal async Task<IResult> Handle(HttpContext context, Client client, FormFields form, CancellationToken ct)
    {
        var asked = form.Text("scope")?.Split(' ', StringSplitOptions.RemoveEmptyEntries) ?? [];
        // A person's rights need the person: a system that acts alone must never look like a doctor (docs/RULES.md §3).
        if (asked.Length == 0 || asked.Any(s => !client.Scopes.Contains(s, StringComparer.Ordinal) || Personal.Contains(s, StringComparer.Ordinal)))
        {
            return OAuthError.Of(context, "invalid_scope", "A scope is missing, not registered for this client, or needs a person's login.");
        }

        var resource = form.Text("resource") ?? client.Resources[0];
        if (!client.Resources.Contains(resource, StringComparer.Ordinal))
        {
            return OAuthError.Of(context, "invalid_target", "The resource is not registered for this client.");
        }

        if (await Standing(context, client, ct) is { } closed)
        {
            return closed;
        }

        return await senders.Of(context, client, ct) switch
        {
            ShownSender.Refused refused => OAuthError.Of(context, refused.Error, refused.Description),
            ShownSender.Shown { Binding: var sender } => await Issue(context, client, string.Join(' ', asked.Distinct(StringComparer.Ordinal)), resource, sender, ct),
            _ => throw new InvalidOperationException("A closed set."),
        };
    }

    private async Task<IResult> Issue(HttpContext context, Client client, string scope, string resource, SenderBinding sender, CancellationToken ct)
    {
        var id = new EventId(Guid.CreateVersion7(clock.GetUtcNow()));
        var token = await issuer.AccessToken(client, scope, resource, sender, id, ct);
        var recorded = await outbox.Commit(TokenIssuer.Issued(client, null, token.Id) with { Id = id }, Record, c => c
            .With(token.Id).With(client.Id).With(token.Subject).With(token.IssuedAt).With(token.ExpiresAt).With(sender.Jkt).With(sender.X5t));
        if (recorded is not CommitOutcome.Committed)
        {
            return IssueTokens.LedgerAway(context);
        }

        context.Response.Headers.CacheControl = "no-store";
        return Results.Json(new TokenBody(token.Value, sender.TokenType, token.Seconds, scope, null), IdpJson.Default.TokenBody);
    }

    // A closed institution loses everything at once, its systems too (docs/RULES.md §1). A regulator's system acts for none.
    private async Task<IResult?> Standing(HttpContext context, Client client, CancellationToken ct)
    {
        if (client.Institution is null || await entitlements.Check(new EntitlementQuestion(null, client.Institution, "system"), ct) is not Entitlement.Deny deny)
        {
            return null;
        }

        if (deny.IsUnanswered)
        {
            return OAuthError.Of(context, "temporarily_unavailable", deny.Reason is Entitlement.Deny.ClockSkew ? "The clocks of the provider and the registry differ; tell the operator." : "The registry does not answer, and nothing is done on old knowledge.", StatusCodes.Status503ServiceUnavailable);
        }

        refusals.Count(deny.Reason);
        return OAuthError.Of(context, "unauthorized_client", "The client's institution may not act: " + deny.Reason);
    }
}

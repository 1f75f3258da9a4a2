using Trust.Idp.Clients;
using Trust.Kernel.Audit;
using Trust.Kernel.LiveStatus;
using Trust.Kernel.Postgres;

namespace Trust.Idp.Token;

/// <summary>The client credentials grant (RFC 6749 §4.4), for systems proved by <c>private_key_jwt</c>.</summary>
public sealed class ClientCredentials(TokenIssuer issuer, EntitlementClient entitlements, RefusalCounter refusals, Outbox outbox)
{
    private const string Record = """
        WITH act AS (INSERT INTO tokens (jti, client_id, subject, issued_at, expires_at) VALUES ($6, $7, $8, $9, $10) RETURNING 1)
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

        var scope = string.Join(' ', asked.Distinct(StringComparer.Ordinal));
        var token = await issuer.AccessToken(client, null, scope, resource, ct);
        var recorded = await outbox.Commit(TokenIssuer.Issued(client, null, token.Id), Record, c => c
            .With(token.Id).With(client.Id).With(token.Subject).With(token.IssuedAt).With(token.ExpiresAt));
        if (recorded is not CommitOutcome.Committed)
        {
            return OAuthError.Of(context, "temporarily_unavailable", "The audit ledger is away and its budget is spent.", StatusCodes.Status503ServiceUnavailable);
        }

        context.Response.Headers.CacheControl = "no-store";
        return Results.Json(new TokenBody(token.Value, "Bearer", token.Seconds, scope, null), IdpJson.Default.TokenBody);
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

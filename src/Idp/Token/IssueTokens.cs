using System.Diagnostics.CodeAnalysis;
using Npgsql;
using Trust.Idp.Sessions;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.LiveStatus;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using EventId = Trust.LogFormat.EventId;

namespace Trust.Idp.Token;

/// <summary>Tokens of a grant, signed and not yet recorded: they count, and are handed out, once <see cref="IssueTokens.Commit"/> has committed them.</summary>
/// <param name="Grant">What they are for.</param>
/// <param name="Access">The access token.</param>
/// <param name="IdToken">The ID token; null without the scope <c>openid</c>.</param>
/// <param name="Event">The event of their issue, which they name as <c>txn</c>.</param>
public sealed record SignedTokens(Grant Grant, AccessToken Access, string? IdToken, EventId Event)
{
    /// <summary>A refresh token that goes with them, in the clear this once.</summary>
    public string? RefreshToken { get; init; }

    /// <summary>True when the family begins with them.</summary>
    public bool BeginsFamily { get; init; }
}

/// <summary>Issues the tokens of every grant that a person stands behind. One use, one statement: what is used up, the tokens and their event commit together.</summary>
public sealed class IssueTokens(TokenIssuer issuer, SessionStore sessions, EntitlementClient entitlements, Outbox outbox, ServiceOptions service, TimeProvider clock)
{
    /// <summary>
    /// The middle of a grant's statement, between <c>WITH act AS (…)</c> and <see cref="Outbox.Trace"/>: writes access token, family and refresh token when the act
    /// took effect. It takes $6 to $24; the grant's own parameters begin at $25.
    /// </summary>
    internal const string Record = """
        , token AS (INSERT INTO tokens (jti, client_id, session_id, code_hash, subject, issued_at, expires_at, family, jkt, x5t, authorization_details)
                    SELECT $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16 FROM act),
          family AS (INSERT INTO refresh_families (id, client_id, session_id, person, institution, scope, resource, claims, authorization_details, jkt, x5t, code_hash, region, created_at, expires_at)
                     SELECT $13, $7, $8, $10, $17, $18, $19, $20, $16, $14, $15, $9, $21, $11, s.expires_at FROM act, sessions s WHERE $22 AND s.id = $8),
          refresh AS (INSERT INTO refresh_tokens (hash, family, issued_at, expires_at) SELECT $23, $13, $11, s.expires_at FROM act, sessions s WHERE $24 AND s.id = $8)
        """;

    /// <summary>The person behind a session as the registry says now; a sentence for the client when there is none, or no right.</summary>
    internal async Task<(Practitioner? Practitioner, string? Refused)> Practitioner(Guid sessionId, string institution, CancellationToken ct)
    {
        if (await sessions.Find(sessionId, ct) is not { } session)
        {
            return (null, "The session has ended.");
        }

        return await entitlements.Check(new EntitlementQuestion(session.Person, institution, "login", session.Certificate), ct) switch
        {
            Entitlement.Permit permit => (new Practitioner(session, institution, permit), null),
            var deny => (null, "The person may not act: " + ((Entitlement.Deny)deny).Reason),
        };
    }

    /// <summary>Entitlement is live: a scope whose act the registry would refuse now is left out of the token (docs/ARCHITECTURE.md §1 rule 3).</summary>
    internal async Task<string> StillHeld(string scopes, Session session, string institution, CancellationToken ct)
    {
        var held = new List<string>();
        foreach (var scope in scopes.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var act = scope switch { "rx.sign" => "prescribe", "rx.review" => "review", _ => null };
            if (act is null || await entitlements.Check(new EntitlementQuestion(session.Person, institution, act), ct) is Entitlement.Permit)
            {
                held.Add(scope);
            }
        }

        return string.Join(' ', held);
    }

    /// <summary>Signs the tokens of a grant; a refresh family is begun for a client that registered the grant, unless it has one.</summary>
    /// <param name="grant">What for.</param>
    /// <param name="withRefreshToken">Whether a refresh token goes with them.</param>
    /// <param name="ct">Cancels.</param>
    internal async Task<SignedTokens> Sign(Grant grant, bool withRefreshToken, CancellationToken ct)
    {
        var begins = withRefreshToken && grant.Family is null;
        var made = begins ? grant with { Family = Guid.CreateVersion7(clock.GetUtcNow()) } : grant;
        var id = new EventId(Guid.CreateVersion7(clock.GetUtcNow()));
        var access = await issuer.AccessToken(made, id, ct);
        var idToken = made.Scope.Split(' ').Contains("openid", StringComparer.Ordinal) ? await issuer.IdToken(made, access, id, ct) : null;
        return new SignedTokens(made, access, idToken, id) { RefreshToken = withRefreshToken ? Secret.New() : null, BeginsFamily = begins };
    }

    /// <summary>Commits tokens with what they use up.</summary>
    /// <param name="tokens">Signed.</param>
    /// <param name="sql"><c>WITH act AS (…)</c>, <see cref="Record"/>, <see cref="Outbox.Trace"/>.</param>
    /// <param name="with">Adds the act's own parameters, from $25 on.</param>
    internal Task<CommitOutcome> Commit(SignedTokens tokens, [ConstantExpected] string sql, Func<NpgsqlBatchCommand, NpgsqlBatchCommand> with)
    {
        var (grant, access) = (tokens.Grant, tokens.Access);
        var issued = TokenIssuer.Issued(grant.Client, grant.Practitioner, access.Id) with { Id = tokens.Event, Reason = grant.Reason };
        return outbox.Commit(issued, sql, c => with(c
            .With(access.Id).With(grant.Client.Id).With(grant.Practitioner.Session.Id).With(grant.CodeHash).With(grant.Practitioner.Session.Person).With(access.IssuedAt).With(access.ExpiresAt)
            .With(grant.Family).With(grant.Sender.Jkt).With(grant.Sender.X5t).With(grant.AuthorizationDetails).With(grant.Practitioner.Institution).With(grant.Scope).With(grant.Resource)
            .With(grant.Claims).With(service.Region).With(tokens.BeginsFamily).With(tokens.RefreshToken is { } token ? RefreshFamilies.Hash(token) : null).With(tokens.RefreshToken is not null)));
    }

    /// <summary>The answer that hands the tokens out.</summary>
    /// <param name="context">The request.</param>
    /// <param name="tokens">Committed.</param>
    /// <param name="issuedType">RFC 8693 2.2.1, of an exchange.</param>
    internal static IResult Answer(HttpContext context, SignedTokens tokens, string? issuedType = null)
    {
        context.Response.Headers.CacheControl = "no-store";
        return Results.Json(
            new TokenBody(tokens.Access.Value, tokens.Grant.Sender.TokenType, tokens.Access.Seconds, tokens.Grant.Scope, tokens.IdToken)
            {
                RefreshToken = tokens.RefreshToken, IssuedTokenType = issuedType,
                AuthorizationDetails = tokens.Grant.AuthorizationDetails is { } details ? System.Text.Json.JsonDocument.Parse(details).RootElement : null,
            },
            IdpJson.Default.TokenBody);
    }

    /// <summary>The answer when the ledger's budget is spent.</summary>
    internal static IResult LedgerAway(HttpContext context) =>
        OAuthError.Of(context, "temporarily_unavailable", "The audit ledger is away and its budget is spent.", StatusCodes.Status503ServiceUnavailable);
}

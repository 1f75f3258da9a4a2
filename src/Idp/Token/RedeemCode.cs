using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Npgsql;
using Trust.Idp.Clients;
using Trust.Idp.Sessions;
using Trust.Kernel.Audit;
using Trust.Kernel.LiveStatus;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.Idp.Token;

/// <summary>
/// The authorization code grant (RFC 6749 §4.1.3, RFC 7636 §4.6). A code is used by compare-and-swap; sent twice, it takes the
/// tokens it had brought with it (RFC 6749 §4.1.2).
/// </summary>
public sealed class RedeemCode(
    NpgsqlDataSource db, SessionStore sessions, TokenIssuer issuer, EntitlementClient entitlements, Outbox outbox, TimeProvider clock, ILogger<RedeemCode> log)
{
    private const string Find = """
        SELECT client_id, redirect_uri, code_challenge, session_id, scope, nonce, resource, institution, used_at IS NOT NULL, expires_at FROM codes WHERE hash = $1
        """;
    private const string Use = """
        WITH act AS (UPDATE codes SET used_at = $7 WHERE hash = $6 AND used_at IS NULL AND expires_at > $7 RETURNING 1),
             token AS (INSERT INTO tokens (jti, client_id, session_id, code_hash, subject, issued_at, expires_at) SELECT $8, $9, $10, $6, $11, $12, $13 FROM act)
        """ + Outbox.Trace;
    private const string RevokeOfCode = "UPDATE tokens SET revoked_at = $2 WHERE code_hash = $1 AND revoked_at IS NULL";

    /// <summary>Answers the grant.</summary>
    internal async Task<IResult> Handle(HttpContext context, Client client, FormFields form, CancellationToken ct)
    {
        if (form.Text("code") is not { Length: 43 } code)
        {
            return OAuthError.Of(context, "invalid_grant", "The code is not known.");
        }

        var hash = Secret.Hash("code", code);
        var row = await db.Sql(Find).With(hash).One(Read, ct);
        if (row is null || row.ClientId != client.Id)
        {
            // Another client's code stays usable by its owner: a thief must not be able to burn it (CVE-2026-55672).
            return OAuthError.Of(context, "invalid_grant", "The code is not known.");
        }

        if (row.Used)
        {
            return await Replayed(context, client, hash, ct);
        }

        if (form.Text("redirect_uri") != row.RedirectUri || !Verifies(form.Text("code_verifier"), row.CodeChallenge))
        {
            return OAuthError.Of(context, "invalid_grant", "redirect_uri or code_verifier does not belong to this code.");
        }

        return await Issue(context, client, row, hash, ct);
    }

    private async Task<IResult> Issue(HttpContext context, Client client, Row row, byte[] hash, CancellationToken ct)
    {
        if (await sessions.Find(row.SessionId, ct) is not { } session)
        {
            return OAuthError.Of(context, "invalid_grant", "The session has ended.");
        }

        var answer = await entitlements.Check(new EntitlementQuestion(session.Person, row.Institution, "login", session.Certificate), ct);
        if (answer is not Entitlement.Permit permit)
        {
            return OAuthError.Of(context, "invalid_grant", "The person may not act: " + ((Entitlement.Deny)answer).Reason);
        }

        var scope = await StillHeld(row, session, ct);
        var practitioner = new Practitioner(session, row.Institution, permit);
        // Signed first, handed out only when the code was still good at the commit.
        var token = await issuer.AccessToken(client, practitioner, scope, row.Resource, ct);
        var idToken = await issuer.IdToken(client, practitioner, row.Nonce, scope, ct);
        var used = await outbox.Commit(TokenIssuer.Issued(client, practitioner, token.Id), Use, c => c
            .With(hash).With(clock.GetUtcNow()).With(token.Id).With(client.Id).With(session.Id).With(token.Subject).With(token.IssuedAt).With(token.ExpiresAt));
        if (used is CommitOutcome.NoEffect)
        {
            // Expired, or a second request won the swap just now.
            return (await db.Sql(Find).With(hash).One(Read, ct)) is { Used: true } ? await Replayed(context, client, hash, ct) : OAuthError.Of(context, "invalid_grant", "The code has expired.");
        }

        if (used is CommitOutcome.Refused)
        {
            return OAuthError.Of(context, "temporarily_unavailable", "The audit ledger is away and its budget is spent.", StatusCodes.Status503ServiceUnavailable);
        }

        context.Response.Headers.CacheControl = "no-store";
        return Results.Json(new TokenBody(token.Value, "Bearer", token.Seconds, scope, idToken), IdpJson.Default.TokenBody);
    }

    // Entitlement is live: a scope whose act the registry would refuse now is left out of the token (docs/ARCHITECTURE.md §1 rule 3).
    private async Task<string> StillHeld(Row row, Session session, CancellationToken ct)
    {
        var held = new List<string>();
        foreach (var scope in row.Scope.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var act = scope switch { "rx.sign" => "prescribe", "rx.review" => "review", _ => null };
            if (act is null || await entitlements.Check(new EntitlementQuestion(session.Person, row.Institution, act), ct) is Entitlement.Permit)
            {
                held.Add(scope);
            }
        }

        return string.Join(' ', held);
    }

    private async Task<IResult> Replayed(HttpContext context, Client client, byte[] hash, CancellationToken ct)
    {
        IdpLog.CodeReplayed(log, client.Id);
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await tx.Sql(RevokeOfCode).With(hash).With(clock.GetUtcNow()).Execute(ct);
        await outbox.Append(tx, new AuditEvent
        {
            Action = "AUTH.fail", Actor = new Actor(client.Id), Outcome = EventOutcome.Refused, Reason = "code-replayed", Subjects = [SubjectKey.Of("client", client.Id)],
        }, ct);
        await tx.CommitAsync(ct);
        return OAuthError.Of(context, "invalid_grant", "The code was used before; its tokens are revoked.");
    }

    // RFC 7636 4.1: 43 to 128 unreserved characters; 4.6: BASE64URL(SHA256(ASCII(verifier))) compared whole, case intact.
    private static bool Verifies(string? verifier, string challenge) =>
        verifier is { Length: >= 43 and <= 128 } && verifier.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_' or '~')
        && CryptographicOperations.FixedTimeEquals(
            Encoding.ASCII.GetBytes(Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(verifier)))), Encoding.ASCII.GetBytes(challenge));

    private static Row Read(NpgsqlDataReader r) => new(
        r.GetString(0), r.GetString(1), r.GetString(2), r.GetGuid(3), r.GetString(4), r.Nullable<string>(5), r.GetString(6), r.GetString(7), r.GetBoolean(8));

    private sealed record Row(string ClientId, string RedirectUri, string CodeChallenge, Guid SessionId, string Scope, string? Nonce, string Resource, string Institution, bool Used);
}

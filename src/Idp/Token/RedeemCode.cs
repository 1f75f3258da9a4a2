using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Npgsql;
using Trust.Idp.Access;
using Trust.Idp.Clients;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.Idp.Token;

/// <summary>
/// The authorization code grant (RFC 6749 §4.1.3, RFC 7636 §4.6). A code is used by compare-and-swap; sent twice, it takes the
/// tokens it had brought with it (RFC 6749 §4.1.2).
/// </summary>
public sealed class RedeemCode(NpgsqlDataSource db, IssueTokens tokens, Senders senders, Outbox outbox, Endings endings, TimeProvider clock, ILogger<RedeemCode> log)
{
    private const string Find = """
        SELECT client_id, redirect_uri, code_challenge, session_id, scope, nonce, resource, institution, used_at IS NOT NULL, dpop_jkt, authorization_details, claims FROM codes WHERE hash = $1
        """;
    private const string Use = """
        WITH act AS (UPDATE codes SET used_at = $11 WHERE hash = $9 AND used_at IS NULL AND expires_at > $11 RETURNING 1)
        """ + IssueTokens.Record + Outbox.Trace;
    private const string RevokeOfCode = "UPDATE tokens SET revoked_at = $2 WHERE code_hash = $1 AND revoked_at IS NULL";
    private const string EndOfCode = "UPDATE refresh_families SET ended_at = $2, end_reason = 'code-replayed' WHERE code_hash = $1 AND ended_at IS NULL RETURNING id";
    private const string RevokeOfFamily = "UPDATE tokens SET revoked_at = $2 WHERE family = $1 AND revoked_at IS NULL";

    /// <summary>Answers the grant.</summary>
    internal async Task<IResult> Handle(HttpContext context, Client client, FormFields form, CancellationToken ct)
    {
        if (form.Text("code") is not { Length: 43 } code)
        {
            return OAuthError.Of(context, "invalid_grant", "The code is not known.");
        }

        var hash = Secret.Hash("code", code);
        var row = await db.Sql(Find).With(hash).One(Read, ct);
        if (row is null || !Check.Holds("code.client", row.ClientId == client.Id))
        {
            // Another client's code stays usable by its owner: a thief must not be able to burn it (CVE-2026-55672).
            return OAuthError.Of(context, "invalid_grant", "The code is not known.");
        }

        if (row.Used)
        {
            return await Replayed(context, client, hash, ct);
        }

        if (form.Text("redirect_uri") is { } redirect ? redirect != row.RedirectUri : !client.IsFapi2)
        {
            return OAuthError.Of(context, "invalid_grant", "redirect_uri does not belong to this code.");
        }

        if (!Check.Holds("code.verifier", Verifies(form.Text("code_verifier"), row.CodeChallenge)))
        {
            return OAuthError.Of(context, "invalid_grant", "code_verifier does not belong to this code.");
        }

        return await senders.Of(context, client, ct) switch
        {
            ShownSender.Refused refused => OAuthError.Of(context, refused.Error, refused.Description),
            // RFC 9449 10: the key that the request named.
            ShownSender.Shown { Binding: var shown } when !Check.Holds("code.key", row.Jkt is not { } jkt || jkt == shown.Jkt) => OAuthError.Of(context, "invalid_grant", "The code is bound to another DPoP key."),
            ShownSender.Shown { Binding: var shown } => await Issue(context, client, new Redemption(row, hash, shown), ct),
            _ => throw new InvalidOperationException("A closed set."),
        };
    }

    private async Task<IResult> Issue(HttpContext context, Client client, Redemption redemption, CancellationToken ct)
    {
        var row = redemption.Row;
        var (practitioner, refused) = await tokens.Practitioner(row.SessionId, row.Institution, ct);
        if (practitioner is null)
        {
            return OAuthError.Of(context, "invalid_grant", refused!);
        }

        var scope = await tokens.StillHeld(row.Scope, practitioner.Session, row.Institution, ct);
        // Signed first, handed out only when the code was still good at the commit.
        var signed = await tokens.Sign(
            new Grant(client, practitioner, scope, row.Resource, redemption.Shown)
            {
                Nonce = row.Nonce, Claims = row.Claims, AuthorizationDetails = row.AuthorizationDetails, CodeHash = redemption.Hash,
            },
            client.GrantTypes.Contains("refresh_token"), ct);
        return await tokens.Commit(signed, Use, c => c) switch
        {
            CommitOutcome.Committed => IssueTokens.Answer(context, signed),
            CommitOutcome.Refused => IssueTokens.LedgerAway(context),
            // Expired, or a second request won the swap just now.
            _ => (await db.Sql(Find).With(redemption.Hash).One(Read, ct)) is { Used: true }
                ? await Replayed(context, client, redemption.Hash, ct) : OAuthError.Of(context, "invalid_grant", "The code has expired."),
        };
    }

    private async Task<IResult> Replayed(HttpContext context, Client client, byte[] hash, CancellationToken ct)
    {
        IdpLog.CodeReplayed(log, client.Id);
        var now = clock.GetUtcNow();
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        // The family first: whoever refreshes under it holds its row, and what they insert is then seen below.
        foreach (var family in await tx.Sql(EndOfCode).With(hash).With(now).All(r => r.GetGuid(0), ct))
        {
            await tx.Sql(RevokeOfFamily).With(family).With(now).Execute(ct);
        }

        await tx.Sql(RevokeOfCode).With(hash).With(now).Execute(ct);
        await outbox.Append(tx, new AuditEvent
        {
            Action = "AUTH.fail", Actor = new Actor(client.Id), Outcome = EventOutcome.Refused, Reason = "code-replayed", Subjects = [SubjectKey.Of("client", client.Id)],
        }, ct);
        await tx.CommitAsync(ct);
        endings.Note();
        return OAuthError.Of(context, "invalid_grant", "The code was used before; its tokens are revoked.");
    }

    // RFC 7636 4.1: 43 to 128 unreserved characters; 4.6: BASE64URL(SHA256(ASCII(verifier))) compared whole, case intact. A verifier where no challenge
    // was sent is a downgrade: somebody has taken the challenge out of the request (RFC 9700 4.8.2).
    private static bool Verifies(string? verifier, string? challenge) => challenge is null ? verifier is null :
        verifier is { Length: >= 43 and <= 128 } && verifier.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_' or '~')
        && CryptographicOperations.FixedTimeEquals(
            Encoding.ASCII.GetBytes(Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(verifier)))), Encoding.ASCII.GetBytes(challenge));

    private static Row Read(NpgsqlDataReader r) => new(
        r.GetString(0), r.GetString(1), r.Nullable<string>(2), r.GetGuid(3), r.GetString(4), r.Nullable<string>(5), r.GetString(6), r.GetString(7), r.GetBoolean(8),
        r.Nullable<string>(9), r.Nullable<string>(10), r.Nullable<string>(11));

    private sealed record Redemption(Row Row, byte[] Hash, SenderBinding Shown);

    private sealed record Row(
        string ClientId, string RedirectUri, string? CodeChallenge, Guid SessionId, string Scope, string? Nonce, string Resource, string Institution, bool Used,
        string? Jkt, string? AuthorizationDetails, string? Claims);
}

using Npgsql;
using Trust.Idp.Login;
using Trust.Idp.Sessions;
using Trust.Kernel.Audit;
using Trust.Kernel.LiveStatus;
using Trust.Kernel.Postgres;

namespace Trust.Idp.Authorize;

/// <summary>Answers an authorization request with a code bound to client, redirect URI, challenge, session and institution.</summary>
public sealed class IssueCode(
    NpgsqlDataSource db, GroupCommit commits, AuthorizationRequests requests, Acknowledgements notices, EntitlementClient entitlements, IdpOptions options, TimeProvider clock)
{
    private const string InsertCode = """
        INSERT INTO codes (hash, client_id, redirect_uri, code_challenge, session_id, scope, nonce, resource, institution, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """;

    /// <summary>Answers a request without any page (<c>prompt=none</c>).</summary>
    public async Task<IResult> AnswerSilently(AuthorizationRequest request, Session session, CancellationToken ct)
    {
        if (session.Holder.Affiliations is not [var only])
        {
            return AuthorizationAnswer.Error(request.RedirectUri, request.State, options.Issuer, "interaction_required", "The person must choose an institution.");
        }

        return await notices.Has(session.Person, request, ct)
            ? await Answer(request, session, only.Institution, acknowledge: false, ct)
            : AuthorizationAnswer.Error(request.RedirectUri, request.State, options.Issuer, "consent_required", "The notice has not been acknowledged.");
    }

    /// <summary>Issues a code and answers the relying party.</summary>
    /// <param name="request">Answered once.</param>
    /// <param name="session">Live session.</param>
    /// <param name="institution">Institution the person acts for.</param>
    /// <param name="acknowledge">True when the person has just acknowledged the notice.</param>
    /// <param name="ct">Cancels before the commit.</param>
    public async Task<IResult> Answer(AuthorizationRequest request, Session session, string institution, bool acknowledge, CancellationToken ct)
    {
        var entitlement = await entitlements.Check(new EntitlementQuestion(session.Person, institution, "login", session.Certificate), ct);
        if (entitlement is Entitlement.Deny deny)
        {
            return AuthorizationAnswer.Error(request.RedirectUri, request.State, options.Issuer, "access_denied", deny.Reason);
        }

        var code = Secret.New();
        var row = GroupCommit.Sql(InsertCode).With(Secret.Hash("code", code)).With(request.ClientId).With(request.RedirectUri).With(request.CodeChallenge).With(session.Id)
            .With(request.Scope).With(request.Nonce).With(request.Resource).With(institution).With(clock.GetUtcNow() + options.CodeLife);
        if (request.Id.Length == 0 && !acknowledge)
        {
            await commits.Execute(row);
            return AuthorizationAnswer.Code(request.RedirectUri, request.State, options.Issuer, code, StateOf(request, session));
        }

        return await Commit(request, session, institution, acknowledge, row, ct)
            ?? AuthorizationAnswer.Code(request.RedirectUri, request.State, options.Issuer, code, StateOf(request, session));
    }

    private static string StateOf(AuthorizationRequest request, Session session) => SessionState.For(request.ClientId, SessionState.OriginOf(request.RedirectUri), session);

    // The request is answered, the notice acknowledged and the code made in one transaction; null when it is committed.
    private async Task<IResult?> Commit(AuthorizationRequest request, Session session, string institution, bool acknowledge, NpgsqlBatchCommand row, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (request.Id.Length > 0 && !await requests.Answer(tx, request, ct))
        {
            return SeeOther.Error("request-answered");
        }

        if (acknowledge && await notices.Record(tx, session, request, institution, ct) is AppendOutcome.Refused)
        {
            return AuthorizationAnswer.Error(request.RedirectUri, request.State, options.Issuer, "temporarily_unavailable", "The audit ledger is away.");
        }

        await using (var insert = new NpgsqlBatch(connection, tx) { BatchCommands = { row } })
        {
            await insert.ExecuteNonQueryAsync(ct);
        }

        await tx.CommitAsync(ct);
        return null;
    }
}

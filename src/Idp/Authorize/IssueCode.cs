using Npgsql;
using Trust.Idp.Login;
using Trust.Idp.Sessions;
using Trust.Kernel.Audit;
using Trust.Kernel.LiveStatus;
using Trust.Kernel.Postgres;

namespace Trust.Idp.Authorize;

/// <summary>Answers an authorization request with a code bound to client, redirect URI, challenge, session and institution.</summary>
public sealed class IssueCode(
    NpgsqlDataSource db, GroupCommit commits, AuthorizationRequests requests, AuthorizationAnswer answers, Clients.ClientStore clients, Acknowledgements notices, EntitlementClient entitlements, IdpOptions options, TimeProvider clock)
{
    private const string InsertCode = """
        INSERT INTO codes (hash, client_id, redirect_uri, code_challenge, session_id, scope, nonce, resource, institution, expires_at, dpop_jkt, authorization_details, claims)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        """;

    /// <summary>Answers a request without any page (<c>prompt=none</c>).</summary>
    public async Task<IResult> AnswerSilently(AuthorizationRequest request, Session session, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (await clients.Find(request.ClientId, ct) is not { } client)
        {
            return await answers.Error(request, "unauthorized_client", "The client is not registered any more.", ct);
        }

        if (InstitutionChoice.For(request, client, session) is not InstitutionChoice.Made { Affiliation: var only })
        {
            return InstitutionChoice.For(request, client, session) is InstitutionChoice.None { Why: var why }
                ? await answers.Error(request, "access_denied", why, ct) : await answers.Error(request, "interaction_required", "The person must choose an institution.", ct);
        }

        // What is asked for in detail is decided by the person each time.
        return request.Details.Count == 0 && await notices.Has(session.Person, request, ct)
            ? await Answer(request, session, only.Institution, acknowledge: false, ct)
            : await answers.Error(request, "consent_required", "The notice has not been acknowledged.", ct);
    }

    /// <summary>Issues a code and answers the relying party.</summary>
    /// <param name="request">Answered once.</param>
    /// <param name="session">Live session.</param>
    /// <param name="institution">Institution the person acts for.</param>
    /// <param name="acknowledge">True when the person has just acknowledged the notice.</param>
    /// <param name="ct">Cancels before the commit.</param>
    public async Task<IResult> Answer(AuthorizationRequest request, Session session, string institution, bool acknowledge, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(session);
        if (!request.IsMetBy(AuthenticationContext.Of(session)))
        {
            return await answers.Error(request, "unmet_authentication_requirements", "The login does not meet the essential acr.", ct);
        }

        if (request.ActingInstitution is { } named && named != institution)
        {
            return await answers.Error(request, "access_denied", "The person acts for another institution than authorization_details names.", ct);
        }

        var entitlement = await entitlements.Check(new EntitlementQuestion(session.Person, institution, "login", session.Certificate), ct);
        if (entitlement is Entitlement.Deny deny)
        {
            return await answers.Error(request, "access_denied", deny.Reason, ct);
        }

        var code = Secret.New();
        var row = GroupCommit.Sql(InsertCode).With(Secret.Hash("code", code)).With(request.ClientId).With(request.RedirectUri).With(request.CodeChallenge).With(session.Id)
            .With(request.Scope).With(request.Nonce).With(request.Resource).With(institution).With(clock.GetUtcNow() + options.CodeLife)
            .With(request.DpopJkt).With(request.AuthorizationDetails).With(request.Claims);
        if (request.Id.Length == 0 && request.Pushed is null && !acknowledge)
        {
            await commits.Execute(row);
            return await answers.Code(request, session, code, ct);
        }

        return await Commit(request, session, institution, acknowledge, row, ct)
            ?? await answers.Code(request, session, code, ct);
    }

    // The request is answered, the notice acknowledged and the code made in one transaction; null when it is committed.
    private async Task<IResult?> Commit(AuthorizationRequest request, Session session, string institution, bool acknowledge, NpgsqlBatchCommand row, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (!await requests.Answer(tx, request, ct))
        {
            return SeeOther.Error("request-answered");
        }

        if (acknowledge && await notices.Record(tx, session, request, institution, ct) is AppendOutcome.Refused)
        {
            return await answers.Error(request, "temporarily_unavailable", "The audit ledger is away.", ct);
        }

        await using (var insert = new NpgsqlBatch(connection, tx) { BatchCommands = { row } })
        {
            await insert.ExecuteNonQueryAsync(ct);
        }

        await tx.CommitAsync(ct);
        return null;
    }
}

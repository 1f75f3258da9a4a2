using Npgsql;
using Trust.Idp.Authorize;
using Trust.Idp.Sessions;
using Trust.Kernel.Audit;
using Trust.Kernel.LiveStatus;
using Trust.Kernel.Postgres;

namespace Trust.Idp.Login;

/// <summary>From a finished card login to the answer for the relying party.</summary>
public static class LoginFlow
{
    private const string InsertCode = """
        INSERT INTO codes (hash, client_id, redirect_uri, code_challenge, session_id, scope, nonce, resource, institution, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """;

    /// <summary>Maps the card host's endpoint and the main host's return.</summary>
    public static void Map(IEndpointRouteBuilder app)
    {
        // Open to any card: the handshake proves possession, CardLogin judges the rest and says why on the login page.
        app.MapGet("/card", Card).AllowAnonymous();
        app.MapGet("/login/card", Return).AllowAnonymous();
    }

    /// <summary>The error page, for faults that must not be redirected.</summary>
    public static IResult ErrorPage(string rule) => SeeOther.To("/error?rule=" + Uri.EscapeDataString(rule));

    /// <summary>Answers a request without any page (<c>prompt=none</c>).</summary>
    public static async Task<IResult> AnswerSilently(HttpContext context, AuthorizationRequest request, Session session, CancellationToken ct)
    {
        var notices = context.RequestServices.GetRequiredService<Acknowledgements>();
        var issuer = context.RequestServices.GetRequiredService<IdpOptions>().Issuer;
        if (session.Holder.Affiliations is not [var only])
        {
            return AuthorizationAnswer.Error(request.RedirectUri, request.State, issuer, "interaction_required", "The person must choose an institution.");
        }

        return await notices.Has(session.Person, request, ct)
            ? await IssueCode(context, request, session, only.Institution, acknowledge: false, ct)
            : AuthorizationAnswer.Error(request.RedirectUri, request.State, issuer, "consent_required", "The notice has not been acknowledged.");
    }

    /// <summary>Issues a code bound to client, redirect URI, challenge, session and institution, and answers the relying party.</summary>
    /// <param name="context">The browser's request.</param>
    /// <param name="request">Answered once.</param>
    /// <param name="session">Live session.</param>
    /// <param name="institution">Institution the person acts for.</param>
    /// <param name="acknowledge">True when the person has just acknowledged the notice.</param>
    /// <param name="ct">Cancels before the commit.</param>
    public static async Task<IResult> IssueCode(HttpContext context, AuthorizationRequest request, Session session, string institution, bool acknowledge, CancellationToken ct)
    {
        var services = context.RequestServices;
        var options = services.GetRequiredService<IdpOptions>();
        var clock = services.GetRequiredService<TimeProvider>();
        var entitlement = await services.GetRequiredService<EntitlementClient>().Check(new EntitlementQuestion(session.Person, institution, "login", session.Certificate), ct);
        if (entitlement is Entitlement.Deny deny)
        {
            return AuthorizationAnswer.Error(request.RedirectUri, request.State, options.Issuer, "access_denied", deny.Reason);
        }

        var code = Secret.New();
        var row = GroupCommit.Sql(InsertCode).With(Secret.Hash("code", code)).With(request.ClientId).With(request.RedirectUri).With(request.CodeChallenge).With(session.Id)
            .With(request.Scope).With(request.Nonce).With(request.Resource).With(institution).With(clock.GetUtcNow() + options.CodeLife);
        if (request.Id.Length == 0 && !acknowledge)
        {
            await services.GetRequiredService<GroupCommit>().Execute(row);
            return AuthorizationAnswer.Code(request.RedirectUri, request.State, options.Issuer, code);
        }

        await using var connection = await services.GetRequiredService<NpgsqlDataSource>().OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (request.Id.Length > 0 && !await services.GetRequiredService<AuthorizationRequests>().Answer(tx, request, ct))
        {
            return ErrorPage("request-answered");
        }

        if (acknowledge && await services.GetRequiredService<Acknowledgements>().Record(tx, session, request, institution, ct) is AppendOutcome.Refused)
        {
            return AuthorizationAnswer.Error(request.RedirectUri, request.State, options.Issuer, "temporarily_unavailable", "The audit ledger is away.");
        }

        await using (var insert = new NpgsqlBatch(connection, tx) { BatchCommands = { row } })
        {
            await insert.ExecuteNonQueryAsync(ct);
        }

        await tx.CommitAsync(ct);
        return AuthorizationAnswer.Code(request.RedirectUri, request.State, options.Issuer, code);
    }

    private static async Task<IResult> Card(HttpContext context, string? request, CancellationToken ct)
    {
        var services = context.RequestServices;
        var issuer = services.GetRequiredService<IdpOptions>().Issuer;
        // The connection must not be used again: a browser would go on presenting a card that has been pulled (docs/THREAT-MODEL.md).
        context.Response.Headers.Connection = "close";
        if (await services.GetRequiredService<AuthorizationRequests>().ClientOf(request, ct) is null)
        {
            return SeeOther.To(issuer + "/error?rule=request-expired");
        }

        if (context.Connection.ClientCertificate is not { } card)
        {
            return SeeOther.To($"{issuer}/login?request={request}&refused=no-card");
        }

        return await services.GetRequiredService<CardLogin>().Accept(card, request!, ct) switch
        {
            CardOutcome.Accepted accepted => SeeOther.To($"{issuer}/login/card?request={request}&handle={accepted.Handle}"),
            CardOutcome.Refused refused => SeeOther.To($"{issuer}/login?request={request}&refused={refused.Rule}"),
            _ => throw new InvalidOperationException("Unknown outcome."),
        };
    }

    private static async Task<IResult> Return(HttpContext context, string? request, string? handle, CancellationToken ct)
    {
        var services = context.RequestServices;
        var pending = await services.GetRequiredService<AuthorizationRequests>().Find(context, request, ct);
        if (pending is null || handle is not { Length: 43 })
        {
            // Another browser's request: the handle is worthless without the cookie of the browser that began (login CSRF).
            return ErrorPage("request-expired");
        }

        await using var connection = await services.GetRequiredService<NpgsqlDataSource>().OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await services.GetRequiredService<CardLogin>().Redeem(tx, handle, pending, ct) is not { } login)
        {
            return SeeOther.To($"/login?request={request}&refused=handle-used");
        }

        if (await services.GetRequiredService<SessionStore>().Open(tx, login.Holder, login.Certificate, ct) is not { } opened)
        {
            return SeeOther.To($"/login?request={request}&refused=ledger-unavailable");
        }

        await tx.CommitAsync(ct);
        Cookies.SetSession(context, opened.Cookie, services.GetRequiredService<IdpOptions>().SessionLife);
        return SeeOther.To($"/consent?request={request}");
    }
}

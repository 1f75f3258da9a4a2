using Npgsql;
using Trust.Idp.Authorize;
using Trust.Idp.Sessions;
using Trust.Kernel.Residency;

namespace Trust.Idp.Login;

/// <summary><c>GET /login/card</c> on the main host: opens the session of a card login, only in the browser that began.</summary>
public sealed class ReturnFromCard(NpgsqlDataSource db, Access.Endings endings, AuthorizationRequests requests, CardLogin logins, SessionStore sessions, ResidencyGate residency)
{
    /// <summary>Redeems the handle, once.</summary>
    public async Task<IResult> Handle(HttpContext context, string? request, string? handle, CancellationToken ct)
    {
        var pending = await requests.Find(context, request, ct);
        if (pending is null || handle is not { Length: 43 })
        {
            // Another browser's request: the handle is worthless without the cookie of the browser that began (login CSRF).
            return SeeOther.Error("request-expired");
        }

        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await logins.Redeem(tx, handle, pending, ct) is not { } login)
        {
            return SeeOther.To($"/login?request={request}&refused=handle-used");
        }

        if (await sessions.Open(tx, login, residency.RegionOf(context.Connection.RemoteIpAddress), context.Request.Cookies[Cookies.Session], ct) is not { } opened)
        {
            return SeeOther.To($"/login?request={request}&refused=ledger-unavailable");
        }

        await AuthorizationRequests.Bind(tx, pending, opened.Session, ct);
        await tx.CommitAsync(ct);
        // The session that this login replaced, if there was one.
        endings.Note();
        Cookies.SetSession(context, opened.Cookie, SessionState.OfBrowser(opened.Session));
        return SeeOther.To($"/consent?request={request}");
    }
}

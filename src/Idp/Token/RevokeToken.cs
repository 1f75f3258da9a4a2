using Microsoft.IdentityModel.JsonWebTokens;
using Npgsql;
using Trust.Idp.Access;
using Trust.Idp.Clients;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.Idp.Token;

/// <summary>
/// Token revocation (RFC 7009). A refresh token takes its family with it, an access token ends alone. Whatever is not the client's own is answered like what
/// does not exist: 200, and nothing happened.
/// </summary>
public sealed class RevokeToken(NpgsqlDataSource db, ClientAuthentication authentication, RefreshFamilies families, Outbox outbox, Endings endings, RefusalCounter strangers, TimeProvider clock)
{
    private const string Revoke = "UPDATE tokens SET revoked_at = $3 WHERE jti = $1 AND client_id = $2 AND revoked_at IS NULL";
    private readonly JsonWebTokenHandler _handler = new() { MapInboundClaims = false, MaximumTokenSizeInBytes = ReceivedToken.MaxLength };

    /// <summary>Answers; the client proves itself as at the token endpoint.</summary>
    public async Task<IResult> Handle(HttpContext context, CancellationToken ct)
    {
        if (await FormFields.OfBody(context.Request, ct) is not { } form)
        {
            return OAuthError.Of(context, "invalid_request", "Send each parameter once, as application/x-www-form-urlencoded.");
        }

        if (await authentication.Authenticate(form, context.Request, ct) is not ClientOutcome.Proved(var client))
        {
            strangers.Count("invalid-client");
            return OAuthError.OfClient(context, "The client has not proved itself.");
        }

        if (form.Text("token") is not { } token)
        {
            return OAuthError.Of(context, "invalid_request", "Name the token.");
        }

        // The hint only says where to look first (RFC 7009 2.1), and both places are cheap.
        if (await families.Find(token, ct) is { } family)
        {
            if (family.ClientId == client.Id)
            {
                await families.End(family.Id, client, "revoked-by-client", isAttack: false, ct);
            }
        }
        else if (ReceivedToken.TryRead(_handler, token) is { Id: { Length: > 0 and <= 64 } id })
        {
            await RevokeAccessToken(id, client, ct);
        }

        context.Response.Headers.CacheControl = "no-store";
        return Results.Ok();
    }

    // By its jti, which whoever knows it had the token for; a forged token with the jti of one's own ends one's own.
    private async Task RevokeAccessToken(string id, Client client, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await tx.Sql(Revoke).With(id).With(client.Id).With(clock.GetUtcNow()).Execute(ct) == 0)
        {
            return;
        }

        await outbox.Append(tx, new AuditEvent
        {
            Action = "AUTH.logout", Actor = new Actor(client.Id), Outcome = EventOutcome.Success, Reason = "token-revoked", Basis = "token:" + id,
            Subjects = [SubjectKey.Of("client", client.Id)],
        }, ct);
        await tx.CommitAsync(ct);
        endings.Note();
    }
}

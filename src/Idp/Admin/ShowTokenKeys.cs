using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Idp.Keys;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.LogFormat;
using Npgsql;

namespace Trust.Idp.Admin;

/// <summary>A token key as officers see it.</summary>
public sealed record TokenKeySummary(string Kid, string Algorithm, string State);

/// <summary><c>GET /admin/keys</c> and <c>POST /admin/keys/{algorithm}/rotation</c>: the keys that sign tokens, and the next one put to work ahead of its time.</summary>
public sealed class ShowTokenKeys(SigningKeys keys, NpgsqlDataSource db, Outbox outbox)
{
    /// <summary>All that verify.</summary>
    public async Task<Ok<IReadOnlyList<TokenKeySummary>>> List(CancellationToken ct) =>
        TypedResults.Ok<IReadOnlyList<TokenKeySummary>>([.. (await keys.Current(ct)).Select(k => new TokenKeySummary(k.Kid, k.Algorithm, k.State))]);

    /// <summary>Retires the active key of an algorithm; the published next one signs from now on.</summary>
    public async Task<Results<NoContent, Refusal>> Rotate(HttpContext context, string algorithm, CancellationToken ct)
    {
        if (algorithm is not ("ES256" or "PS256" or "RS256"))
        {
            return IdpRefusals.KeyUnknown;
        }

        await keys.Rotate(algorithm, ct);
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await outbox.Append(tx, new AuditEvent
        {
            Action = "ADMIN.config", Actor = OfficerCards.Of(context).Actor, Outcome = EventOutcome.Success, Reason = "key-rotated", Basis = "openid-signing:" + algorithm,
            Subjects = [.. keys.Published.Where(k => k.Algorithm == algorithm).Select(k => SubjectKey.Of("key", k.Kid))],
        }, ct);
        await tx.CommitAsync(ct);
        return TypedResults.NoContent();
    }
}

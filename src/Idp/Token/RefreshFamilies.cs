using Npgsql;
using Trust.Idp.Access;
using Trust.Idp.Clients;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.Idp.Token;

/// <summary>What a refresh token stands for.</summary>
internal sealed record RefreshFamily(
    Guid Id, string ClientId, Guid SessionId, string Institution, string Scope, string Resource, string? Claims, string? AuthorizationDetails, SenderBinding Sender, bool TokenUsed);

/// <summary>
/// Refresh families: everything that one grant gave one client, ended as a whole (RFC 9700 4.14.2). A token that was rotated away and comes again
/// was copied, by the client or by a thief, and nobody can say which: the family dies.
/// </summary>
public sealed class RefreshFamilies(NpgsqlDataSource db, Outbox outbox, Endings endings, TimeProvider clock)
{
    private const string FindSql = """
        SELECT f.id, f.client_id, f.session_id, f.institution, f.scope, f.resource, f.claims, f.authorization_details, f.jkt, f.x5t, t.used_at IS NOT NULL
        FROM refresh_tokens t JOIN refresh_families f ON f.id = t.family WHERE t.hash = $1 AND t.expires_at > $2 AND f.ended_at IS NULL
        """;

    // In this order, each a statement of its own: whoever is issuing under the family holds its row, so that what they insert is seen by the second.
    private const string EndSql = "UPDATE refresh_families SET ended_at = $2, end_reason = $3 WHERE id = $1 AND ended_at IS NULL";
    private const string RevokeSql = "UPDATE tokens SET revoked_at = $2 WHERE family = $1 AND revoked_at IS NULL";

    /// <summary>What the database keeps of a refresh token.</summary>
    internal static byte[] Hash(string token) => Secret.Hash("refresh", token);

    /// <summary>The live family of a token; null for one that was never issued, has expired, or belongs to one that has ended.</summary>
    internal Task<RefreshFamily?> Find(string? token, CancellationToken ct) => token is { Length: 43 }
        ? db.Sql(FindSql).With(Hash(token)).With(clock.GetUtcNow()).One(Row, ct)
        : Task.FromResult<RefreshFamily?>(null);

    /// <summary>Ends a family and its access tokens.</summary>
    /// <param name="family">Which.</param>
    /// <param name="client">Whose.</param>
    /// <param name="reason">Reason code.</param>
    /// <param name="isAttack">True when it ends because a token came twice.</param>
    /// <param name="ct">Cancels before the commit.</param>
    internal async Task End(Guid family, Client client, string reason, bool isAttack, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await tx.Sql(EndSql).With(family).With(clock.GetUtcNow()).With(reason).Execute(ct) == 0)
        {
            return;
        }

        await tx.Sql(RevokeSql).With(family).With(clock.GetUtcNow()).Execute(ct);
        await outbox.Append(tx, new AuditEvent
        {
            Action = isAttack ? "AUTH.fail" : "AUTH.logout", Actor = new Actor(client.Id), Outcome = isAttack ? EventOutcome.Refused : EventOutcome.Success, Reason = reason,
            Correlation = family.ToString(), Subjects = [SubjectKey.Of("client", client.Id)],
        }, ct);
        await tx.CommitAsync(ct);
        endings.Note();
    }

    private static RefreshFamily Row(NpgsqlDataReader r) => new(
        r.GetGuid(0), r.GetString(1), r.GetGuid(2), r.GetString(3), r.GetString(4), r.GetString(5), r.Nullable<string>(6), r.Nullable<string>(7),
        new SenderBinding(r.Nullable<string>(8), r.Nullable<string>(9)), r.GetBoolean(10));
}

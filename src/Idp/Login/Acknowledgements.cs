using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Npgsql;
using Trust.Idp.Authorize;
using Trust.Idp.Pages;
using Trust.Idp.Sessions;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.Idp.Login;

/// <summary>Who acknowledged which version of the notice for which client: a changed notice or scope is shown again.</summary>
public sealed class Acknowledgements(NpgsqlDataSource db, Outbox outbox, IdpOptions options, Kernel.Hosting.ServiceOptions service, TimeProvider clock)
{
    private const int MostKept = 50_000;

    // What was acknowledged stays so: there is no taking back, and another notice is another process.
    private readonly ConcurrentDictionary<(string Person, string Client, string Scope), bool> _given = new();
    private const string Exists = """
        SELECT true FROM acknowledgements WHERE person = $1 AND client_id = $2 AND scope = $3 AND notice_version = $4 AND notice_sha256 = $5
        """;
    private const string Insert = """
        INSERT INTO acknowledgements (person, client_id, scope, notice_version, notice_sha256, acknowledged_at, region) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (person, client_id, scope, notice_version) DO UPDATE SET notice_sha256 = excluded.notice_sha256, acknowledged_at = excluded.acknowledged_at
        """;

    /// <summary>SHA-256 (hex) of the notice as shown, both languages.</summary>
    public static string NoticeSha256 { get; } = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Texts.Zh["notice"] + "\n" + Texts.En["notice"])));

    /// <summary>True when this person acknowledged this notice for these scopes of this client.</summary>
    public async Task<bool> Has(string person, AuthorizationRequest request, CancellationToken ct)
    {
        var question = (person, request.ClientId, request.Scope);
        if (_given.ContainsKey(question))
        {
            return true;
        }

        var has = await db.Sql(Exists).With(person).With(request.ClientId).With(request.Scope).With(options.NoticeVersion).With(NoticeSha256).Scalar<bool>(ct);
        if (has)
        {
            if (_given.Count >= MostKept)
            {
                _given.Clear();
            }

            _given[question] = true;
        }

        return has;
    }

    /// <summary>Records an acknowledgement with its event.</summary>
    public async Task<AppendOutcome> Record(NpgsqlTransaction tx, Session session, AuthorizationRequest request, string institution, CancellationToken ct)
    {
        await tx.Sql(Insert).With(session.Person).With(request.ClientId).With(request.Scope).With(options.NoticeVersion).With(NoticeSha256)
            .With(clock.GetUtcNow()).With(service.Region).Execute(ct);
        return await outbox.Append(tx, new AuditEvent
        {
            Action = "CONSENT.grant", Actor = new Actor(session.Person, session.Certificate, null, institution), Outcome = EventOutcome.Success,
            Basis = "notice:" + options.NoticeVersion + ":sha256:" + NoticeSha256
                + (request.AuthorizationDetails is { } details ? ";details:sha256:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(details))) : ""),
            Correlation = session.Id.ToString(),
            Subjects = [SubjectKey.Practitioner(session.Person), SubjectKey.Of("client", request.ClientId)],
        }, ct);
    }
}

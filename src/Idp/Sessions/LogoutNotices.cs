using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using Npgsql;
using Trust.Idp.Clients;
using Trust.Idp.Keys;
using Trust.Idp.Token;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.LogFormat;

namespace Trust.Idp.Sessions;

/// <summary>
/// Back-Channel Logout 1.0: the systems that a session gave tokens to are told of its end. What is due is written with the end itself and delivered
/// afterwards, each notice tried again by itself, for ten minutes: a system that is away delays no other, and no logout waits for one.
/// </summary>
public sealed class LogoutNotices(
    NpgsqlDataSource db, Outbound outbound, ClientStore clients, Subjects subjects, SigningKeys keys, Outbox outbox, IdpOptions options, TimeProvider clock, ILogger<LogoutNotices> log)
{
    /// <summary>Between two rounds; a notice leaves within this and one call's time.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private const string Event = "http://schemas.openid.net/event/backchannel-logout";
    private const string QueueSql = """
        INSERT INTO logout_notices (session_id, client_id, created_at, next_at)
        SELECT s.session_id, s.client_id, $2, $2 FROM session_clients s JOIN clients c ON c.client_id = s.client_id
        WHERE s.session_id = ANY ($1) AND c.enabled AND c.metadata::json ->> 'backchannel_logout_uri' IS NOT NULL
        ON CONFLICT DO NOTHING
        """;

    // Taken by the time of the next try: an instance that dies with it leaves it to another.
    private const string Take = """
        UPDATE logout_notices n SET tries = n.tries + 1, next_at = $1 + LEAST(interval '1 minute', interval '3 seconds' * power(2, LEAST(n.tries, 6)))
        FROM sessions s
        WHERE s.id = n.session_id AND (n.session_id, n.client_id) IN (SELECT session_id, client_id FROM logout_notices WHERE next_at <= $1 ORDER BY next_at LIMIT 64 FOR UPDATE SKIP LOCKED)
        RETURNING n.session_id, n.client_id, s.person, n.created_at
        """;
    private const string Remove = "DELETE FROM logout_notices WHERE session_id = $1 AND client_id = $2";

    private static readonly TimeSpan GiveUpAfter = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan CallTime = TimeSpan.FromSeconds(3);

    // Back-Channel Logout 1.0 2.4: two minutes at most.
    private static readonly TimeSpan TokenLife = TimeSpan.FromMinutes(2);

    /// <summary>Writes what is due of sessions that end in this transaction.</summary>
    internal static Task Queue(NpgsqlTransaction tx, Guid[] sessions, DateTimeOffset now, CancellationToken ct) => tx.Sql(QueueSql).With(sessions).With(now).Execute(ct);

    /// <summary>Delivers what is due.</summary>
    public async Task Round(CancellationToken ct)
    {
        var due = await db.Sql(Take).With(clock.GetUtcNow()).All(r => new Notice(r.GetGuid(0), r.GetString(1), r.GetString(2), r.GetFieldValue<DateTimeOffset>(3)), ct);
        await Task.WhenAll(due.Select(notice => Handle(notice, ct)));
    }

    private async Task Handle(Notice notice, CancellationToken ct)
    {
        var client = await clients.FindNow(notice.ClientId, ct);
        if (client?.Metadata.BackchannelLogoutUri is not { } address || await Deliver(client, new Uri(address), notice, ct))
        {
            await db.Sql(Remove).With(notice.Session).With(notice.ClientId).Execute(ct);
        }
        else if (clock.GetUtcNow() - notice.CreatedAt >= GiveUpAfter)
        {
            await GiveUp(notice, ct);
        }
    }

    private async Task<bool> Deliver(Client client, Uri address, Notice notice, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(CallTime);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, address);
            request.Content = new FormUrlEncodedContent([new("logout_token", await TokenFor(client, notice, limit.Token))]);
            request.Headers.CacheControl = new CacheControlHeaderValue { NoStore = true };
            // What it says beyond the status is nobody's: it is not read.
            using var answer = await outbound.Registered(address).SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            if (answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.NoContent)
            {
                return true;
            }

            IdpLog.LogoutUndelivered(log, notice.ClientId, ((int)answer.StatusCode).ToString(System.Globalization.CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is HttpRequestException or Pkcs11.TokenException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            IdpLog.LogoutUndelivered(log, notice.ClientId, e.GetType().Name);
        }

        return false;
    }

    private async Task<string> TokenFor(Client client, Notice notice, CancellationToken ct)
    {
        var (now, subject) = (clock.GetUtcNow(), await subjects.Of(client, notice.Person, ct));
        // Never with a nonce (2.4), so that it cannot pass for an ID token.
        return await keys.Sign(client.Metadata.IdTokenSignedResponseAlg, "logout+jwt", TokenIssuer.Write(json =>
        {
            json.WriteString("iss", options.Issuer);
            json.WriteString("aud", client.Id);
            json.WriteNumber("iat", now.ToUnixTimeSeconds());
            json.WriteNumber("exp", (now + TokenLife).ToUnixTimeSeconds());
            json.WriteString("jti", Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)));
            json.WriteString("sub", subject);
            json.WriteString("sid", notice.Session);
            json.WriteStartObject("events");
            json.WriteStartObject(Event);
            json.WriteEndObject();
            json.WriteEndObject();
        }), ct);
    }

    private async Task GiveUp(Notice notice, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await tx.Sql(Remove).With(notice.Session).With(notice.ClientId).Execute(ct) == 0)
        {
            return;
        }

        await outbox.Append(tx, new AuditEvent
        {
            Action = "AUTH.logout", Actor = new Actor("idp"), Outcome = EventOutcome.Failed, Reason = "logout-notice-undelivered", Correlation = notice.Session.ToString(),
            Subjects = [SubjectKey.Practitioner(notice.Person), SubjectKey.Of("client", notice.ClientId)],
        }, ct);
        await tx.CommitAsync(ct);
    }

    private sealed record Notice(Guid Session, string ClientId, string Person, DateTimeOffset CreatedAt);
}

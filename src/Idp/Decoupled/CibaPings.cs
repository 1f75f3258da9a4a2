using System.Net.Http.Headers;
using Npgsql;
using Trust.Idp.Clients;
using Trust.Idp.Token;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;

namespace Trust.Idp.Decoupled;

/// <summary>
/// Tells clients in ping mode that a request is decided (CIBA 1.0 10.2), at the declared peer they registered. Any answer is the end of it, 401 and a redirect,
/// which is not followed, included; only a peer that is away or fails is told again, until the request expires.
/// </summary>
public sealed class CibaPings(NpgsqlDataSource db, ClientStore clients, Outbound outbound, TimeProvider clock, ILogger<CibaPings> log)
{
    /// <summary>Between two rounds.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    // Claimed for as long as a call may take, so that two instances do not tell the same.
    private const string Claim = """
        UPDATE decoupled_requests SET notify_tries = notify_tries + 1, notify_after = $1 + interval '15 seconds' * (notify_tries + 1)
        WHERE id IN (SELECT id FROM decoupled_requests WHERE notify_after <= $1 ORDER BY notify_after LIMIT 20 FOR UPDATE SKIP LOCKED)
        RETURNING id, client_id, auth_req_id, notification_token, expires_at
        """;
    private const string Done = "UPDATE decoupled_requests SET notify_after = NULL, notification_token = NULL, auth_req_id = NULL WHERE id = $1";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>One round.</summary>
    public async Task Round(CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var due = await db.Sql(Claim).With(now).All(r => new Due(r.GetGuid(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetFieldValue<DateTimeOffset>(4)), ct);
        await Task.WhenAll(due.Select(async ping =>
        {
            if (ping.ExpiresAt <= now || await Tell(ping, ct))
            {
                await db.Sql(Done).With(ping.Id).Execute(ct);
            }
        }));
    }

    private async Task<bool> Tell(Due ping, CancellationToken ct)
    {
        if ((await clients.Find(ping.ClientId, ct))?.Metadata.BackchannelClientNotificationEndpoint is not { } address)
        {
            return true;
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(Patience);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(address));
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", ping.Token);
            request.Content = new ByteArrayContent(TokenIssuer.Write(json => json.WriteString("auth_req_id", ping.AuthReqId)));
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using var answer = await outbound.Registered(new Uri(address)).SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            return (int)answer.StatusCode < 500;
        }
        catch (Exception e) when (e is HttpRequestException or UriFormatException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            IdpLog.PingFailed(log, ping.ClientId, e.GetType().Name);
            return false;
        }
    }

    private sealed record Due(Guid Id, string ClientId, string AuthReqId, string Token, DateTimeOffset ExpiresAt);
}

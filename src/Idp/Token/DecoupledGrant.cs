using Trust.Idp.Clients;
using Trust.Idp.Decoupled;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;

namespace Trust.Idp.Token;

/// <summary>
/// The device code grant (RFC 8628 3.4) and the CIBA grant (CIBA 1.0 10): a client asks until the person has decided. Whether the person may still act is
/// asked at redemption, whatever was approved (CVE-2026-9798).
/// </summary>
public sealed class DecoupledGrant(DecoupledRequests requests, IssueTokens tokens, Senders senders, TimeProvider clock)
{
    private const string Use = """
        WITH act AS (UPDATE decoupled_requests SET state = 'used' WHERE id = $25 AND state = 'approved' AND expires_at > $11 RETURNING 1)
        """ + IssueTokens.Record + Outbox.Trace;

    /// <summary>Answers <c>urn:ietf:params:oauth:grant-type:device_code</c>.</summary>
    internal Task<IResult> HandleDevice(HttpContext context, Client client, FormFields form, CancellationToken ct) =>
        Handle(context, client, "device", form.Text("device_code") is { Length: 43 } code ? Secret.Hash(BeginDevice.Purpose, code) : null, ct);

    /// <summary>Answers <c>urn:openid:params:grant-type:ciba</c>.</summary>
    internal Task<IResult> HandleCiba(HttpContext context, Client client, FormFields form, CancellationToken ct) =>
        Handle(context, client, "ciba", form.Text("auth_req_id") is { Length: 43 } id ? Secret.Hash(BeginCiba.Purpose, id) : null, ct);

    private async Task<IResult> Handle(HttpContext context, Client client, string kind, byte[]? hash, CancellationToken ct)
    {
        if (hash is null || await requests.Find(kind, hash, ct) is not { } request || !Check.Holds("decoupled.client", request.ClientId == client.Id))
        {
            return OAuthError.Of(context, "invalid_grant", "No such request of this client.");
        }

        if (request.State is "used")
        {
            return OAuthError.Of(context, "invalid_grant", "The request was redeemed before.");
        }

        if (request.State is "replaced" || request.ExpiresAt <= clock.GetUtcNow())
        {
            return OAuthError.Of(context, "expired_token", "The request has expired, or a later one stands in its place.");
        }

        if (request.State is "denied")
        {
            return OAuthError.Of(context, "access_denied", "The person declined.");
        }

        // A client that is not who it says learns nothing of the decision.
        return await senders.Of(context, client, ct) switch
        {
            ShownSender.Refused refused => OAuthError.Of(context, refused.Error, refused.Description),
            ShownSender.Shown when request.State is "pending" => await requests.CameTooSoon(request, ct)
                ? OAuthError.Of(context, "slow_down", "Wait five seconds longer between two requests.") : OAuthError.Of(context, "authorization_pending", "The person has not decided yet."),
            ShownSender.Shown { Binding: var shown } => await Issue(context, client, request, shown, ct),
            _ => throw new InvalidOperationException("A closed set."),
        };
    }

    private async Task<IResult> Issue(HttpContext context, Client client, DecoupledRequest request, SenderBinding shown, CancellationToken ct)
    {
        var (practitioner, refused) = await tokens.Practitioner(request.SessionId!.Value, request.Institution!, ct);
        if (practitioner is null)
        {
            return OAuthError.Of(context, "access_denied", refused!);
        }

        var scope = await tokens.StillHeld(request.Scope, practitioner.Session, request.Institution!, ct);
        var signed = await tokens.Sign(new Grant(client, practitioner, scope, request.Resource, shown), client.GrantTypes.Contains("refresh_token"), ct);
        return await tokens.Commit(signed, Use, c => c.With(request.Id)) switch
        {
            CommitOutcome.Committed => IssueTokens.Answer(context, signed),
            CommitOutcome.Refused => IssueTokens.LedgerAway(context),
            _ => OAuthError.Of(context, "invalid_grant", "The request was redeemed before, or has expired."),
        };
    }
}

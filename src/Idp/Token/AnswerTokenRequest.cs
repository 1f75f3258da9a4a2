using Trust.Idp.Clients;
using Trust.Idp.Decoupled;
using Trust.Kernel.Audit;

namespace Trust.Idp.Token;

/// <summary>The token endpoint (RFC 6749 §3.2): authenticates the client, then hands to the grant.</summary>
public sealed class AnswerTokenRequest(
    ClientAuthentication authentication, RedeemCode redeem, RefreshGrant refresh, TokenExchange exchange, ClientCredentials credentials, DecoupledGrant decoupled, RefusalCounter strangers)
{
    /// <summary>Answers; the client authenticates in the body.</summary>
    public async Task<IResult> Handle(HttpContext context, CancellationToken ct)
    {
        if (await FormFields.OfBody(context.Request, ct) is not { } form)
        {
            return OAuthError.Of(context, "invalid_request", "Send each parameter once, as application/x-www-form-urlencoded.");
        }

        switch (await authentication.Authenticate(form, context.Request, ct))
        {
            case ClientOutcome.Proved(var client):
                return form.Text("grant_type") switch
                {
                    var grant when grant is not null && !client.GrantTypes.Contains(grant, StringComparer.Ordinal) =>
                        OAuthError.Of(context, ClientRules.Grants.Contains(grant, StringComparer.Ordinal) ? "unauthorized_client" : "unsupported_grant_type", "This grant is not registered for the client."),
                    "authorization_code" => await redeem.Handle(context, client, form, ct),
                    "refresh_token" => await refresh.Handle(context, client, form, ct),
                    "urn:ietf:params:oauth:grant-type:token-exchange" => await exchange.Handle(context, client, form, ct),
                    "client_credentials" => await credentials.Handle(context, client, form, ct),
                    BeginDevice.Grant => await decoupled.HandleDevice(context, client, form, ct),
                    BeginCiba.Grant => await decoupled.HandleCiba(context, client, form, ct),
                    _ => OAuthError.Of(context, "unsupported_grant_type", "Send grant_type."),
                };
            case ClientOutcome.Refused(var rule):
                strangers.Count("invalid-client");
                return OAuthError.OfClient(context, rule);
            default:
                throw new InvalidOperationException("A closed set.");
        }
    }
}

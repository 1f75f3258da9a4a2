using Trust.Idp.Clients;

namespace Trust.Idp.Token;

/// <summary>The token endpoint (RFC 6749 §3.2): authenticates the client, then hands to the grant.</summary>
public static class TokenEndpoint
{
    /// <summary>Maps POST; the client authenticates in the body.</summary>
    public static void Map(IEndpointRouteBuilder app) => app.MapPost("/token", Handle).AllowAnonymous();

    private static async Task<IResult> Handle(HttpContext context, ClientAuthentication authentication, RedeemCode redeem, ClientCredentials credentials, CancellationToken ct)
    {
        if (!context.Request.HasFormContentType || FormFields.Of(await context.Request.ReadFormAsync(ct)) is not { } form)
        {
            return OAuthError.Of(context, "invalid_request", "Send each parameter once, as application/x-www-form-urlencoded.");
        }

        switch (await authentication.Authenticate(form, context.Request, ct))
        {
            case ClientOutcome.Proved(var client):
                return form.Text("grant_type") switch
                {
                    var grant when grant is not null && !client.GrantTypes.Contains(grant, StringComparer.Ordinal) =>
                        OAuthError.Of(context, grant is "authorization_code" or "client_credentials" ? "unauthorized_client" : "unsupported_grant_type", "This grant is not registered for the client."),
                    "authorization_code" => await redeem.Handle(context, client, form, ct),
                    "client_credentials" => await credentials.Handle(context, client, form, ct),
                    _ => OAuthError.Of(context, "unsupported_grant_type", "Send grant_type."),
                };
            case ClientOutcome.Refused(var rule):
                context.RequestServices.GetService<Action<string>>()?.Invoke("invalid-client");
                return OAuthError.Of(context, "invalid_client", rule, StatusCodes.Status401Unauthorized);
            default:
                throw new InvalidOperationException("Unknown outcome.");
        }
    }
}

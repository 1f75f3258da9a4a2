using Trust.Idp.Clients;
using Trust.Idp.Token;

namespace Trust.Idp.Access;

/// <summary>Token introspection (RFC 7662) for the client a token was issued to and for the resource it is meant for.</summary>
public static class IntrospectionEndpoint
{
    private static readonly string[] Copied = ["iss", "sub", "aud", "client_id", "scope", "iat", "exp", "jti", "auth_time", "acr", "sid", "role", "acting_institution", "licence"];

    /// <summary>Maps POST; the client authenticates in the body.</summary>
    public static void Map(IEndpointRouteBuilder app) => app.MapPost("/introspect", Handle).AllowAnonymous();

    private static async Task<IResult> Handle(HttpContext context, ClientAuthentication authentication, LiveToken tokens, CancellationToken ct)
    {
        if (!context.Request.HasFormContentType || FormFields.Of(await context.Request.ReadFormAsync(ct)) is not { } form)
        {
            return OAuthError.Of(context, "invalid_request", "Send each parameter once, as application/x-www-form-urlencoded.");
        }

        if (await authentication.Authenticate(form, context.Request, ct) is not ClientOutcome.Proved { Client: { IsPublic: false } client })
        {
            context.RequestServices.GetService<Action<string>>()?.Invoke("invalid-client");
            return OAuthError.Of(context, "invalid_client", "Authenticate with private_key_jwt.", StatusCodes.Status401Unauthorized);
        }

        context.Response.Headers.CacheControl = "no-store";
        var live = await tokens.Judge(form.Text("token"), ct);
        // RFC 7662 2.2: for anyone else's token the answer is the same as for no token at all.
        var mine = live is { Token: var token } && (token.GetPayloadValue<string>("client_id") == client.Id || token.Audiences.Any(a => client.Resources.Contains(a, StringComparer.Ordinal)));
        return Results.Bytes(TokenIssuer.Write(json =>
        {
            json.WriteBoolean("active", mine);
            if (mine)
            {
                json.WriteString("token_type", "Bearer");
                LiveToken.Copy(json, live!.Value.Token, Copied);
            }
        }), "application/json");
    }
}

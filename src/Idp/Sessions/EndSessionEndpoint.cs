using Microsoft.AspNetCore.WebUtilities;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Trust.Idp.Authorize;
using Trust.Idp.Clients;
using Trust.Idp.Keys;
using Trust.Idp.Login;

namespace Trust.Idp.Sessions;

/// <summary>
/// RP-initiated logout. Redirects only to a registered address of the client that an ID token of ours names; without such a
/// hint the person is asked first, so that a link on another page cannot end a session.
/// </summary>
public static class EndSessionEndpoint
{
    /// <summary>Maps GET and POST; open to browsers.</summary>
    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapGet("/end-session", (HttpContext context, CancellationToken _) => Handle(context, FormFields.Of(context.Request.Query))).AllowAnonymous();
        app.MapPost("/end-session", async (HttpContext context, CancellationToken ct) => await Handle(
            context, context.Request.HasFormContentType ? FormFields.Of(await context.Request.ReadFormAsync(ct)) : null)).AllowAnonymous();
    }

    private static async Task<IResult> Handle(HttpContext context, FormFields? fields)
    {
        var services = context.RequestServices;
        var ct = context.RequestAborted;
        if (fields is null)
        {
            return LoginFlow.ErrorPage("malformed-request");
        }

        var hint = await Hint(fields.Text("id_token_hint"), services.GetRequiredService<SigningKeys>(), services.GetRequiredService<IdpOptions>());
        var client = await services.GetRequiredService<ClientStore>().Find(hint?.Audiences.FirstOrDefault(), ct);
        var target = fields.Text("post_logout_redirect_uri");
        if (target is not null && (client is null || !client.PostLogoutRedirectUris.Contains(target, StringComparer.Ordinal)))
        {
            return LoginFlow.ErrorPage("redirect-uri-mismatch");
        }

        var sessions = services.GetRequiredService<SessionStore>();
        var session = await sessions.Find(context, ct);
        var named = hint is not null && hint.TryGetPayloadValue<string>("sid", out var sid) ? sid : null;
        if (session is not null && (hint is null || named != session.Id.ToString()))
        {
            return SeeOther.To("/sign-out");
        }

        if (session is not null)
        {
            await sessions.End(session, "logout", ct);
            Cookies.EndSession(context);
        }

        return SeeOther.To(target is null ? "/signed-out" : QueryHelpers.AddQueryString(target, new Dictionary<string, string?>(StringComparer.Ordinal) { ["state"] = fields.Text("state") }));
    }

    // An expired hint is fine (the person is leaving), a foreign or unsigned one is not.
    private static async Task<JsonWebToken?> Hint(string? value, SigningKeys keys, IdpOptions options)
    {
        var handler = new JsonWebTokenHandler { MapInboundClaims = false, MaximumTokenSizeInBytes = 16 * 1024 };
        if (value is null || !handler.CanReadToken(value))
        {
            return null;
        }

        var result = await handler.ValidateTokenAsync(value, new TokenValidationParameters
        {
            ValidTypes = ["JWT"], ValidAlgorithms = [SecurityAlgorithms.EcdsaSha256], ValidIssuer = options.Issuer, ValidateAudience = false, ValidateLifetime = false,
            IssuerSigningKeys = keys.Published.Select(k => new JsonWebKey { Kty = "EC", Crv = "P-256", X = k.X, Y = k.Y, Kid = k.Kid }),
        });
        return result is { IsValid: true, SecurityToken: JsonWebToken token } ? token : null;
    }
}

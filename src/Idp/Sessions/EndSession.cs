using Microsoft.AspNetCore.WebUtilities;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Trust.Idp.Clients;
using Trust.Idp.Keys;

namespace Trust.Idp.Sessions;

/// <summary>
/// RP-initiated logout. Redirects only to a registered address of the client that an ID token of ours names; without such a
/// hint the person is asked first, so that a link on another page cannot end a session.
/// </summary>
public sealed class EndSession(ClientStore clients, SessionStore sessions, SigningKeys keys, IdpOptions options)
{
    private readonly JsonWebTokenHandler _handler = new() { MapInboundClaims = false, MaximumTokenSizeInBytes = ReceivedToken.MaxLength };

    /// <summary>GET.</summary>
    public Task<IResult> Handle(HttpContext context) => Answer(context, FormFields.Of(context.Request.Query));

    /// <summary>POST, as form fields.</summary>
    public async Task<IResult> HandlePost(HttpContext context, CancellationToken ct) => await Answer(context, await FormFields.OfBody(context.Request, ct));

    private async Task<IResult> Answer(HttpContext context, FormFields? fields)
    {
        var ct = context.RequestAborted;
        if (fields is null)
        {
            return SeeOther.Error("malformed-request");
        }

        var hint = await Hint(fields.Text("id_token_hint"));
        var client = await clients.Find(hint?.Audiences.FirstOrDefault(), ct);
        var target = fields.Text("post_logout_redirect_uri");
        if (target is not null && (client is null || !client.PostLogoutRedirectUris.Contains(target, StringComparer.Ordinal)))
        {
            return SeeOther.Error("redirect-uri-mismatch");
        }

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
    private async Task<JsonWebToken?> Hint(string? value)
    {
        if (ReceivedToken.TryRead(_handler, value) is not { } received)
        {
            return null;
        }

        var result = await _handler.ValidateTokenAsync(received, new TokenValidationParameters
        {
            ValidTypes = ["JWT"], ValidAlgorithms = [SecurityAlgorithms.EcdsaSha256], ValidIssuer = options.Issuer, ValidateAudience = false, ValidateLifetime = false,
            IssuerSigningKeys = keys.ToVerify,
        });
        return result is { IsValid: true, SecurityToken: JsonWebToken token } ? token : null;
    }
}

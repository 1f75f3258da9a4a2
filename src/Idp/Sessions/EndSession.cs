using Microsoft.AspNetCore.WebUtilities;
using Trust.Idp.Authorize;
using Trust.Idp.Clients;

namespace Trust.Idp.Sessions;

/// <summary>
/// RP-initiated logout. Redirects only to a registered address of the client that an ID token of ours names; without such a
/// hint the person is asked first, so that a link on another page cannot end a session.
/// </summary>
public sealed class EndSession(ClientStore clients, SessionStore sessions, IdTokenHint hints)
{
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

        var hint = await hints.Read(fields.Text("id_token_hint"));
        if (hint is not null && fields.Text("client_id") is { } stated && !hint.Audiences.Contains(stated, StringComparer.Ordinal))
        {
            return SeeOther.Error("client-mismatch");
        }

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
}

using Microsoft.AspNetCore.WebUtilities;
using Microsoft.IdentityModel.JsonWebTokens;
using Trust.Idp.Authorize;
using Trust.Idp.Clients;

namespace Trust.Idp.Sessions;

/// <summary>
/// RP-initiated logout. Redirects only to a registered address of the client that an ID token of ours names; without such a
/// hint the person is asked first, so that a link on another page cannot end a session.
/// </summary>
public sealed class EndSession(ClientStore clients, SessionStore sessions, Subjects subjects, FrontChannel front, LogoutTicket tickets, IdTokenHint hints)
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

        if (fields.Text("id_token_hint") is not { } sent)
        {
            // Nobody vouches for whoever asks, nor for where it wants to go on to: the person is asked, and goes nowhere.
            return SeeOther.To(await sessions.FindToEnd(context, ct) is null && !fields.Has("post_logout_redirect_uri") ? "/signed-out" : "/sign-out");
        }

        var hint = await hints.Read(sent);
        if (hint is not null && fields.Text("client_id") is { } stated && !hint.Audiences.Contains(stated, StringComparer.Ordinal))
        {
            return SeeOther.Error("client-mismatch");
        }

        // Unsigned, foreign or changed: never gone on from (RP-Initiated Logout 1.0 section 4).
        if (hint is null || await clients.Find(hint.Audiences.FirstOrDefault(), ct) is not { } client)
        {
            return SeeOther.Error("hint-invalid");
        }

        var target = fields.Text("post_logout_redirect_uri");
        return target is not null && !Check.Holds("logout.redirect", client.PostLogoutRedirectUris.Contains(target, StringComparer.Ordinal))
            ? SeeOther.Error("redirect-uri-mismatch")
            : await End(context, hint, client, target is null ? null : QueryHelpers.AddQueryString(target, State(fields)), ct);
    }

    private async Task<IResult> End(HttpContext context, JsonWebToken hint, Client client, string? target, CancellationToken ct)
    {
        var session = await sessions.FindToEnd(context, ct);
        if (session is null)
        {
            return SeeOther.To(target ?? "/signed-out");
        }

        if (!hint.TryGetPayloadValue<string>("sid", out var named) || named != session.Id.ToString() || !await subjects.Is(client, session.Person, hint.Subject, ct))
        {
            return SeeOther.To("/sign-out");
        }

        await sessions.End(session, "logout", ct);
        Cookies.EndSession(context);
        return SeeOther.To(target is not null && (await front.Frames(session.Id, ct)).Count == 0 ? target : After(tickets, session.Id, target));
    }

    /// <summary>The signed-out page for a session that has just ended.</summary>
    internal static string After(LogoutTicket tickets, Guid session, string? target) => "/signed-out?logout=" + Uri.EscapeDataString(tickets.Write(new LoggedOut(session, target)));

    private static Dictionary<string, string?> State(FormFields fields) => new(StringComparer.Ordinal) { ["state"] = fields.Text("state") };
}

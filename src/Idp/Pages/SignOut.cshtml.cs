using Microsoft.AspNetCore.Mvc;
using Trust.Idp.Sessions;

namespace Trust.Idp.Pages;

/// <summary>Asks before ending a session that no valid ID token hint names, here or everywhere. Posting needs the form's token.</summary>
public sealed class SignOutModel(SessionStore sessions, LogoutTicket tickets) : TrustPage
{
    /// <inheritdoc/>
    public override string TitleKey => "signout.title";

    /// <summary>Who is signed in; null when nobody is.</summary>
    public string? Person { get; private set; }

    /// <summary>Asks.</summary>
    public async Task OnGet(CancellationToken ct)
    {
        RememberLanguage();
        Person = (await sessions.FindToEnd(HttpContext, ct))?.Holder.Name;
    }

    /// <summary>Ends the session, or every session of the person.</summary>
    public async Task<IActionResult> OnPost([FromForm] string? where, CancellationToken ct)
    {
        var session = await sessions.FindToEnd(HttpContext, ct);
        if (session is not null && where is "everywhere")
        {
            await sessions.EndAllOfPerson(session.Person, "logout-everywhere", ct);
        }
        else if (session is not null)
        {
            await sessions.End(session, "logout", ct);
        }

        Cookies.EndSession(HttpContext);
        return Redirect(session is null ? "/signed-out" : EndSession.After(tickets, session.Id, null));
    }
}

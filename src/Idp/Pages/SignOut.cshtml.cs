using Microsoft.AspNetCore.Mvc;
using Trust.Idp.Sessions;

namespace Trust.Idp.Pages;

/// <summary>Asks before ending a session that no valid ID token hint names. Posting needs the form's token.</summary>
public sealed class SignOutModel(SessionStore sessions) : TrustPage
{
    /// <inheritdoc/>
    public override string TitleKey => "signout.title";

    /// <summary>Asks.</summary>
    public void OnGet() => RememberLanguage();

    /// <summary>Ends the session.</summary>
    public async Task<IActionResult> OnPost(CancellationToken ct)
    {
        if (await sessions.Find(HttpContext, ct) is { } session)
        {
            await sessions.End(session, "logout", ct);
        }

        Cookies.EndSession(HttpContext);
        return Redirect("/signed-out");
    }
}

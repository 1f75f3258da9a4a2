using Trust.Idp.Sessions;
using Trust.Kernel.Residency;

namespace Trust.Idp.Pages;

/// <summary>Start page: what this is, who is signed in, whom to call.</summary>
public sealed class IndexModel(SessionStore sessions, ResidencyGate residency, IdpOptions options) : TrustPage
{
    /// <inheritdoc/>
    public override string TitleKey => "start.title";

    /// <summary>Who is signed in at this browser; null when nobody is.</summary>
    public string? Person { get; private set; }

    /// <summary>Whom to call.</summary>
    public string Help => HelpOf(options);

    /// <summary>Shows the page.</summary>
    public async Task OnGet(CancellationToken ct)
    {
        RememberLanguage();
        Person = Shown(residency, await sessions.FindToEnd(HttpContext, ct));
    }
}

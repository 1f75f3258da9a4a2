using Trust.Idp.Sessions;

namespace Trust.Idp.Pages;

/// <summary>Shown after a logout: tells the systems that asked for it by frames, and goes on to the relying party that waits.</summary>
public sealed class SignedOutModel(LogoutTicket tickets, FrontChannel front) : TrustPage
{
    /// <inheritdoc/>
    public override string TitleKey => "signedout.title";

    /// <summary>Pages of the systems that are told, to be loaded in frames.</summary>
    public IReadOnlyList<string> Frames { get; private set; } = [];

    /// <summary>Where to go on to; null for nowhere.</summary>
    public string? Target { get; private set; }

    /// <summary>Shows the page.</summary>
    public async Task OnGet(string? logout, CancellationToken ct)
    {
        RememberLanguage();
        if (tickets.Read(logout) is not { } done)
        {
            return;
        }

        Target = done.Target;
        if (done.Session is { } session)
        {
            Frames = await front.Frames(session, ct);
            PageSecurity.AllowFrames(HttpContext, Frames.Select(SessionState.OriginOf));
        }
    }
}

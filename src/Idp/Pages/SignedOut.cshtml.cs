namespace Trust.Idp.Pages;

/// <summary>Shown after logout where no relying party waits.</summary>
public sealed class SignedOutModel : TrustPage
{
    /// <inheritdoc/>
    public override string TitleKey => "signedout.title";

    /// <summary>Shows the page.</summary>
    public void OnGet() => RememberLanguage();
}

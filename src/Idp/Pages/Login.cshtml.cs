using Microsoft.AspNetCore.Mvc;
using Trust.Idp.Authorize;
using Trust.Idp.Clients;

namespace Trust.Idp.Pages;

/// <summary>Asks for the card, and says why one was refused.</summary>
public sealed class LoginModel(AuthorizationRequests requests, ClientStore clients, IdpOptions options) : TrustPage
{
    /// <inheritdoc/>
    public override string TitleKey => "login.title";

    /// <summary>Name of the application signed in to.</summary>
    public string ClientName { get; private set; } = "";

    /// <summary>Where the card is shown: a host of its own.</summary>
    public string CardUrl { get; private set; } = "";

    /// <summary>Why the card was refused, or null.</summary>
    public string? Refusal { get; private set; }

    /// <summary>Shows the page for a request this browser began.</summary>
    public async Task<IActionResult> OnGet(string? request, string? refused, CancellationToken ct)
    {
        RememberLanguage();
        if (await requests.Find(HttpContext, request, ct) is not { } pending || await clients.Find(pending.ClientId, ct) is not { } client)
        {
            return Redirect("/error?rule=request-expired");
        }

        ClientName = Language == "en" ? client.NameEn : client.NameZh;
        CardUrl = $"{options.CardUrl}/card?request={request}";
        Refusal = refused is null ? null : Texts.Refusal(T, refused);
        return Page();
    }
}

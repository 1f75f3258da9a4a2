using System.Globalization;
using Microsoft.AspNetCore.Mvc;
using Trust.Idp.Authorize;
using Trust.Idp.Clients;

namespace Trust.Idp.Pages;

/// <summary>Asks for the card, and says why one was refused.</summary>
public sealed class LoginModel(AuthorizationRequests requests, ClientStore clients, IdpOptions options, TimeProvider clock) : TrustPage
{
    /// <inheritdoc/>
    public override string TitleKey => "login.title";

    /// <summary>Name of the application signed in to.</summary>
    public string ClientName { get; private set; } = "";

    /// <summary>Where the card is shown: a host of its own.</summary>
    public string CardUrl { get; private set; } = "";

    /// <summary>Why the card was refused, or null.</summary>
    public string? Refusal { get; private set; }

    /// <summary>From when the card may be shown again; null for now.</summary>
    public string? RetryAt { get; private set; }

    /// <summary>Home page, policy and terms that the application registered, as links: nothing of them is loaded.</summary>
    public IReadOnlyList<(string Text, string Address)> Links { get; private set; } = [];

    /// <summary>Shows the page for a request this browser began.</summary>
    public async Task<IActionResult> OnGet(string? request, string? refused, long? until, CancellationToken ct)
    {
        RememberLanguage();
        if (await requests.Find(HttpContext, request, ct) is not { } pending || await clients.Find(pending.ClientId, ct) is not { } client)
        {
            return Redirect("/error?rule=request-expired");
        }

        ClientName = Language == "en" ? client.NameEn : client.NameZh;
        CardUrl = $"{options.CardUrl}/card?request={request}";
        Refusal = refused is null ? null : Texts.Refusal(T, refused);
        Links = [.. new[] { ("client.home", client.Metadata.ClientUri), ("client.logo", client.Metadata.LogoUri), ("client.policy", client.Metadata.PolicyUri), ("client.terms", client.Metadata.TosUri) }
            .Where(l => l.Item2 is not null).Select(l => (T[l.Item1], l.Item2!))];
        Wait(refused, until);
        return Page();
    }

    // Said by a link of our own; whoever writes another sees a time that means nothing.
    private void Wait(string? refused, long? until)
    {
        var seconds = (until ?? 0) - clock.GetUtcNow().ToUnixTimeSeconds();
        if (refused is "too-many-attempts" && seconds is > 0 and <= 3600)
        {
            RetryAt = DateTimeOffset.FromUnixTimeSeconds(until!.Value).ToOffset(TimeSpan.FromHours(8)).ToString("HH:mm:ss", CultureInfo.InvariantCulture);
            Response.StatusCode = StatusCodes.Status429TooManyRequests;
            Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }
    }
}

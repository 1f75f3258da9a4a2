namespace Trust.Idp;

/// <summary>
/// The cookies of the main host. <c>__Host-</c> keeps them to this host, over TLS, for every path (RFC 6265bis 4.1.3.2).
/// The card listener is another host and never sees them.
/// </summary>
internal static class Cookies
{
    public const string Session = "__Host-session";

    /// <summary>Says which session the browser has, to the script of the frame that relying parties ask (Session Management 1.0); opens nothing.</summary>
    public const string BrowserState = "trust-op-state";

    /// <summary>The browser's half of a form's token.</summary>
    public const string Form = "__Host-form";
    private const string Request = "__Host-request-";
    private const string Language = "__Host-language";
    private const string AskedLanguage = "__Host-ui-locales";

    // Without a life of its own it ends with the browser.
    private static CookieOptions Options(TimeSpan? life) => new()
    {
        // Lax, not Strict: the browser comes back from the card host and from relying parties by a top-level navigation.
        HttpOnly = true, Secure = true, SameSite = SameSiteMode.Lax, Path = "/", MaxAge = life, IsEssential = true,
    };

    public static void SetSession(HttpContext context, string value, string browserState)
    {
        context.Response.Cookies.Append(Session, value, Options(null));
        context.Response.Cookies.Append(BrowserState, browserState, ForFrames());
    }

    public static void EndSession(HttpContext context)
    {
        context.Response.Cookies.Delete(Session, Options(TimeSpan.Zero));
        context.Response.Cookies.Delete(BrowserState, ForFrames());
    }

    // Read in a frame inside the relying party's page.
    private static CookieOptions ForFrames() => new() { HttpOnly = false, Secure = true, SameSite = SameSiteMode.None, Path = "/", IsEssential = true };

    // One cookie per request, so that two tabs can log in side by side.
    public static void SetRequest(HttpContext context, string requestId, string value, TimeSpan life) =>
        context.Response.Cookies.Append(Request + requestId[..12], value, Options(life));

    public static string? OfRequest(HttpContext context, string requestId) =>
        requestId.Length == 43 ? context.Request.Cookies[Request + requestId[..12]] : null;

    public static void EndRequest(HttpContext context, string requestId) => context.Response.Cookies.Delete(Request + requestId[..12], Options(TimeSpan.Zero));

    public static void SetLanguage(HttpContext context, string language) => context.Response.Cookies.Append(Language, language, Options(TimeSpan.FromDays(365)));

    // The application's wish (ui_locales) for the pages of this browser's logins; the person's own choice goes before it.
    public static void SetAskedLanguage(HttpContext context, string? language)
    {
        if (language is not null)
        {
            context.Response.Cookies.Append(AskedLanguage, language, Options(TimeSpan.FromHours(1)));
        }
        else if (context.Request.Cookies.ContainsKey(AskedLanguage))
        {
            context.Response.Cookies.Delete(AskedLanguage, Options(TimeSpan.Zero));
        }
    }

    public static string? OfAskedLanguage(HttpContext context) => context.Request.Cookies[AskedLanguage];

    public static string? OfLanguage(HttpContext context) => context.Request.Cookies[Language];
}

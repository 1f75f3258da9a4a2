using System.Collections.Frozen;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.AspNetCore.WebUtilities;
using Trust.Kernel.Residency;

namespace Trust.Idp.Pages;

/// <summary>What every page shares: language and texts. Pages run no script.</summary>
public abstract class TrustPage : PageModel
{
    /// <summary><c>zh</c> or <c>en</c>: the query, then the person's choice, then what the application asked for (<c>ui_locales</c>), then Chinese.</summary>
    public string Language => Request.Query["lang"] is ["en" or "zh"] chosen ? chosen[0]!
        : (Cookies.OfLanguage(HttpContext) ?? Cookies.OfAskedLanguage(HttpContext)) is "en" ? "en" : "zh";

    /// <summary>The texts of that language.</summary>
    public FrozenDictionary<string, string> T => Texts.Of(Language);

    /// <summary>Key of the page's title.</summary>
    public abstract string TitleKey { get; }

    /// <summary>This page in the other language.</summary>
    public string OtherLanguageUrl
    {
        get
        {
            var query = Request.Query.Where(q => q.Key != "lang").SelectMany(q => q.Value, (q, v) => KeyValuePair.Create<string, string?>(q.Key, v));
            return QueryHelpers.AddQueryString(Request.Path, query.Append(new("lang", Language == "en" ? "zh" : "en")));
        }
    }

    /// <summary>A person's name, for who looks from where identities may be shown (docs/RESIDENCY.md); pages that only take a session away answer everywhere.</summary>
    protected string? Shown(ResidencyGate residency, Sessions.Session? session) =>
        session is not null && residency.RefuseCaller(HttpContext.Connection.RemoteIpAddress, DataClass.Identity) is null ? session.Holder.Name : null;

    /// <summary>Whom a person calls who cannot go on.</summary>
    protected string HelpOf(IdpOptions options) => options.HelpDesk ?? T["help.default"];

    /// <summary>Remembers a language chosen by link.</summary>
    protected void RememberLanguage()
    {
        if (Request.Query["lang"] is ["en" or "zh"] chosen)
        {
            Cookies.SetLanguage(HttpContext, chosen[0]!);
        }
    }
}

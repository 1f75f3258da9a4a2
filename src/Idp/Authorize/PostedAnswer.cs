using System.Text;
using System.Text.Encodings.Web;
using Trust.Idp.Pages;

namespace Trust.Idp.Authorize;

/// <summary>
/// An answer by form (OAuth 2.0 Form Post Response Mode 1.0): a page with a form and a button, sent off by a script file of our own. Without script the
/// person presses the button.
/// </summary>
internal sealed class PostedAnswer(string redirect, IReadOnlyList<KeyValuePair<string, string?>> values) : IResult
{
    public Task ExecuteAsync(HttpContext httpContext)
    {
        var (encoder, texts) = (HtmlEncoder.Default, Texts.Of(Cookies.OfLanguage(httpContext) ?? Cookies.OfAskedLanguage(httpContext)));
        var page = new StringBuilder()
            .Append("<!DOCTYPE html><html lang=\"").Append(ReferenceEquals(texts, Texts.En) ? "en" : "zh-CN").Append("\"><head><meta charset=\"utf-8\">")
            .Append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>").Append(encoder.Encode(texts["posted.title"])).Append("</title>")
            .Append("<link rel=\"stylesheet\" href=\"/assets/trust.css\"><script src=\"/assets/submit.js\" defer></script></head><body><main><section class=\"card\"><h1>")
            .Append(encoder.Encode(texts["posted.title"])).Append("</h1><form method=\"post\" id=\"answer\" action=\"").Append(encoder.Encode(redirect)).Append("\">");
        foreach (var (name, value) in values)
        {
            page.Append("<input type=\"hidden\" name=\"").Append(encoder.Encode(name)).Append("\" value=\"").Append(encoder.Encode(value!)).Append("\">");
        }

        page.Append("<button class=\"button\">").Append(encoder.Encode(texts["posted.button"])).Append("</button></form></section></main></body></html>");
        PageSecurity.AllowFormTarget(httpContext, new Uri(redirect).GetLeftPart(UriPartial.Authority));
        PageSecurity.AllowOwnScript(httpContext);
        httpContext.Response.ContentType = "text/html; charset=utf-8";
        httpContext.Response.Headers.CacheControl = "no-store";
        return httpContext.Response.WriteAsync(page.ToString(), httpContext.RequestAborted);
    }
}

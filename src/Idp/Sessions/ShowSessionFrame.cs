using System.Text;

namespace Trust.Idp.Sessions;

/// <summary><c>check_session_iframe</c> (Session Management 1.0 section 3.3): a page without content that relying parties keep in a hidden frame, and its script.</summary>
internal static class ShowSessionFrame
{
    private static readonly byte[] Page = Encoding.UTF8.GetBytes(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Session</title><script src=\"/assets/session.js\"></script></head><body></body></html>");

    /// <summary>Answers the page. Of all pages it alone may be framed: it shows nothing that could be clicked.</summary>
    public static IResult Handle(HttpContext context)
    {
        context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors https: http://127.0.0.1:* http://localhost:*";
        context.Response.Headers.CacheControl = "public, max-age=300";
        return Results.Bytes(Page, "text/html; charset=utf-8");
    }
}

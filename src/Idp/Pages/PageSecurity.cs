namespace Trust.Idp.Pages;

/// <summary>Headers of every answer: no script but files of our own where a page says so, no framing, no referrer, no caching of pages.</summary>
internal static class PageSecurity
{
    private static readonly object FormTarget = new();
    private static readonly object Frames = new();
    private static readonly object OwnScript = new();

    public static void AllowFormTarget(HttpContext context, string origin) => context.Items[FormTarget] = origin;

    /// <summary>Lets script files of our own run on this page; none inline, none from outside.</summary>
    public static void AllowOwnScript(HttpContext context) => context.Items[OwnScript] = true;

    public static void AllowFrames(HttpContext context, IEnumerable<string> origins) => context.Items[Frames] = string.Join(' ', origins.Distinct(StringComparer.Ordinal));

    public static Task Apply(HttpContext context, RequestDelegate next)
    {
        context.Response.OnStarting(() =>
        {
            var headers = context.Response.Headers;
            var target = context.Items[FormTarget] as string;
            var frames = context.Items[Frames] is string { Length: > 0 } origins ? "frame-src " + origins + "; " : "";
            // The page that shows the API document brings its own, which lets its script run.
            headers.ContentSecurityPolicy = headers.ContentSecurityPolicy is { Count: > 0 } own ? own
                : $"default-src 'none'; style-src 'self'; {(context.Items.ContainsKey(OwnScript) ? "script-src 'self'; " : "")}img-src 'self'; {frames}form-action 'self'{(target is null ? "" : " " + target)}; frame-ancestors 'none'; base-uri 'none'";
            headers.XContentTypeOptions = "nosniff";
            headers["Referrer-Policy"] = "no-referrer";
            headers["Cross-Origin-Opener-Policy"] = "same-origin";
            headers["Permissions-Policy"] = "geolocation=(), camera=(), microphone=()";
            headers.StrictTransportSecurity = "max-age=31536000";
            if (string.IsNullOrEmpty(headers.CacheControl))
            {
                headers.CacheControl = "no-store";
            }

            return Task.CompletedTask;
        });
        return next(context);
    }
}

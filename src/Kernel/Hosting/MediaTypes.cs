using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Trust.Kernel.Hosting;

/// <summary>
/// Reads Content-Type as RFC 9110 8.3.1 means it: type, parameter names and charset in any case, values quoted or not. The platform's
/// readers take a quoted charset for an unknown encoding and throw.
/// </summary>
internal static class MediaTypes
{
    public static Task Normalise(HttpContext context, RequestDelegate next)
    {
        if (context.Request.ContentType is not { Length: > 0 } text)
        {
            return next(context);
        }

        if (!MediaTypeHeaderValue.TryParse(text, out var type))
        {
            return context.Refuse(CommonRefusals.UnsupportedMediaType);
        }

        if (type.Charset.HasValue)
        {
            var charset = HeaderUtilities.RemoveQuotes(type.Charset);
#pragma warning disable RS0030 // Charset names have no case (RFC 9110 8.3.2).
            if (!charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase) && !charset.Equals("us-ascii", StringComparison.OrdinalIgnoreCase))
#pragma warning restore RS0030
            {
                return context.Refuse(CommonRefusals.UnsupportedMediaType);
            }

            type.Charset = "utf-8";
            context.Request.ContentType = type.ToString();
        }

        return next(context);
    }
}

using Trust.Kernel.Hosting;

namespace Trust.Idp.Pages;

/// <summary>A refusal of the host (not now, too often, a fault) where a person looks: the error page, with the refusal's own status.</summary>
internal static class RefusalPage
{
    private static readonly object Told = new();

    /// <summary>Answers with the error page.</summary>
    public static Task Render(HttpContext context, Refusal refusal)
    {
        var page = context.RequestServices.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Single(e => e.RoutePattern.RawText?.Trim('/') == "error" && e.Metadata.GetMetadata<Microsoft.AspNetCore.Mvc.RazorPages.PageActionDescriptor>() is not null);
        context.Items[Told] = refusal;
        context.Response.StatusCode = refusal.Status;
        context.SetEndpoint(page);
        context.Request.RouteValues = new RouteValueDictionary { ["page"] = "/Error" };
        // The page reads nothing of the request, which may be a form.
        context.Request.Method = HttpMethods.Get;
        return PageSecurity.Apply(context, page.RequestDelegate!);
    }

    /// <summary>The refusal that the page tells; null when it was opened by its address.</summary>
    public static Refusal? Of(HttpContext context) => context.Items[Told] as Refusal;
}

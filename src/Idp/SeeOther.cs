namespace Trust.Idp;

/// <summary>303: the browser follows with GET, so a posted credential is never replayed to the next host (RFC 9700 §4.12).</summary>
internal sealed class SeeOther(string location) : IResult
{
    public static IResult To(string location) => new SeeOther(location);

    /// <summary>The error page, for faults that must not be redirected to a relying party.</summary>
    public static IResult Error(string rule) => To("/error?rule=" + Uri.EscapeDataString(rule));

    public Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.StatusCode = StatusCodes.Status303SeeOther;
        httpContext.Response.Headers.Location = location;
        httpContext.Response.Headers.CacheControl = "no-store";
        return Task.CompletedTask;
    }
}

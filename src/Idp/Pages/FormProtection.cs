using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Core.Infrastructure;
using Microsoft.AspNetCore.Mvc.Filters;

namespace Trust.Idp.Pages;

/// <summary>
/// Every form of a page carries a token that only this provider makes, bound to a cookie of the browser and to the session it was shown in. It stands
/// beside the strictness of the session and request cookies: a sibling host that could plant a cookie, or a browser without SameSite, posts nothing.
/// </summary>
internal sealed class FormProtection : IAntiforgeryAdditionalDataProvider
{
    /// <summary>Registers the pages with it.</summary>
    public static void Add(IServiceCollection services)
    {
        services.AddRazorPages().AddMvcOptions(options => options.Filters.Add(new ExpiredForm()));
        services.AddSingleton<IAntiforgeryAdditionalDataProvider, FormProtection>();
        services.AddAntiforgery(options =>
        {
            options.FormFieldName = "form";
            // The header would be a second way in that no page uses.
            options.HeaderName = null;
            // The content security policy says it.
            options.SuppressXFrameOptionsHeader = true;
            // Lax as the session's: a browser that comes from a relying party must bring it, or a second tab would void the first one's form.
            options.Cookie = new CookieBuilder
            {
                Name = Cookies.Form, HttpOnly = true, SecurePolicy = CookieSecurePolicy.Always, SameSite = SameSiteMode.Lax, Path = "/", IsEssential = true,
            };
        });
    }

    /// <inheritdoc/>
    public string GetAdditionalData(HttpContext context) =>
        context.Request.Cookies[Cookies.Session] is { Length: > 0 } session ? Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes("form\n" + session)).AsSpan(0, 16)) : "";

    /// <inheritdoc/>
    public bool ValidateAdditionalData(HttpContext context, string additionalData) =>
        CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(additionalData), Encoding.UTF8.GetBytes(GetAdditionalData(context)));

    // By itself the framework answers an empty 400: a person is told what to do.
    private sealed class ExpiredForm : IAlwaysRunResultFilter
    {
        public void OnResultExecuting(ResultExecutingContext context)
        {
            if (context.Result is IAntiforgeryValidationFailedResult)
            {
                context.Result = new RedirectResult("/error?rule=request-expired");
            }
        }

        public void OnResultExecuted(ResultExecutedContext context)
        {
        }
    }
}

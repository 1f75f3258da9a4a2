using Trust.Kernel.Hosting;

namespace Trust.Idp.Token;

/// <summary>RFC 6749 §5.2 error bodies: the protocol fixes them, so they are not problem details.</summary>
internal static class OAuthError
{
    public static IResult Of(HttpContext context, string error, string description, int status = StatusCodes.Status400BadRequest)
    {
        context.Response.Headers.CacheControl = "no-store";
        return Results.Json(new OAuthErrorBody(error, description), IdpJson.Default.OAuthErrorBody, statusCode: status);
    }

    /// <summary>invalid_client; to a client that tried the Authorization header, with the challenge that RFC 6749 §5.2 asks for.</summary>
    public static IResult OfClient(HttpContext context, string rule)
    {
        if (context.Request.Headers.Authorization.Count > 0)
        {
            context.Response.Headers.WWWAuthenticate = "Basic realm=\"private_key_jwt is required\"";
        }

        return Of(context, "invalid_client", rule, StatusCodes.Status401Unauthorized);
    }

    /// <summary>A refusal of the host (too much, too often, a fault) in this body.</summary>
    public static Task Render(HttpContext context, Refusal refusal)
    {
        var error = refusal.Status switch
        {
            StatusCodes.Status401Unauthorized => "invalid_client",
            StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable => "temporarily_unavailable",
            >= 500 => "server_error",
            _ => "invalid_request",
        };
        return Of(context, error, refusal.Detail("en"), refusal.Status).ExecuteAsync(context);
    }
}

/// <summary>The body of an OAuth error.</summary>
/// <param name="Error">Registered error code.</param>
/// <param name="ErrorDescription">For developers.</param>
public sealed record OAuthErrorBody(
    [property: System.Text.Json.Serialization.JsonPropertyName("error")] string Error,
    [property: System.Text.Json.Serialization.JsonPropertyName("error_description")] string ErrorDescription);

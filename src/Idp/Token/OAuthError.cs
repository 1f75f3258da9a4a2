namespace Trust.Idp.Token;

/// <summary>RFC 6749 §5.2 error bodies: the protocol fixes them, so they are not problem details.</summary>
internal static class OAuthError
{
    public static IResult Of(HttpContext context, string error, string description, int status = StatusCodes.Status400BadRequest)
    {
        context.Response.Headers.CacheControl = "no-store";
        return Results.Json(new OAuthErrorBody(error, description), IdpJson.Default.OAuthErrorBody, statusCode: status);
    }
}

/// <summary>The body of an OAuth error.</summary>
/// <param name="Error">Registered error code.</param>
/// <param name="ErrorDescription">For developers.</param>
public sealed record OAuthErrorBody(
    [property: System.Text.Json.Serialization.JsonPropertyName("error")] string Error,
    [property: System.Text.Json.Serialization.JsonPropertyName("error_description")] string ErrorDescription);

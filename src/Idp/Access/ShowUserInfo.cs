using Trust.Idp.Clients;
using Trust.Idp.Token;

namespace Trust.Idp.Access;

/// <summary>UserInfo (OpenID Connect Core §5.3): token in the header only, judged live.</summary>
public sealed class ShowUserInfo(LiveToken tokens, ClientStore clients, Subjects subjects)
{
    private static readonly string[] Copied = ["role", "acting_institution", "licence"];

    /// <summary>Answers; the access token is the caller.</summary>
    public async Task<IResult> Handle(HttpContext context, CancellationToken ct)
    {
        var header = context.Request.Headers.Authorization.ToString();
        var live = header.StartsWith("Bearer ", StringComparison.Ordinal) ? await tokens.Judge(header["Bearer ".Length..], ct) : null;
        if (live is not ({ } token, { } session) || await clients.Find(token.GetPayloadValue<string>("client_id"), ct) is not { } client)
        {
            context.Response.Headers.WWWAuthenticate = header.Length == 0 ? "Bearer" : "Bearer error=\"invalid_token\"";
            return Results.StatusCode(StatusCodes.Status401Unauthorized);
        }

        var scopes = token.GetPayloadValue<string>("scope").Split(' ');
        if (!scopes.Contains("openid", StringComparer.Ordinal))
        {
            context.Response.Headers.WWWAuthenticate = "Bearer error=\"insufficient_scope\", scope=\"openid\"";
            return Results.StatusCode(StatusCodes.Status403Forbidden);
        }

        context.Response.Headers.CacheControl = "no-store";
        var subject = await subjects.Of(client, session.Person, ct);
        return Results.Bytes(TokenIssuer.Write(json =>
        {
            json.WriteString("sub", subject);
            LiveToken.Copy(json, token, Copied);
            if (scopes.Contains("profile", StringComparer.Ordinal))
            {
                json.WriteString("name", session.Holder.Name);
            }
        }), "application/json");
    }
}

using System.Text.Json;
using System.Text.Json.Serialization;
using Trust.Idp.Clients;
using Trust.Idp.Sessions;
using Trust.Idp.Token;

namespace Trust.Idp.Decoupled;

/// <summary>
/// What a person is asked by back channel, and their decision, for a browser in which their session stands. Another site's page cannot post here: the session's
/// cookie does not go with its request, and JSON needs a permission that nobody is given.
/// </summary>
public sealed class DecideCiba(DecoupledRequests requests, ClientStore clients, SessionStore sessions, IdpOptions options)
{
    private const int MostBody = 1024;

    /// <summary>GET: what the person is asked now.</summary>
    public async Task<IResult> List(HttpContext context, CancellationToken ct)
    {
        if (await sessions.Find(context, ct) is not { } session)
        {
            return NoSession(context);
        }

        var open = new List<CibaAsked>();
        foreach (var request in await requests.OpenOf(session.Person, ct))
        {
            if (await clients.Find(request.ClientId, ct) is { } client)
            {
                open.Add(new CibaAsked(request.Id, client.NameZh, client.NameEn, request.Scopes, request.BindingMessage, request.Origin, request.ExpiresAt, [.. session.Holder.Affiliations.Select(a => a.Institution)]));
            }
        }

        context.Response.Headers.CacheControl = "no-store";
        return Results.Json(open, IdpJson.Default.ListCibaAsked);
    }

    /// <summary>POST: the decision.</summary>
    public async Task<IResult> Decide(HttpContext context, Guid id, CancellationToken ct)
    {
        if (await sessions.Find(context, ct) is not { } session)
        {
            return NoSession(context);
        }

        if (context.Request.Headers.Origin is [{ } origin] && origin != options.Issuer)
        {
            return OAuthError.Of(context, "invalid_request", "Another site's page decides nothing here.", StatusCodes.Status403Forbidden);
        }

        if (await Read(context, ct) is not { } decision)
        {
            return OAuthError.Of(context, "invalid_request", """Send {"decision":"approve","institution":"urn:mdid:o:…"} or {"decision":"deny"} as application/json.""");
        }

        if (await requests.OpenOf(session.Person, id, ct) is not { } request)
        {
            return OAuthError.Of(context, "invalid_request", "No such open request to this person.", StatusCodes.Status404NotFound);
        }

        if (decision.Decision is "approve" && !session.Holder.Affiliations.Any(a => a.Institution == decision.Institution))
        {
            return OAuthError.Of(context, "access_denied", "The person does not act for that institution.", StatusCodes.Status403Forbidden);
        }

        return await requests.Decide(request, session, decision.Decision is "approve" ? decision.Institution : null, ct)
            ? Results.NoContent() : OAuthError.Of(context, "invalid_request", "The request was decided, has expired, or the ledger is away.", StatusCodes.Status409Conflict);
    }

    private static async Task<CibaDecision?> Read(HttpContext context, CancellationToken ct)
    {
        if (!context.Request.HasJsonContentType() || context.Request.ContentLength is not (> 0 and <= MostBody))
        {
            return null;
        }

        try
        {
            return await JsonSerializer.DeserializeAsync(context.Request.Body, IdpJson.Default.CibaDecision, ct) is { Decision: "approve" or "deny" } read ? read : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static IResult NoSession(HttpContext context) => OAuthError.Of(context, "login_required", "No session stands in this browser.", StatusCodes.Status401Unauthorized);
}

/// <summary>A person's decision.</summary>
/// <param name="Decision"><c>approve</c> or <c>deny</c>.</param>
/// <param name="Institution">Institution that the person acts for.</param>
public sealed record CibaDecision([property: JsonPropertyName("decision")] string? Decision, [property: JsonPropertyName("institution")] string? Institution);

/// <summary>What a person is asked.</summary>
public sealed record CibaAsked(
    [property: JsonPropertyName("id")] Guid Id, [property: JsonPropertyName("client_name_zh")] string ClientNameZh, [property: JsonPropertyName("client_name_en")] string ClientNameEn,
    [property: JsonPropertyName("scopes")] IReadOnlyList<string> Scopes, [property: JsonPropertyName("binding_message")] string? BindingMessage, [property: JsonPropertyName("origin")] string Origin,
    [property: JsonPropertyName("expires_at")] DateTimeOffset ExpiresAt, [property: JsonPropertyName("institutions")] IReadOnlyList<string> Institutions);

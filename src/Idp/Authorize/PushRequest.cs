using System.Text.Json.Serialization;
using Trust.Idp.Clients;
using Trust.Idp.Token;
using Trust.Kernel.Audit;

namespace Trust.Idp.Authorize;

/// <summary>The pushed authorization request endpoint (RFC 9126): the client proves itself, the request is judged whole, and a browser carries only its name.</summary>
public sealed class PushRequest(
    ClientAuthentication authentication, RequestObjects objects, AuthorizationParameters parameters, PushedRequests pushed, Senders senders, RefusalCounter strangers)
{
    /// <summary>Largest body, in bytes.</summary>
    public const int MaximumBody = 64 * 1024;

    /// <summary>Answers; the client authenticates in the body or by its certificate.</summary>
    public async Task<IResult> Handle(HttpContext context, CancellationToken ct)
    {
        if (await FormFields.OfBody(context.Request, ct) is not { } form)
        {
            return OAuthError.Of(context, "invalid_request", "Send each parameter once, as application/x-www-form-urlencoded.");
        }

        switch (await authentication.Authenticate(form, context.Request, ct))
        {
            case ClientOutcome.Proved(var client):
                return await Answer(context, client, form, ct);
            case ClientOutcome.Refused(var rule):
                strangers.Count("invalid-client");
                return OAuthError.OfClient(context, rule);
            default:
                throw new InvalidOperationException("A closed set.");
        }
    }

    private async Task<IResult> Answer(HttpContext context, Client client, FormFields form, CancellationToken ct)
    {
        if (!client.GrantTypes.Contains("authorization_code", StringComparer.Ordinal))
        {
            return Refuse(context, "unauthorized_client", "The authorization code grant is not registered for the client.");
        }

        if (!Check.Holds("par.request-uri", !form.Has("request_uri")))
        {
            return Refuse(context, "invalid_request", "request_uri has no place in a pushed request (RFC 9126 2.1).");
        }

        var asked = form;
        if (form.Text("request") is { } request)
        {
            switch (await objects.Read(request, client, ct))
            {
                case RequestObjectOutcome.Signed signed:
                    asked = signed.Parameters;
                    break;
                case RequestObjectOutcome.Refused refused:
                    return Refuse(context, refused.Error, refused.Detail);
            }
        }
        else if (!Check.Holds("par.signed", !client.Metadata.RequireSignedRequestObject))
        {
            return Refuse(context, "invalid_request", "This client signs its requests: send request (RFC 9101).");
        }

        return await parameters.Judge(asked, client) switch
        {
            AuthorizationOutcome.Accepted { Request: var accepted } => await Keep(context, client, asked, accepted, ct),
            AuthorizationOutcome.Refused refused => Refuse(context, refused.Error, refused.Detail),
            _ => throw new InvalidOperationException("A closed set."),
        };
    }

    private async Task<IResult> Keep(HttpContext context, Client client, FormFields asked, AuthorizationRequest accepted, CancellationToken ct)
    {
        // RFC 9449 10.1: the proof's key is the code's; a thumbprint beside it names the same.
        var (holds, shown) = await senders.ProofAt(context, ct);
        if (!Check.Holds("par.proof", holds && (shown is null || accepted.DpopJkt is not { } stated || stated == shown)))
        {
            return Refuse(context, "invalid_dpop_proof", "The DPoP proof does not hold for this request, or dpop_jkt names another key.");
        }

        var kept = asked.Values.Where(v => AuthorizationParameters.Known.Contains(v.Key, StringComparer.Ordinal)).ToDictionary(v => v.Key, v => v.Value, StringComparer.Ordinal);
        if (shown is not null)
        {
            kept["dpop_jkt"] = shown;
        }

        context.Response.Headers.CacheControl = "no-store";
        return Results.Json(new PushedBody(await pushed.Keep(client, kept), (int)PushedRequests.Life.TotalSeconds), IdpJson.Default.PushedBody, statusCode: StatusCodes.Status201Created);
    }

    private IResult Refuse(HttpContext context, string error, string detail)
    {
        strangers.Count("authorization-request-refused");
        return OAuthError.Of(context, error, detail);
    }
}

/// <summary>RFC 9126 2.2 answer.</summary>
/// <param name="RequestUri">Name of the request.</param>
/// <param name="ExpiresIn">Seconds for which it may be brought.</param>
public sealed record PushedBody([property: JsonPropertyName("request_uri")] string RequestUri, [property: JsonPropertyName("expires_in")] int ExpiresIn);

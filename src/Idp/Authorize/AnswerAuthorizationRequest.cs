using Trust.Idp.Clients;
using Trust.Idp.Sessions;
using Trust.Kernel.Audit;

namespace Trust.Idp.Authorize;

/// <summary>
/// The authorization endpoint (RFC 6749 §3.1, OpenID Connect Core §3.1.2, RFC 9126, RFC 9101, RFC 9700): code only, exact redirect matching,
/// <c>iss</c> in every answer (RFC 9207), 303 redirects.
/// </summary>
public sealed class AnswerAuthorizationRequest(
    ClientStore clients, SessionStore sessions, AuthorizationRequests requests, RequestObjects objects, PushedRequests pushed, AuthorizationParameters parameters,
    AuthorizationAnswer answers, IssueCode codes, HintedPerson hinted, RefusalCounter strangers)
{
    /// <summary>GET.</summary>
    public Task<IResult> Handle(HttpContext context) => Answer(context, FormFields.Of(context.Request.Query));

    /// <summary>POST, as form fields.</summary>
    public async Task<IResult> HandlePost(HttpContext context, CancellationToken ct) => await Answer(context, await FormFields.OfBody(context.Request, ct));

    private async Task<IResult> Answer(HttpContext context, FormFields? fields)
    {
        var ct = context.RequestAborted;
        if (fields is null)
        {
            return Page("malformed-request");
        }

        // Until client and redirect URI are proved, an error is shown here: redirecting would make this an open redirector.
        var client = await clients.Find(fields.Text("client_id"), ct);
        if (client is null || !client.GrantTypes.Contains("authorization_code"))
        {
            return Page("unknown-client");
        }

        var (asked, hash, refusal) = await Gather(fields, client, ct);
        if (asked is null)
        {
            return refusal!;
        }

        switch (await parameters.Judge(asked, client))
        {
            case AuthorizationOutcome.Accepted accepted:
                Cookies.SetAskedLanguage(context, Pages.Texts.Preferred(accepted.Request.UiLocales));
                return await Proceed(context, accepted.Request with { Pushed = hash }, ct);
            case AuthorizationOutcome.Refused { To: { } to } refused:
                strangers.Count("authorization-request-refused");
                return await answers.Error(to, refused.Error, refused.Detail, ct);
            default:
                return Page("redirect-uri-mismatch");
        }
    }

    // The parameters that count: those pushed, those signed, or those in the address; never a mixture.
    private async Task<(FormFields? Asked, byte[]? Pushed, IResult? Refusal)> Gather(FormFields outer, Client client, CancellationToken ct)
    {
        if (outer.Text("request_uri") is { } uri)
        {
            return outer.Has("request") ? (null, null, Page("malformed-request"))
                : !PushedRequests.IsOurs(uri) ? (null, null, await Told(outer, client, "request_uri_not_supported", "Requests are pushed (RFC 9126); none is fetched.", ct))
                : await pushed.Find(uri, client, ct) is var (hash, kept) ? (kept, hash, null)
                : (null, null, Page("request-expired"));
        }

        if (!Check.Holds("authorize.pushed", !client.IsFapi2 && !client.Metadata.RequirePushedAuthorizationRequests))
        {
            return (null, null, Page("request-not-pushed"));
        }

        if (outer.Text("request") is not { } request)
        {
            return client.Metadata.RequireSignedRequestObject
                ? (null, null, await Told(outer, client, "invalid_request", "This client signs its requests: send request (RFC 9101).", ct)) : (outer, null, null);
        }

        return await objects.Read(request, client, ct) switch
        {
            RequestObjectOutcome.Signed signed => (signed.Parameters, null, null),
            RequestObjectOutcome.Refused refused => (null, null, await Told(outer, client, refused.Error, refused.Detail, ct)),
            _ => throw new InvalidOperationException("A closed set."),
        };
    }

    // What the address itself says is all there is to answer to; a client that must push is told on a page, because nothing in the address is its own.
    private async Task<IResult> Told(FormFields outer, Client client, string error, string detail, CancellationToken ct)
    {
        if (client.IsFapi2 || outer.Text("redirect_uri") is not { } redirect || !client.HasRedirect(redirect))
        {
            return Page("malformed-request");
        }

        strangers.Count("authorization-request-refused");
        return await answers.Error(new Destination(client.Id, redirect, outer.Text("state"), AuthorizationAnswer.ModeOf(outer.Text("response_mode")) ?? "query"), error, detail, ct);
    }

    private IResult Page(string rule)
    {
        strangers.Count("authorization-request-refused");
        return SeeOther.Error(rule);
    }

    private async Task<IResult> Proceed(HttpContext context, AuthorizationRequest request, CancellationToken ct)
    {
        var session = await sessions.Find(context, ct);
        var usable = session is not null && request.Accepts(session) && await hinted.Is(request, session, ct);
        if (request.Asks("none"))
        {
            return usable
                ? await codes.AnswerSilently(request, session!, ct)
                : await answers.Error(request, "login_required", "No session fits this request.", ct);
        }

        var id = await requests.Begin(context, request, ct);
        return SeeOther.To(usable ? $"/consent?request={id}" : $"/login?request={id}");
    }
}

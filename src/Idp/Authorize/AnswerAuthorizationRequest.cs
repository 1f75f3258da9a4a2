using System.Globalization;
using Trust.Idp.Clients;
using Trust.Idp.Sessions;

namespace Trust.Idp.Authorize;

/// <summary>
/// The authorization endpoint (RFC 6749 §3.1, OpenID Connect Core §3.1.2, RFC 9700): code only, PKCE S256 compulsory, exact
/// redirect matching, <c>iss</c> in every answer (RFC 9207), 303 redirects.
/// </summary>
public sealed class AnswerAuthorizationRequest(
    ClientStore clients, SessionStore sessions, AuthorizationRequests requests, IssueCode codes, IdTokenHint hints, HintedPerson hinted, IdpOptions options, TimeProvider clock)
{
    private static readonly string[] Prompts = ["none", "login", "consent", "select_account"];

    /// <summary>GET.</summary>
    public Task<IResult> Handle(HttpContext context) => Answer(context, FormFields.Of(context.Request.Query));

    /// <summary>POST, as form fields.</summary>
    public async Task<IResult> HandlePost(HttpContext context, CancellationToken ct) => await Answer(context, await FormFields.OfBody(context.Request, ct));

    private async Task<IResult> Answer(HttpContext context, FormFields? fields)
    {
        var ct = context.RequestAborted;
        if (fields is null)
        {
            return SeeOther.Error("malformed-request");
        }

        // Until client and redirect URI are proved, an error is shown here: redirecting would make this an open redirector.
        var client = await clients.Find(fields.Text("client_id"), ct);
        if (client is null || !client.GrantTypes.Contains("authorization_code"))
        {
            return SeeOther.Error("unknown-client");
        }

        if (fields.Text("redirect_uri") is not { } redirect || !client.HasRedirect(redirect))
        {
            return SeeOther.Error("redirect-uri-mismatch");
        }

        if (Check(fields, client) is { } error)
        {
            return AuthorizationAnswer.Error(redirect, fields.Text("state"), options.Issuer, error.Code, error.Detail);
        }

        var hint = fields.Text("id_token_hint");
        var named = hint is null ? null : await hints.Read(hint);
        if (hint is not null && (named is null || !named.Audiences.Contains(client.Id, StringComparer.Ordinal)))
        {
            return AuthorizationAnswer.Error(redirect, fields.Text("state"), options.Issuer, "invalid_request", "id_token_hint is no ID token of this client.");
        }

        Cookies.SetAskedLanguage(context, Pages.Texts.Preferred(fields.Text("ui_locales")));
        return await Proceed(context, Read(fields, client, redirect, named?.Subject), ct);
    }

    private async Task<IResult> Proceed(HttpContext context, AuthorizationRequest request, CancellationToken ct)
    {
        var session = await sessions.Find(context, ct);
        var usable = session is not null && request.Accepts(session) && await hinted.Is(request, session, ct);
        if (request.Asks("none"))
        {
            return usable
                ? await codes.AnswerSilently(request, session!, ct)
                : AuthorizationAnswer.Error(request.RedirectUri, request.State, options.Issuer, "login_required", "No session fits this request.");
        }

        var id = await requests.Begin(context, request, ct);
        return SeeOther.To(usable ? $"/consent?request={id}" : $"/login?request={id}");
    }

    private AuthorizationRequest Read(FormFields fields, Client client, string redirect, string? hintSubject) => new(
        [], client.Id, redirect, fields.Text("scope") ?? "openid", fields.Text("state"), fields.Text("nonce"), fields.Text("code_challenge")!,
        fields.Text("resource") ?? client.Resources[0], fields.Text("prompt") ?? "", fields.Text("max_age") is { } age ? int.Parse(age, CultureInfo.InvariantCulture) : null,
        hintSubject, clock.GetUtcNow());

    private static (string Code, string Detail)? Check(FormFields fields, Client client)
    {
        var scopes = (fields.Text("scope") ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var prompts = (fields.Text("prompt") ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields switch
        {
            _ when fields.Has("request") => ("request_not_supported", "Request objects are not offered."),
            _ when fields.Has("request_uri") => ("request_uri_not_supported", "Pushed requests are not offered."),
            _ when fields.Text("response_type") != "code" => ("unsupported_response_type", "Only response_type=code is offered."),
            _ when fields.Text("response_mode") is not (null or "query") => ("invalid_request", "Only response_mode=query is offered."),
            // RFC 9700 2.1.1: PKCE for every client; plain would put the verifier itself into logs.
            _ when fields.Text("code_challenge_method") != "S256" || fields.Text("code_challenge") is not { Length: 43 } challenge || !challenge.All(IsBase64Url)
                => ("invalid_request", "PKCE with code_challenge_method=S256 is required."),
            _ when !scopes.Contains("openid") => ("invalid_scope", "The scope openid is required."),
            _ when scopes.Any(s => !client.Scopes.Contains(s, StringComparer.Ordinal)) => ("invalid_scope", "A scope is not registered for this client."),
            _ when fields.Text("resource") is { } resource && !client.Resources.Contains(resource, StringComparer.Ordinal) => ("invalid_target", "The resource is not registered for this client."),
            _ when prompts.Any(p => !Prompts.Contains(p, StringComparer.Ordinal)) || (prompts.Length > 1 && prompts.Contains("none")) => ("invalid_request", "The prompt value is not known."),
            _ when fields.Text("max_age") is { } age && !(int.TryParse(age, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds >= 0)
                => ("invalid_request", "max_age is a number of seconds."),
            _ when fields.Text("nonce") is { Length: > 256 } || fields.Text("state") is { Length: > 2048 } => ("invalid_request", "nonce or state is too long."),
            _ => null,
        };
    }

    private static bool IsBase64Url(char c) => char.IsAsciiLetterOrDigit(c) || c is '-' or '_';
}

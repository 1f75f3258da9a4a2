using Microsoft.AspNetCore.Mvc;
using Trust.Idp.Authorize;
using Trust.Idp.Clients;
using Trust.Idp.Login;
using Trust.Idp.Sessions;

namespace Trust.Idp.Pages;

/// <summary>
/// The acting institution and the notice. Posting needs the form's token and the request cookie, which other sites' forms do not carry (SameSite=Lax).
/// </summary>
public sealed class NoticeModel(AuthorizationRequests requests, ClientStore clients, SessionStore sessions, Acknowledgements notices, IssueCode codes, HintedPerson hinted, IdpOptions options) : TrustPage
{
    /// <inheritdoc/>
    public override string TitleKey => "consent.title";

    /// <summary>Identifier of the request.</summary>
    public string RequestId { get; private set; } = "";

    /// <summary>Name of the person.</summary>
    public string Person { get; private set; } = "";

    /// <summary>Name of the application.</summary>
    public string ClientName { get; private set; } = "";

    /// <summary>Institutions to choose from.</summary>
    public IReadOnlyList<CardAffiliation> Affiliations { get; private set; } = [];

    /// <summary>Scopes asked for.</summary>
    public IReadOnlyList<string> Scopes { get; private set; } = [];

    /// <summary>Version of the notice.</summary>
    public string NoticeVersion => options.NoticeVersion;

    /// <summary>Shows the page, or goes on where nothing is left to ask.</summary>
    public async Task<IActionResult> OnGet(string? request, CancellationToken ct)
    {
        RememberLanguage();
        if (await Load(request, ct) is not var (pending, session, client))
        {
            return Redirect("/error?rule=request-expired");
        }

        if (await Unfit(pending, session, request!, ct) is { } elsewhere)
        {
            return elsewhere;
        }

        if (session.Holder.Affiliations.Count == 0)
        {
            return Redirect("/error?rule=no-institution");
        }

        if (session.Holder.Affiliations is [var only] && !pending.Asks("consent") && await notices.Has(session.Person, pending, ct))
        {
            return Answer(await codes.Answer(pending, session, only.Institution, acknowledge: false, ct));
        }

        RequestId = request!;
        Person = session.Holder.Name;
        ClientName = Language == "en" ? client.NameEn : client.NameZh;
        Affiliations = session.Holder.Affiliations;
        Scopes = pending.Scope.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        // Chromium follows form-action through redirects: the answer goes to the relying party's registered origin.
        PageSecurity.AllowFormTarget(HttpContext, new Uri(pending.RedirectUri).GetLeftPart(UriPartial.Authority));
        return Page();
    }

    /// <summary>Takes the decision.</summary>
    public async Task<IActionResult> OnPost([FromForm] string? request, [FromForm] string? institution, [FromForm] string? decision, CancellationToken ct)
    {
        if (await Load(request, ct) is not var (pending, session, _))
        {
            return Redirect("/error?rule=request-expired");
        }

        if (await Unfit(pending, session, request!, ct) is { } elsewhere)
        {
            return elsewhere;
        }

        if (decision != "accept")
        {
            return Answer(AuthorizationAnswer.Error(pending.RedirectUri, pending.State, options.Issuer, "access_denied", "The person declined."));
        }

        return session.Holder.Affiliations.FirstOrDefault(a => a.Institution == institution) is { } chosen
            ? Answer(await codes.Answer(pending, session, chosen.Institution, acknowledge: true, ct))
            : Redirect("/error?rule=no-affiliation");
    }

    /// <summary>Kind and role of an affiliation, for people.</summary>
    public string Describe(CardAffiliation affiliation) =>
        T.GetValueOrDefault("role." + affiliation.Role, affiliation.Role) + " · " + T.GetValueOrDefault("affiliation." + affiliation.Kind, affiliation.Kind);

    private async Task<(AuthorizationRequest Pending, Session Session, Client Client)?> Load(string? request, CancellationToken ct) =>
        await requests.Find(HttpContext, request, ct) is { } pending && await sessions.Find(HttpContext, ct) is { } session && await clients.Find(pending.ClientId, ct) is { } client
            ? (pending, session, client)
            : null;

    // The address of this page alone must not pass by the card (prompt, max_age), nor answer for another person than the client named
    // (OpenID Connect Core 3.1.2.1, id_token_hint).
    private async Task<IActionResult?> Unfit(AuthorizationRequest pending, Session session, string request, CancellationToken ct) =>
        !pending.Accepts(session) ? Redirect("/login?request=" + request)
        : await hinted.Is(pending, session, ct) ? null
        : session.Id == pending.Login
            ? Answer(AuthorizationAnswer.Error(pending.RedirectUri, pending.State, options.Issuer, "login_required", "Another person logged in than id_token_hint names."))
            : Redirect("/login?request=" + request);

    private static ResultOf Answer(IResult result) => new(result);

    private sealed class ResultOf(IResult result) : ActionResult
    {
        public override Task ExecuteResultAsync(ActionContext context) => result.ExecuteAsync(context.HttpContext);
    }
}

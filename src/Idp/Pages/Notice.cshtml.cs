using System.Globalization;
using Microsoft.AspNetCore.Mvc;
using Trust.Idp.Authorize;
using Trust.Idp.Clients;
using Trust.Idp.Login;
using Trust.Idp.Sessions;
using Trust.Idp.Token;

namespace Trust.Idp.Pages;

/// <summary>
/// The acting institution and the notice. Posting needs the form's token and the request cookie, which other sites' forms do not carry (SameSite=Lax).
/// </summary>
public sealed class NoticeModel(AuthorizationRequests requests, ClientStore clients, SessionStore sessions, Acknowledgements notices, IssueCode codes, AuthorizationAnswer answers, HintedPerson hinted, IssueTokens tokens, IdpOptions options) : TrustPage
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

    /// <summary>What is asked for in detail (RFC 9396).</summary>
    public IReadOnlyList<AuthorizationDetail> Details { get; private set; } = [];

    /// <summary>Scopes that would be left out of the token now, each with the institution where that is so: the registry would refuse their act.</summary>
    public IReadOnlyList<(string Scope, CardAffiliation At)> Withheld { get; private set; } = [];

    /// <summary>Where the application is that is answered.</summary>
    public string ClientHost { get; private set; } = "";

    /// <summary>True when this notice was acknowledged before, for this application.</summary>
    public bool IsAcknowledged { get; private set; }

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

        if (pending.IsForOwnPage)
        {
            return Redirect(pending.RedirectUri);
        }

        if (session.Holder.Affiliations.Count == 0)
        {
            return Redirect("/error?rule=no-institution");
        }

        var choice = InstitutionChoice.For(pending, client, session);
        if (choice is InstitutionChoice.None { Why: var why })
        {
            return Answer(await answers.Error(pending, "access_denied", why, ct));
        }

        IsAcknowledged = await notices.Has(session.Person, pending, ct);
        if (choice is InstitutionChoice.Made { Affiliation: var only } && IsAcknowledged && !pending.Asks("consent") && pending.Details.Count == 0)
        {
            return Answer(await codes.Answer(pending, session, only.Institution, acknowledge: false, ct));
        }

        await Fill(pending, session, client, choice, request!, ct);
        return Page();
    }

    private async Task Fill(AuthorizationRequest pending, Session session, Client client, InstitutionChoice choice, string request, CancellationToken ct)
    {
        RequestId = request;
        Person = session.Holder.Name;
        ClientName = Language == "en" ? client.NameEn : client.NameZh;
        Affiliations = Among(choice);
        ClientHost = new Uri(pending.RedirectUri).IdnHost;
        Details = pending.Details;
        Scopes = pending.Scope.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var withheld = new List<(string, CardAffiliation)>();
        foreach (var affiliation in Affiliations)
        {
            var held = (await tokens.StillHeld(pending.Scope, session, affiliation.Institution, ct)).Split(' ');
            withheld.AddRange(Scopes.Except(held, StringComparer.Ordinal).Select(s => (s, affiliation)));
        }

        Withheld = withheld;
        // Chromium follows form-action through redirects: the answer goes to the relying party's registered origin.
        PageSecurity.AllowFormTarget(HttpContext, new Uri(pending.RedirectUri).GetLeftPart(UriPartial.Authority));
    }

    private static IReadOnlyList<CardAffiliation> Among(InstitutionChoice choice) => choice switch
    {
        InstitutionChoice.Made { Affiliation: var one } => [one],
        InstitutionChoice.Open { Among: var some } => some,
        _ => [],
    };

    /// <summary>Takes the decision.</summary>
    public async Task<IActionResult> OnPost([FromForm] string? request, [FromForm] string? institution, [FromForm] string? decision, CancellationToken ct)
    {
        if (await Load(request, ct) is not var (pending, session, client) || pending.IsForOwnPage)
        {
            return Redirect("/error?rule=request-expired");
        }

        if (await Unfit(pending, session, request!, ct) is { } elsewhere)
        {
            return elsewhere;
        }

        if (decision != "accept")
        {
            return await requests.Answer(pending, ct)
                ? Answer(await answers.Error(pending, "access_denied", "The person declined.", ct)) : Redirect("/error?rule=request-answered");
        }

        if (Among(InstitutionChoice.For(pending, client, session)).FirstOrDefault(a => a.Institution == institution) is not { } chosen)
        {
            return Redirect("/error?rule=no-affiliation");
        }

        await sessions.Remember(session, chosen.Institution, ct);
        return Answer(await codes.Answer(pending, session, chosen.Institution, acknowledge: true, ct));
    }

    /// <summary>Kind and role of an affiliation, for people.</summary>
    public string Describe(CardAffiliation affiliation) =>
        T.GetValueOrDefault("role." + affiliation.Role, affiliation.Role) + " · " + T.GetValueOrDefault("affiliation." + affiliation.Kind, affiliation.Kind);

    /// <summary>A detail in a sentence.</summary>
    public string Describe(AuthorizationDetail detail) => detail switch
    {
        AuthorizationDetail.Signing signing => string.Format(
            CultureInfo.InvariantCulture, T["detail." + signing.Type], signing.Digests.Count,
            Affiliations.FirstOrDefault(a => a.Institution == signing.Institution.Value)?.InstitutionName ?? signing.Institution.Value),
        AuthorizationDetail.RecordAccess access => string.Format(
            CultureInfo.InvariantCulture, T["detail.record_access"], access.Patient.Value, string.Join(Language == "en" ? ", " : "、", access.Classes), access.Purpose,
            access.ExpiresAt.ToOffset(TimeSpan.FromHours(8)).ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture)),
        _ => detail.Type,
    };

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
            ? Answer(await answers.Error(pending, "login_required", "Another person logged in than the request names.", ct))
            : Redirect("/login?request=" + request);

    private static ResultOf Answer(IResult result) => new(result);

    private sealed class ResultOf(IResult result) : ActionResult
    {
        public override Task ExecuteResultAsync(ActionContext context) => result.ExecuteAsync(context.HttpContext);
    }
}

using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Mvc;
using Trust.Idp.Authorize;
using Trust.Idp.Clients;
using Trust.Idp.Decoupled;
using Trust.Idp.Login;
using Trust.Idp.Sessions;

namespace Trust.Idp.Pages;

/// <summary>
/// Where a person types what a device shows (RFC 8628 3.3), logged in by card; then sees who asks, from where and for what, and decides. The code is typed, never
/// taken from an address: a link would let a stranger's device be approved by a click (RFC 8628 5.4).
/// </summary>
public sealed class DeviceModel(
    DecoupledRequests devices, AuthorizationRequests logins, ClientStore clients, SessionStore sessions, DeviceTries tries, TimeProvider clock) : TrustPage
{
    /// <inheritdoc/>
    public override string TitleKey => "device.title";

    /// <summary>Name of the person.</summary>
    public string Person { get; private set; } = "";

    /// <summary>Why the last step failed, or null.</summary>
    public string? Refusal { get; private set; }

    /// <summary>What is decided; null while the code is asked for.</summary>
    public DecoupledRequest? Asked { get; private set; }

    /// <summary>The code as typed, for the second step.</summary>
    public string Code { get; private set; } = "";

    /// <summary>Name of the application.</summary>
    public string ClientName { get; private set; } = "";

    /// <summary>Institutions to choose from.</summary>
    public IReadOnlyList<CardAffiliation> Affiliations { get; private set; } = [];

    /// <summary>What became of it: <c>approve</c>, <c>deny</c> or null.</summary>
    public string? Decided { get; private set; }

    /// <summary>Asks for the code, after a login.</summary>
    public async Task<IActionResult> OnGet(CancellationToken ct)
    {
        RememberLanguage();
        if (await sessions.Find(HttpContext, ct) is not { } session)
        {
            return Redirect("/login?request=" + await logins.Begin(HttpContext, AuthorizationRequest.ForOwnPage("/device", clock.GetUtcNow()), ct));
        }

        Person = session.Holder.Name;
        return Page();
    }

    /// <summary>Takes the code, then the decision.</summary>
    public async Task<IActionResult> OnPost([FromForm] string? code, [FromForm] string? institution, [FromForm] string? decision, CancellationToken ct)
    {
        if (await sessions.Find(HttpContext, ct) is not { } session)
        {
            return Redirect("/device");
        }

        Person = session.Holder.Name;
        if (!tries.Admit(session.Person))
        {
            return Refuse("too-many-requests", StatusCodes.Status429TooManyRequests);
        }

        if (UserCode.Hash(code) is not { } hash || await devices.FindByCode(hash, ct) is not { } request || await clients.Find(request.ClientId, ct) is not { } client)
        {
            tries.Count(session.Person);
            return Refuse("device-code-unknown", StatusCodes.Status400BadRequest);
        }

        if (decision is "deny" || (decision is "accept" && session.Holder.Affiliations.Any(a => a.Institution == institution)))
        {
            if (!await devices.Decide(request, session, decision is "accept" ? institution : null, ct))
            {
                return Refuse("request-answered", StatusCodes.Status409Conflict);
            }

            Decided = decision;
            return Page();
        }

        (Asked, Code, ClientName, Affiliations) = (request, code!, Language == "en" ? client.NameEn : client.NameZh, session.Holder.Affiliations);
        return Page();
    }

    /// <summary>Kind and role of an affiliation, for people.</summary>
    public string Describe(CardAffiliation affiliation) =>
        T.GetValueOrDefault("role." + affiliation.Role, affiliation.Role) + " · " + T.GetValueOrDefault("affiliation." + affiliation.Kind, affiliation.Kind);

    private Microsoft.AspNetCore.Mvc.RazorPages.PageResult Refuse(string rule, int status)
    {
        Refusal = Texts.Refusal(T, rule);
        Response.StatusCode = status;
        return Page();
    }
}

/// <summary>How often a person may type a code that does not exist: five times in five minutes (RFC 8628 5.1).</summary>
public sealed class DeviceTries : IDisposable
{
    private const int Most = 5;
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(5);
    private readonly PartitionedRateLimiter<string> _failed = PartitionedRateLimiter.Create<string, string>(person => RateLimitPartition.GetFixedWindowLimiter(
        person, _ => new FixedWindowRateLimiterOptions { PermitLimit = Most, Window = Window, QueueLimit = 0 }));

    /// <summary>True while the person has tries left.</summary>
    public bool Admit(string person) => _failed.GetStatistics(person) is not { CurrentAvailablePermits: <= 0 };

    /// <summary>Counts a code that does not exist.</summary>
    public void Count(string person) => _failed.AttemptAcquire(person).Dispose();

    /// <inheritdoc/>
    public void Dispose() => _failed.Dispose();
}

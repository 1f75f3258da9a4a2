using System.Globalization;
using Trust.Idp.Clients;
using Trust.Idp.Login;
using Trust.Kernel.Identifiers;

namespace Trust.Idp.Authorize;

/// <summary>Where an answer goes: a registered address of the client, and how.</summary>
/// <param name="ClientId">The client.</param>
/// <param name="RedirectUri">Exactly one of its registered URIs.</param>
/// <param name="State">Returned unchanged.</param>
/// <param name="Mode">One of <see cref="AuthorizationAnswer.Modes"/>.</param>
public sealed record Destination(string ClientId, string RedirectUri, string? State, string Mode);

/// <summary>What became of an authorization request's parameters.</summary>
public abstract record AuthorizationOutcome
{
    private AuthorizationOutcome()
    {
    }

    /// <summary>Every rule holds.</summary>
    public sealed record Accepted(AuthorizationRequest Request) : AuthorizationOutcome;

    /// <summary>A rule is broken.</summary>
    /// <param name="Error">For the client.</param>
    /// <param name="Detail">For its author.</param>
    /// <param name="To">Where that may be told; null while client and address are not proved, because redirecting would make this an open redirector.</param>
    public sealed record Refused(string Error, string Detail, Destination? To) : AuthorizationOutcome;
}

/// <summary>
/// The one reading of an authorization request, whether its parameters came by query, form, pushed (RFC 9126) or signed (RFC 9101): read once, judged by
/// the client's profile.
/// </summary>
public sealed class AuthorizationParameters(IdTokenHint hints, TimeProvider clock)
{
    /// <summary>Parameters that are understood; others are ignored (RFC 6749 3.1).</summary>
    public static readonly IReadOnlyList<string> Known =
    [
        "response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method", "resource", "prompt", "max_age",
        "id_token_hint", "login_hint", "ui_locales", "claims_locales", "display", "acr_values", "claims", "authorization_details", "dpop_jkt", "acting_institution",
    ];

    private const int Thumbprint = 43;
    private static readonly string[] Prompts = ["none", "login", "consent", "select_account"];

    /// <summary>Reads and judges the parameters.</summary>
    public async Task<AuthorizationOutcome> Judge(FormFields fields, Client client)
    {
        ArgumentNullException.ThrowIfNull(fields);
        ArgumentNullException.ThrowIfNull(client);
        if (fields.Text("redirect_uri") is not { } redirect || !Check.Holds("authorize.redirect", client.HasRedirect(redirect)))
        {
            return new AuthorizationOutcome.Refused("invalid_request", "redirect_uri is missing or not registered for this client.", null);
        }

        var mode = AuthorizationAnswer.ModeOf(fields.Text("response_mode"));
        var to = new Destination(client.Id, redirect, fields.Text("state") is { Length: <= 2048 } state ? state : null, mode ?? "query");
        var claims = RequestedClaims.TryParse(fields.Text("claims"));
        if ((Broken(fields, client) ?? BrokenClaims(claims)) is var (error, detail))
        {
            return new AuthorizationOutcome.Refused(error, detail, to);
        }

        var now = clock.GetUtcNow();
        if (Authorize.AuthorizationDetails.Broken(fields.Text("authorization_details"), client, now, out _) is { } rule)
        {
            return new AuthorizationOutcome.Refused("invalid_authorization_details", rule, to);
        }

        var hint = fields.Text("id_token_hint");
        var named = hint is null ? null : await hints.Read(hint);
        if (hint is not null && (named is null || !named.Audiences.Contains(client.Id, StringComparer.Ordinal)))
        {
            return new AuthorizationOutcome.Refused("invalid_request", "id_token_hint is no ID token of this client.", to);
        }

        return new AuthorizationOutcome.Accepted(new AuthorizationRequest(
            [], client.Id, redirect, fields.Text("scope")!, to.State, fields.Text("nonce"), fields.Text("code_challenge"), fields.Text("resource") ?? client.Resources[0],
            fields.Text("prompt") ?? "", Seconds(fields.Text("max_age")) ?? client.Metadata.DefaultMaxAge, named?.Subject ?? claims!.Subject, now)
        {
            ResponseMode = to.Mode, Claims = fields.Text("claims"), AuthorizationDetails = fields.Text("authorization_details"), DpopJkt = fields.Text("dpop_jkt"),
            UiLocales = fields.Text("ui_locales"), AskedInstitution = fields.Text("acting_institution"),
        });
    }

    private static (string Code, string Detail)? Broken(FormFields fields, Client client)
    {
        var scopes = Words(fields.Text("scope"));
        var prompts = Words(fields.Text("prompt"));
        return fields switch
        {
            _ when !Check.Holds("authorize.response-type", fields.Text("response_type") == "code") => ("unsupported_response_type", "Only response_type=code is offered."),
            _ when AuthorizationAnswer.ModeOf(fields.Text("response_mode")) is null => ("invalid_request", "This response_mode is not offered."),
            _ when !Check.Holds("authorize.pkce", !BrokenChallenge(fields, client)) => ("invalid_request", "PKCE with code_challenge_method=S256 is required."),
            _ when !scopes.Contains("openid") => ("invalid_scope", "The scope openid is required."),
            _ when scopes.Any(s => !client.Scopes.Contains(s, StringComparer.Ordinal)) => ("invalid_scope", "A scope is not registered for this client."),
            _ when fields.Text("resource") is { } resource && !client.Resources.Contains(resource, StringComparer.Ordinal) => ("invalid_target", "The resource is not registered for this client."),
            _ when prompts.Any(p => !Prompts.Contains(p, StringComparer.Ordinal)) || (prompts.Length > 1 && prompts.Contains("none")) => ("invalid_request", "The prompt value is not known."),
            _ when fields.Text("max_age") is { } age && Seconds(age) is null => ("invalid_request", "max_age is a number of seconds."),
            _ when fields.Text("nonce") is { Length: > 256 } || fields.Text("state") is { Length: > 2048 } => ("invalid_request", "nonce or state is too long."),
            _ when fields.Text("acting_institution") is { } institution && !InstitutionId.TryParse(institution, null, out _) => ("invalid_request", "acting_institution is the URN of an institution."),
            _ when fields.Text("dpop_jkt") is { } jkt && !IsBase64Url(jkt, Thumbprint) => ("invalid_request", "dpop_jkt is a SHA-256 thumbprint (RFC 9449 10)."),
            _ => null,
        };
    }

    // RFC 9700 2.1.1: PKCE for every client; plain would put the verifier itself into logs. Older libraries of confidential clients (oidc-compat) send none at all.
    private static bool BrokenChallenge(FormFields fields, Client client)
    {
        var (challenge, method) = (fields.Text("code_challenge"), fields.Text("code_challenge_method"));
        return challenge is null
            ? method is not null || !client.IsCompat || client.IsPublic
            : method != "S256" || !IsBase64Url(challenge, Thumbprint);
    }

    // OpenID Connect Core 5.5.1.1, Unmet Authentication Requirements 1.0: what no login here can meet is said at once.
    private static (string Code, string Detail)? BrokenClaims(RequestedClaims? claims) =>
        claims is null ? ("invalid_request", "claims is no object of OpenID Connect Core 5.5.")
        : claims.EssentialAcr.Count > 0 && !claims.EssentialAcr.Intersect(AuthenticationContext.Offered, StringComparer.Ordinal).Any()
            ? ("unmet_authentication_requirements", "No login here meets the essential acr.") : null;

    private static string[] Words(string? text) => (text ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static int? Seconds(string? text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) ? seconds : null;

    private static bool IsBase64Url(string text, int length) => text.Length == length && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');
}

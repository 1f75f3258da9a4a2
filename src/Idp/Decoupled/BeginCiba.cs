using System.Globalization;
using System.Text.Json.Serialization;
using Trust.Idp.Authorize;
using Trust.Idp.Clients;
using Trust.Idp.Token;
using Trust.Kernel.Audit;
using Trust.Kernel.LiveStatus;

namespace Trust.Idp.Decoupled;

/// <summary>
/// The back-channel authentication endpoint (CIBA 1.0 7, FAPI-CIBA): a client asks for a person by name; the person decides on a device of their own. One open
/// request of a client to a person; whom they have refused three times waits.
/// </summary>
public sealed class BeginCiba(
    ClientAuthentication authentication, RequestObjects objects, IdTokenHint hints, EntitlementClient entitlements, DecoupledRequests requests, RefusalCounter strangers, TimeProvider clock)
{
    /// <summary>Grant that redeems it.</summary>
    public const string Grant = "urn:openid:params:grant-type:ciba";

    /// <summary>How the hash of an <c>auth_req_id</c> is kept apart from others.</summary>
    public const string Purpose = "auth-req-id";

    /// <summary>Parameters that are understood; others are ignored.</summary>
    internal static readonly IReadOnlyList<string> Known =
        ["client_id", "scope", "resource", "client_notification_token", "acr_values", "login_hint_token", "id_token_hint", "login_hint", "binding_message", "requested_expiry"];

    private const int LongestMessage = 64;
    private const int Shortest = 10;
    private const int Longest = 600;
    private const int Usual = 300;
    private const int MostDenials = 3;
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(10);
    private static readonly string[] Hints = ["login_hint", "id_token_hint", "login_hint_token"];

    /// <summary>Answers; the client authenticates in the body or by its certificate.</summary>
    public async Task<IResult> Handle(HttpContext context, CancellationToken ct)
    {
        if (await FormFields.OfBody(context.Request, ct) is not { } form)
        {
            return OAuthError.Of(context, "invalid_request", "Send each parameter once, as application/x-www-form-urlencoded.");
        }

        switch (await authentication.Authenticate(form, context.Request, ct))
        {
            case ClientOutcome.Proved({ IsPublic: false } client):
                return await Answer(context, client, form, ct);
            case ClientOutcome.Proved:
                return OAuthError.Of(context, "unauthorized_client", "A public client cannot use CIBA.");
            case ClientOutcome.Refused(var rule):
                strangers.Count("invalid-client");
                return OAuthError.OfClient(context, rule);
            default:
                throw new InvalidOperationException("A closed set.");
        }
    }

    private async Task<IResult> Answer(HttpContext context, Client client, FormFields form, CancellationToken ct)
    {
        var asked = form;
        if (client.Metadata.BackchannelAuthenticationRequestSigningAlg is not null)
        {
            // Nothing beside what is signed counts (CIBA 1.0 7.1.1).
            switch (form.Text("request") is { } request ? await objects.ReadCiba(request, client, ct) : null)
            {
                case RequestObjectOutcome.Signed signed:
                    asked = signed.Parameters;
                    break;
                case RequestObjectOutcome.Refused refused:
                    return Refuse(context, refused.Error, refused.Detail);
                default:
                    return Refuse(context, "invalid_request", "This client signs its requests: send request.");
            }
        }
        else if (form.Has("request"))
        {
            return Refuse(context, "invalid_request", "This client registered no algorithm for signed requests.");
        }

        if ((AskedScope.Broken(client, Grant, asked) ?? Broken(client, asked)) is var (error, detail))
        {
            return Refuse(context, error, detail);
        }

        return await WhoIsAsked(client, asked, ct) switch
        {
            null => Refuse(context, "unknown_user_id", "The hint names nobody who can log in here."),
            var person when await requests.DenialsOf(person, client.Id, Pause, ct) >= MostDenials =>
                OAuthError.Of(context, "access_denied", "The person has refused this client three times; wait ten minutes.", StatusCodes.Status403Forbidden),
            var person => await Keep(context, client, asked, person, ct),
        };
    }

    private static (string Error, string Detail)? Broken(Client client, FormFields asked)
    {
        if (Hints.Count(asked.Has) != 1 || asked.Has("login_hint_token"))
        {
            return ("invalid_request", "Send exactly one of login_hint and id_token_hint.");
        }

        // What a person compares on two devices: nothing that could be dressed up.
        if (asked.Text("binding_message") is { } message && (message.Length > LongestMessage || !message.All(c => char.IsAsciiLetterOrDigit(c) || c is ' ' or (>= '\u4e00' and <= '\u9fff'))))
        {
            return ("invalid_binding_message", "binding_message has up to 64 plain letters, digits and spaces.");
        }

        if (asked.Text("requested_expiry") is { } expiry && Seconds(expiry) is null)
        {
            return ("invalid_request", "requested_expiry is 10 to 600 seconds.");
        }

        // CIBA 1.0 7.1: a bearer token of 128 bits at least and 1024 characters at most.
        return client.Metadata.BackchannelTokenDeliveryMode is "ping" && !(asked.Text("client_notification_token") is { Length: >= 16 and <= 1024 } token
            && token.TrimEnd('=').All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_' or '~' or '+' or '/'))
            ? ("invalid_request", "ping needs client_notification_token, a bearer token.") : null;
    }

    private static int? Seconds(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds is >= Shortest and <= Longest ? seconds : null;

    private async Task<string?> WhoIsAsked(Client client, FormFields asked, CancellationToken ct)
    {
        var person = asked.Text("login_hint");
        if (asked.Text("id_token_hint") is { } hint)
        {
            person = await hints.Read(hint) is { } token && token.Audiences.Contains(client.Id, StringComparer.Ordinal) ? token.Subject : null;
        }

        return person is { Length: <= 128 } && Kernel.Identifiers.PersonId.TryParse(person, out _)
            && await entitlements.Check(new EntitlementQuestion(person, null, "login"), ct) is Entitlement.Permit ? person : null;
    }

    private async Task<IResult> Keep(HttpContext context, Client client, FormFields asked, string person, CancellationToken ct)
    {
        var (id, now) = (Secret.New(), clock.GetUtcNow());
        var life = asked.Text("requested_expiry") is { } expiry ? Seconds(expiry)!.Value : Usual;
        var pings = client.Metadata.BackchannelTokenDeliveryMode is "ping";
        await requests.Keep(
            new DecoupledRequest(
                Guid.CreateVersion7(now), "ciba", client.Id, asked.Text("scope")!, asked.Text("resource") ?? client.Resources[0], context.Connection.RemoteIpAddress?.ToString() ?? "", now,
                now + TimeSpan.FromSeconds(life), DecoupledRequests.Interval, null, "pending", null, null, person, asked.Text("binding_message")),
            Secret.Hash(Purpose, id), pings ? id : null, pings ? asked.Text("client_notification_token") : null, ct);
        context.Response.Headers.CacheControl = "no-store";
        return Results.Json(new CibaBody(id, life, DecoupledRequests.Interval), IdpJson.Default.CibaBody);
    }

    private IResult Refuse(HttpContext context, string error, string detail)
    {
        strangers.Count("authorization-request-refused");
        return OAuthError.Of(context, error, detail);
    }
}

/// <summary>CIBA 1.0 7.3 answer.</summary>
public sealed record CibaBody(
    [property: JsonPropertyName("auth_req_id")] string AuthReqId, [property: JsonPropertyName("expires_in")] int ExpiresIn, [property: JsonPropertyName("interval")] int Interval);

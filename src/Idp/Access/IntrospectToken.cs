using System.Text.Json;
using Trust.Idp.Clients;
using Trust.Idp.Keys;
using Trust.Idp.Token;
using Trust.Kernel.Audit;

namespace Trust.Idp.Access;

/// <summary>
/// Token introspection (RFC 7662) for the client a token was issued to and for the resource it is meant for; signed (RFC 9701) for whoever asks by
/// <c>Accept: application/token-introspection+jwt</c>.
/// </summary>
public sealed class IntrospectToken(ClientAuthentication authentication, LiveToken tokens, Subjects subjects, SigningKeys keys, RefusalCounter strangers, IdpOptions options, TimeProvider clock)
{
    private const string Signed = "application/token-introspection+jwt";
    private static readonly string[] Copied =
    [
        "iss", "aud", "client_id", "scope", "iat", "exp", "jti", "txn", "cnf", "auth_time", "acr", "amr", "sid", "role", "acting_institution", "region", "licence", "authorization_details",
    ];

    /// <summary>Answers; the client authenticates as at the token endpoint.</summary>
    public async Task<IResult> Handle(HttpContext context, CancellationToken ct)
    {
        if (await FormFields.OfBody(context.Request, ct) is not { } form)
        {
            return OAuthError.Of(context, "invalid_request", "Send each parameter once, as application/x-www-form-urlencoded.");
        }

        if (await authentication.Authenticate(form, context.Request, ct) is not ClientOutcome.Proved { Client: { IsPublic: false } client })
        {
            strangers.Count("invalid-client");
            return OAuthError.OfClient(context, "Only a client that proves itself may ask.");
        }

        context.Response.Headers.CacheControl = "no-store";
        var live = await tokens.Judge(form.Text("token"), ct);
        // RFC 7662 2.2: for anyone else's token the answer is the same as for no token at all. That a client may ask for tokens of a resource does
        // not make it that resource.
        var mine = live is { Token: var token } && (token.GetPayloadValue<string>("client_id") == client.Id
            || (client.Role is "resource-server" && token.Audiences.Any(a => client.Resources.Contains(a, StringComparer.Ordinal)))) ? live : null;
        // The client that a token was issued to knows its person by a name of its own; the resource, which acts on the person, by the registry's.
        var subject = mine is null ? "" : mine is { Session: { } session, Token: var own } && own.GetPayloadValue<string>("client_id") == client.Id
            ? await subjects.Of(client, session.Person, ct) : mine.Token.Subject;
        if (!context.Request.Headers.Accept.ToString().Contains(Signed, StringComparison.Ordinal))
        {
            return Results.Bytes(TokenIssuer.Write(json => Write(json, mine, subject)), "application/json");
        }

        var statement = TokenIssuer.Write(json =>
        {
            // RFC 9701 5: who says so, to whom, and when; what it says stays apart, so that it can be taken for no access token.
            json.WriteString("iss", options.Issuer);
            json.WriteString("aud", client.Id);
            json.WriteNumber("iat", clock.GetUtcNow().ToUnixTimeSeconds());
            json.WriteStartObject("token_introspection");
            Write(json, mine, subject);
            json.WriteEndObject();
        });
        return Results.Text(await keys.Sign(client.Metadata.IntrospectionSignedResponseAlg, "token-introspection+jwt", statement, ct), Signed);
    }

    private static void Write(Utf8JsonWriter json, LiveAccess? live, string subject)
    {
        json.WriteBoolean("active", live is not null);
        if (live is not null)
        {
            json.WriteString("token_type", live.Token.TryGetPayloadValue<JsonElement>("cnf", out var cnf) && cnf.TryGetProperty("jkt", out _) ? "DPoP" : "Bearer");
            json.WriteString("sub", subject);
            LiveToken.Copy(json, live.Token, Copied);
        }
    }
}

using Trust.Idp.Clients;
using Trust.Idp.Token;
using Trust.Kernel.Audit;

namespace Trust.Idp.Access;

/// <summary>Token introspection (RFC 7662) for the client a token was issued to and for the resource it is meant for.</summary>
public sealed class IntrospectToken(ClientAuthentication authentication, LiveToken tokens, Subjects subjects, RefusalCounter strangers)
{
    private static readonly string[] Copied = ["iss", "aud", "client_id", "scope", "iat", "exp", "jti", "auth_time", "acr", "sid", "role", "acting_institution", "licence"];

    /// <summary>Answers; the client authenticates in the body.</summary>
    public async Task<IResult> Handle(HttpContext context, CancellationToken ct)
    {
        if (await FormFields.OfBody(context.Request, ct) is not { } form)
        {
            return OAuthError.Of(context, "invalid_request", "Send each parameter once, as application/x-www-form-urlencoded.");
        }

        if (await authentication.Authenticate(form, context.Request, ct) is not ClientOutcome.Proved { Client: { IsPublic: false } client })
        {
            strangers.Count("invalid-client");
            return OAuthError.OfClient(context, "Authenticate with private_key_jwt.");
        }

        context.Response.Headers.CacheControl = "no-store";
        var live = await tokens.Judge(form.Text("token"), ct);
        // RFC 7662 2.2: for anyone else's token the answer is the same as for no token at all. That a client may ask for tokens of a resource does
        // not make it that resource.
        var mine = live is { Token: var token } && (token.GetPayloadValue<string>("client_id") == client.Id
            || (client.Role is "resource-server" && token.Audiences.Any(a => client.Resources.Contains(a, StringComparer.Ordinal))));
        // The client that a token was issued to knows its person by a name of its own; the resource, which acts on the person, by the registry's.
        var subject = !mine ? "" : live!.Value is { Session: { } session, Token: var own } && own.GetPayloadValue<string>("client_id") == client.Id
            ? await subjects.Of(client, session.Person, ct) : live.Value.Token.Subject;
        return Results.Bytes(TokenIssuer.Write(json =>
        {
            json.WriteBoolean("active", mine);
            if (mine)
            {
                json.WriteString("token_type", "Bearer");
                json.WriteString("sub", subject);
                LiveToken.Copy(json, live!.Value.Token, Copied);
            }
        }), "application/json");
    }
}

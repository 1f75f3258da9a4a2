using Microsoft.IdentityModel.JsonWebTokens;
using Trust.Idp.Clients;
using Trust.Idp.Keys;
using Trust.Idp.Token;
using Trust.Kernel.Hosting.Senders;

namespace Trust.Idp.Access;

/// <summary>UserInfo (OpenID Connect Core §5.3): token in the header only, held to its sender, judged live; signed for a client that registered so.</summary>
public sealed class ShowUserInfo(LiveToken tokens, ClientStore clients, Subjects subjects, SigningKeys keys, IdpOptions options)
{
    private static readonly string[] Copied = ["role", "acting_institution", "licence"];

    /// <summary>Answers; the access token is the caller.</summary>
    public async Task<IResult> Handle(HttpContext context, CancellationToken ct)
    {
        var presented = Presented.Of(context);
        var live = presented is null ? null : await tokens.Judge(presented.Value.Token, ct);
        if (live is not { Session: { } session, Token: { } token } || !await tokens.IsFromItsSender(live, presented!.Value, context, ct))
        {
            return Challenge(context, presented);
        }

        var scope = token.GetPayloadValue<string>("scope");
        if (!scope.Split(' ').Contains("openid", StringComparer.Ordinal))
        {
            context.Response.Headers.WWWAuthenticate = (presented.Value.ByDpop ? "DPoP" : "Bearer") + " error=\"insufficient_scope\", scope=\"openid\"";
            return Results.StatusCode(StatusCodes.Status403Forbidden);
        }

        context.Response.Headers.CacheControl = "no-store";
        if (await clients.Find(token.GetPayloadValue<string>("client_id"), ct) is not { } client)
        {
            return Challenge(context, presented);
        }

        var subject = await subjects.Of(client, session.Person, ct);
        var signed = client.Metadata.UserinfoSignedResponseAlg;
        var body = TokenIssuer.Write(json =>
        {
            if (signed is not null)
            {
                // OpenID Connect Core 5.3.2: whoever keeps it can see whose it is and for whom.
                json.WriteString("iss", options.Issuer);
                json.WriteString("aud", client.Id);
            }

            json.WriteString("sub", subject);
            LiveToken.Copy(json, token, Copied);
            if (PersonClaims.IsAsked("name", "profile", scope, live.Claims, "userinfo"))
            {
                json.WriteString("name", session.Holder.Name);
            }
        });
        return signed is null ? Results.Bytes(body, "application/json") : Results.Text(await keys.Sign(signed, "JWT", body, ct), "application/jwt");
    }

    private static IResult Challenge(HttpContext context, Presented? presented)
    {
        var dpop = $"DPoP algs=\"{string.Join(' ', SenderConstraints.Algorithms)}\"";
        context.Response.Headers.WWWAuthenticate = presented switch
        {
            null => new Microsoft.Extensions.Primitives.StringValues(["Bearer", dpop]),
            { ByDpop: true } => dpop + ", error=\"invalid_token\"",
            _ => "Bearer error=\"invalid_token\"",
        };
        return Results.StatusCode(StatusCodes.Status401Unauthorized);
    }
}

/// <summary>An access token as a request presents it (RFC 6750 2.1, RFC 9449 7.1).</summary>
/// <param name="Token">The token.</param>
/// <param name="ByDpop">By the scheme <c>DPoP</c>.</param>
public readonly record struct Presented(string Token, bool ByDpop)
{
    /// <summary>The token in the one Authorization header; null for anything else. Names of schemes have no case (RFC 9110 11.1).</summary>
    public static Presented? Of(HttpContext context)
    {
        if ((context ?? throw new ArgumentNullException(nameof(context))).Request.Headers.Authorization is not [{ } header] || header.IndexOf(' ', StringComparison.Ordinal) is not (> 0 and var space))
        {
            return null;
        }

        return header[..space].ToLowerInvariant() switch
        {
            "bearer" => new Presented(header[space..].TrimStart(' '), false),
            "dpop" => new Presented(header[space..].TrimStart(' '), true),
            _ => null,
        };
    }
}

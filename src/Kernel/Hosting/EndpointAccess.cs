using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Trust.Kernel.Audit;
using Trust.Kernel.Residency;

namespace Trust.Kernel.Hosting;

/// <summary>Holds each request to its route's row: who may call, and how often. An endpoint without a row is closed (deny by default).</summary>
public static class EndpointAccess
{
    // The relay asks the ledger again this often, in seconds, give or take.
    private const string RetryUncompared = "5";

    private static readonly object PeerItem = new();
    private static readonly object CallerItem = new();

    extension(HttpContext context)
    {
        /// <summary>The calling service.</summary>
        /// <exception cref="InvalidOperationException">The endpoint is not restricted to peers.</exception>
        public string Peer() => context.Items[PeerItem] as string ?? throw new InvalidOperationException("The endpoint is not restricted to peers.");

        /// <summary>True when a service calls, and not the bearer of a token.</summary>
        public bool IsPeer() => context.Items[PeerItem] is string;

        /// <summary>The caller as its access token describes it.</summary>
        /// <exception cref="InvalidOperationException">The endpoint asks for no token.</exception>
        public Caller Caller() => context.Items[CallerItem] as Caller ?? throw new InvalidOperationException("The endpoint asks for no access token.");

        /// <summary>Counts the call in another class too, for a route whose work depends on what is asked.</summary>
        /// <returns>False beyond the limit: answer <see cref="CommonRefusals.TooManyRequests"/>.</returns>
        public bool MayAlso(Limit limit) => context.RequestServices.GetRequiredService<RateLimits>().Admit(context, limit);

        /// <summary>The card's certificate shown in the handshake.</summary>
        /// <exception cref="InvalidOperationException">The endpoint asks for no card.</exception>
        public X509Certificate2 Card() => context.Connection.ClientCertificate ?? throw new InvalidOperationException("The endpoint asks for no card.");
    }

    /// <summary>The caller when a token has been validated on this request.</summary>
    internal static Caller? TryCaller(HttpContext context) => context.Items[CallerItem] as Caller;

    /// <summary>Answers with a refusal, in the body that the route's protocol fixes or as problem details.</summary>
    public static Task Refuse(this HttpContext context, Refusal refusal) =>
        context.GetEndpoint()?.Metadata.GetMetadata<Route>()?.ProtocolBody is { } body ? body(context, refusal) : refusal.ExecuteAsync(context);

    /// <summary>Enforces the row of the chosen route.</summary>
    internal static async Task Enforce(HttpContext context, RequestDelegate next, Doors doors)
    {
        // Routing answers 404, 405 and 415 by endpoints of its own that are no routes.
        if (context.GetEndpoint() is not RouteEndpoint endpoint)
        {
            await next(context);
            return;
        }

        var route = endpoint.Metadata.GetMetadata<Route>();
        if (doors.Residency.Closed is { } closed && route is not { AnswersClosed: true })
        {
            await context.Refuse(CommonRefusals.PlaceRefused.With("rule", closed.Rule).With("place", closed.Place));
            return;
        }

        if (route is { AnswersUncompared: false } && doors.Head is { HeadCompared: false })
        {
            // Nobody's fault who calls: it is not counted among the refused, and costs no look into a database that may be the wrong one.
            context.Response.Headers.RetryAfter = RetryUncompared;
            await context.Refuse(CommonRefusals.HeadNotCompared);
            return;
        }

        var refusal = route is not null && doors.Residency.RefuseCaller(context.Connection.RemoteIpAddress, route.Data) is { } outside
            ? CommonRefusals.CallerOutside.With("rule", outside.Id) : await JudgeWithin(context, route, doors);
        // Services among themselves are not limited.
        if (refusal is null && !(route!.Who is Who.Bearer && context.IsPeer()) && !doors.Limits.Admit(context, route.Limit))
        {
            refusal = CommonRefusals.TooManyRequests;
        }

        // Said to whoever may ask here at all, and before anything is looked for.
        if (refusal is null && Guid.TryParse(context.GetRouteValue("id") as string, out var record) && doors.Residency.KeeperElsewhere(record) is { } keeper)
        {
            refusal = CommonRefusals.KeptBy(keeper, doors.Service);
        }

        if (refusal is null)
        {
            await next(context);
            return;
        }

        doors.Refused?.Invoke(refusal.Name);
        await context.Refuse(refusal);
    }

    private static async ValueTask<Refusal?> JudgeWithin(HttpContext context, Route? route, Doors doors)
    {
        if (route?.Who is not (Who.Bearer or Who.CardHolder) || (route.Who is Who.Bearer { Names: { Count: > 0 } peers } && IsOneOf(context, peers, doors.Identity)))
        {
            return await Judge(context, route, doors);
        }

        if (!doors.Limits.AdmitJudging(context, route.Limit))
        {
            return CommonRefusals.TooManyRequests;
        }

        var refusal = await Judge(context, route, doors);
        // What is our own fault is not counted against anyone.
        if (refusal is { Status: < StatusCodes.Status500InternalServerError })
        {
            doors.Limits.CountRefused(context, route.Limit);
        }

        return refusal;
    }

    private static async ValueTask<Refusal?> Judge(HttpContext context, Route? route, Doors doors)
    {
        switch (route?.Who)
        {
            case Who.Public:
                return null;
            case Who.Service(var names):
                return Peer(context, names, doors.Identity);
            case Who.Bearer(_, { Count: > 0 } names) when IsOneOf(context, names, doors.Identity):
                return Peer(context, names, doors.Identity);
            case Who.Bearer(var scope, _):
                return await Token(context, scope, doors.HasTokens);
            // A listener that asks for services' certificates shows one of a service here, which is no card; the token in the header says who calls.
            case Who.CardHolder { Scope: { } scope } when context.Request.Headers.Authorization.Count > 0:
                return await Token(context, scope, doors.HasTokens);
            case Who.CardHolder(_, var admit):
                return context.Connection.ClientCertificate is null ? CommonRefusals.CardRequired : await admit(context);
            default:
                return CommonRefusals.AccessNotDeclared;
        }
    }

    private static bool IsOneOf(HttpContext context, IReadOnlyList<string> peers, ServiceIdentity identity) =>
        context.Connection.ClientCertificate is { } certificate && peers.Contains(identity.PeerName(certificate), StringComparer.Ordinal);

    private static Refusal? Peer(HttpContext context, IReadOnlyList<string> peers, ServiceIdentity identity)
    {
        var name = context.Connection.ClientCertificate is { } certificate ? identity.PeerName(certificate) : null;
        if (name is null)
        {
            return CommonRefusals.PeerRequired;
        }

        if (!peers.Contains(name, StringComparer.Ordinal))
        {
            return CommonRefusals.PeerNotAllowed.With("peer", name);
        }

        context.Items[PeerItem] = name;
        return null;
    }

    private static async Task<Refusal?> Token(HttpContext context, string scope, bool hasTokens)
    {
        if (!hasTokens)
        {
            return CommonRefusals.TokensNotConfigured;
        }

        switch (await TokenValidation.Validate(context))
        {
            case TokenOutcome.Valid(var caller) when caller.Scopes.Contains(scope):
                context.Items[CallerItem] = caller;
                return null;
            case TokenOutcome.Valid:
                context.Response.Headers.WWWAuthenticate = Challenge(context, $"error=\"insufficient_scope\", scope=\"{scope}\"");
                return CommonRefusals.InsufficientScope.With("scope", scope);
            case TokenOutcome.Unavailable:
                return CommonRefusals.IssuerUnavailable;
            case TokenOutcome.Missing:
                context.Response.Headers.WWWAuthenticate = new Microsoft.Extensions.Primitives.StringValues(["Bearer", DpopChallenge]);
                return CommonRefusals.TokenMissing;
            default:
                // RFC 6750 3.1: the error code only; why a token failed helps whoever forged it.
                context.Response.Headers.WWWAuthenticate = Challenge(context, "error=\"invalid_token\"");
                return CommonRefusals.TokenInvalid;
        }
    }

    // RFC 9449 7.1: told by the scheme that it came with.
    private static string Challenge(HttpContext context, string error) =>
        context.Request.Headers.Authorization is [{ } header] && PresentedToken.Is(header.Split(' ')[0], "DPoP") ? $"{DpopChallenge}, {error}" : "Bearer " + error;

    private static readonly string DpopChallenge = $"DPoP algs=\"{string.Join(' ', Senders.SenderConstraints.Algorithms)}\"";
}

/// <summary>What the doors of a service judge with.</summary>
/// <param name="Identity">Knows peers by their certificates.</param>
/// <param name="HasTokens">Whether an issuer of access tokens is configured.</param>
/// <param name="Limits">Counts calls.</param>
/// <param name="Refused">Told each refusal's name.</param>
/// <param name="Head">Whether the database's head was compared with the ledger's; null for a service without outbox.</param>
/// <param name="Residency">Knows whether the service is closed, where callers are, and where records are kept.</param>
/// <param name="Service">Name of the service.</param>
internal sealed record Doors(ServiceIdentity Identity, bool HasTokens, RateLimits Limits, Action<string>? Refused, OutboxState? Head, ResidencyGate Residency, string Service);

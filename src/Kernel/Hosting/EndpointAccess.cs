using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Trust.Kernel.Hosting;

/// <summary>Who may call an endpoint. An endpoint that says nothing is closed (deny by default).</summary>
public static class EndpointAccess
{
    private static readonly object PeerItem = new();
    private static readonly object CallerItem = new();

    /// <summary>Only these services, by mutual TLS.</summary>
    public static TBuilder RequirePeer<TBuilder>(this TBuilder builder, params string[] peers) where TBuilder : IEndpointConventionBuilder =>
        builder.WithMetadata(new AccessRule(peers, null, Card: false));

    /// <summary>Only callers whose access token carries this scope.</summary>
    public static TBuilder RequireScope<TBuilder>(this TBuilder builder, string scope) where TBuilder : IEndpointConventionBuilder =>
        builder.WithMetadata(new AccessRule([], scope, Card: false));

    /// <summary>Only callers whose access token carries this scope, or these services by mutual TLS.</summary>
    public static TBuilder RequireScopeOrPeer<TBuilder>(this TBuilder builder, string scope, params string[] peers) where TBuilder : IEndpointConventionBuilder =>
        builder.WithMetadata(new AccessRule(peers, scope, Card: false));

    /// <summary>Only connections on which a card's certificate was shown; the service judges the certificate.</summary>
    public static TBuilder RequireCard<TBuilder>(this TBuilder builder) where TBuilder : IEndpointConventionBuilder =>
        builder.WithMetadata(new AccessRule([], null, Card: true));

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

        /// <summary>The card's certificate shown in the handshake.</summary>
        /// <exception cref="InvalidOperationException">The endpoint asks for no card.</exception>
        public X509Certificate2 Card() => context.Connection.ClientCertificate ?? throw new InvalidOperationException("The endpoint asks for no card.");
    }

    /// <summary>The caller when a token has been validated on this request.</summary>
    internal static Caller? TryCaller(HttpContext context) => context.Items[CallerItem] as Caller;

    /// <summary>Enforces the rule of the chosen endpoint.</summary>
    internal static async Task Enforce(HttpContext context, RequestDelegate next, ServiceIdentity identity, AccessTokens? tokens, ProblemSet problems, Action<string>? refused)
    {
        var endpoint = context.GetEndpoint();
        if (endpoint is null || endpoint.Metadata.GetMetadata<IAllowAnonymous>() is not null)
        {
            await next(context);
            return;
        }

        var refusal = endpoint.Metadata.GetMetadata<AccessRule>() switch
        {
            null => problems.Of("access-not-declared", 403, "This endpoint declares no caller and is closed."),
            { Card: true } when context.Connection.ClientCertificate is null => problems.Of("card-required", 401, "Insert your card and call again: no client certificate was shown in the handshake."),
            { Card: true } => null,
            { Scope: not null, Peers: [_, ..] peers } when IsOneOf(context, peers, identity) => Peer(context, peers, identity, problems),
            { Scope: { } scope } => await Token(context, scope, tokens, problems),
            { Peers: var peers } => Peer(context, peers, identity, problems),
        };
        if (refusal is null)
        {
            await next(context);
            return;
        }

        refused?.Invoke(refusal.ProblemDetails.Title ?? "refused");
        await refusal.ExecuteAsync(context);
    }

    private static bool IsOneOf(HttpContext context, string[] peers, ServiceIdentity identity) =>
        context.Connection.ClientCertificate is { } certificate && peers.Contains(identity.PeerName(certificate), StringComparer.Ordinal);

    private static Microsoft.AspNetCore.Http.HttpResults.ProblemHttpResult? Peer(HttpContext context, string[] peers, ServiceIdentity identity, ProblemSet problems)
    {
        var name = context.Connection.ClientCertificate is { } certificate ? identity.PeerName(certificate) : null;
        if (name is null)
        {
            return problems.Of("peer-required", 401, "Only services may call this, with their service certificate.");
        }

        if (!peers.Contains(name, StringComparer.Ordinal))
        {
            return problems.Of("peer-not-allowed", 403, $"The service {name} may not call this.");
        }

        context.Items[PeerItem] = name;
        return null;
    }

    private static async Task<Microsoft.AspNetCore.Http.HttpResults.ProblemHttpResult?> Token(HttpContext context, string scope, AccessTokens? tokens, ProblemSet problems)
    {
        if (tokens is null)
        {
            return problems.Of("tokens-not-configured", 503, "This service has no token issuer configured.");
        }

        switch (await tokens.Validate(context))
        {
            case TokenOutcome.Valid(var caller) when caller.Scopes.Contains(scope):
                context.Items[CallerItem] = caller;
                return null;
            case TokenOutcome.Valid:
                context.Response.Headers.WWWAuthenticate = $"Bearer error=\"insufficient_scope\", scope=\"{scope}\"";
                return problems.Of("insufficient-scope", 403, $"The access token lacks the scope {scope}.");
            case TokenOutcome.Unavailable:
                return problems.Of("issuer-unavailable", 503, "The token issuer's keys cannot be read; try again.");
            case TokenOutcome.Invalid(var reason):
                // RFC 6750 3.1: the error code only; why a token failed helps whoever forged it.
                context.Response.Headers.WWWAuthenticate = reason is "missing" ? "Bearer" : "Bearer error=\"invalid_token\"";
                return problems.Of("invalid-token", 401, reason is "missing" ? "Send an access token in the Authorization header." : "The access token is not valid here; get a new one.");
            default:
                return problems.Of("invalid-token", 401, "The access token is not valid here; get a new one.");
        }
    }

    private sealed record AccessRule(string[] Peers, string? Scope, bool Card);
}

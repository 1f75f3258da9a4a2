using Microsoft.AspNetCore.Builder;

namespace Trust.Kernel.Hosting;

/// <summary>Gives an endpoint that its own file maps the row that the doors judge by.</summary>
public static class EndpointConventions
{
    /// <summary>Only these services, by mutual TLS.</summary>
    public static TBuilder RequirePeer<TBuilder>(this TBuilder builder, params string[] peers) where TBuilder : IEndpointConventionBuilder => builder.Row(Who.Peers(peers));

    /// <summary>Only callers whose access token carries this scope.</summary>
    public static TBuilder RequireScope<TBuilder>(this TBuilder builder, string scope) where TBuilder : IEndpointConventionBuilder => builder.Row(Who.Token(scope));

    /// <summary>Only callers whose access token carries this scope, or these services by mutual TLS.</summary>
    public static TBuilder RequireScopeOrPeer<TBuilder>(this TBuilder builder, string scope, params string[] peers) where TBuilder : IEndpointConventionBuilder =>
        builder.Row(Who.TokenOrPeers(scope, peers));

    /// <summary>Only connections on which a card's certificate was shown; the service judges the certificate.</summary>
    public static TBuilder RequireCard<TBuilder>(this TBuilder builder) where TBuilder : IEndpointConventionBuilder =>
        builder.Row(Who.Card("person", _ => ValueTask.FromResult<Refusal?>(null)));

    /// <summary>Makes the Idempotency-Key compulsory on this endpoint, and keeps its answers.</summary>
    public static TBuilder Idempotent<TBuilder>(this TBuilder builder) where TBuilder : IEndpointConventionBuilder => builder.Keeping(Repeats.FirstAnswer);

    /// <summary>Makes the Idempotency-Key compulsory on an endpoint whose own row carries the key and all of its answer.</summary>
    public static TBuilder IdempotentByItsRow<TBuilder>(this TBuilder builder) where TBuilder : IEndpointConventionBuilder => builder.Keeping(Repeats.FirstRow);

    private static TBuilder Row<TBuilder>(this TBuilder builder, Who who) where TBuilder : IEndpointConventionBuilder =>
        builder.WithMetadata(new Route("", "", who, Limit.None, "", null));

    private static TBuilder Keeping<TBuilder>(this TBuilder builder, Repeats repeats) where TBuilder : IEndpointConventionBuilder
    {
        builder.Add(endpoint => endpoint.Metadata.Add(endpoint.Metadata.OfType<Route>().Last() with { Repeats = repeats }));
        return builder;
    }
}

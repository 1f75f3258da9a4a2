using Microsoft.AspNetCore.Http;

namespace Trust.Kernel.Hosting;

/// <summary>Who may call a route. The set is closed; a route without one is closed to everyone.</summary>
public abstract record Who
{
    private Who()
    {
    }

    /// <summary>Anyone; what is asked for is public, or the request itself carries the proof (a signature, a client assertion).</summary>
    public static Who Anyone { get; } = new Public();

    /// <summary>These services, by mutual TLS.</summary>
    public static Who Peers(params IReadOnlyList<string> names) => new Service(names);

    /// <summary>Bearers of an access token with this scope.</summary>
    public static Who Token(string scope) => new Bearer(scope, []);

    /// <summary>Bearers of an access token with this scope, or these services by mutual TLS.</summary>
    public static Who TokenOrPeers(string scope, params IReadOnlyList<string> names) => new Bearer(scope, names);

    /// <summary>Holders of a card of one kind.</summary>
    /// <param name="holder">Kind of holder, for the table and the document, for example <c>officer</c>.</param>
    /// <param name="admit">Judges the card of the connection before the body is read: null admits.</param>
    public static Who Card(string holder, Func<HttpContext, ValueTask<Refusal?>> admit) => new CardHolder(holder, admit);

    /// <summary>Holders of a card of one kind, or bearers of an access token with this scope.</summary>
    /// <param name="holder">Kind of holder.</param>
    /// <param name="admit">Judges the card.</param>
    /// <param name="scope">Scope the token must carry.</param>
    public static Who CardOrToken(string holder, Func<HttpContext, ValueTask<Refusal?>> admit, string scope) => new CardHolder(holder, admit) { Scope = scope };

    /// <summary>Anyone.</summary>
    public sealed record Public : Who
    {
        /// <inheritdoc/>
        public override string ToString() => "anyone";
    }

    /// <summary>Services.</summary>
    /// <param name="Names">Peer names.</param>
    public sealed record Service(IReadOnlyList<string> Names) : Who
    {
        /// <inheritdoc/>
        public override string ToString() => Names.Count == 0 ? "no one" : "service " + string.Join(", ", Names);
    }

    /// <summary>Bearers of a token, or services.</summary>
    /// <param name="Scope">Scope the token must carry.</param>
    /// <param name="Names">Peer names that need no token.</param>
    public sealed record Bearer(string Scope, IReadOnlyList<string> Names) : Who
    {
        /// <inheritdoc/>
        public override string ToString() => $"token with scope {Scope}" + (Names.Count > 0 ? ", or service " + string.Join(", ", Names) : "");
    }

    /// <summary>Card holders.</summary>
    /// <param name="Holder">Kind of holder.</param>
    /// <param name="Admit">Judges the card.</param>
    public sealed record CardHolder(string Holder, Func<HttpContext, ValueTask<Refusal?>> Admit) : Who
    {
        /// <summary>Scope of an access token that does instead; null when only a card does.</summary>
        public string? Scope { get; init; }

        /// <inheritdoc/>
        public override string ToString() => "card of a " + Holder + (Scope is null ? "" : ", or token with scope " + Scope);
    }
}

using Trust.Idp.Sessions;

namespace Trust.Idp.Login;

/// <summary>Authentication contexts (<c>acr</c>, OpenID Connect Core 2): how sure a login is.</summary>
public static class AuthenticationContext
{
    /// <summary>A card, its certificate and its holder found good by the registry at that moment.</summary>
    public const string Card = "urn:trust:acr:card";

    /// <summary>A card while the registry's answers were away: judged by a revocation list in force and by a change feed that was alive.</summary>
    public const string CardDegraded = "urn:trust:acr:card-degraded";

    /// <summary>Those that a login here may have, best first.</summary>
    public static IReadOnlyList<string> Offered { get; } = [Card, CardDegraded];

    /// <summary>The context of a session's login.</summary>
    public static string Of(Session session) => (session ?? throw new ArgumentNullException(nameof(session))).Acr;
}

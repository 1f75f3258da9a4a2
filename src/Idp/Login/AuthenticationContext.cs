using Trust.Idp.Sessions;

namespace Trust.Idp.Login;

/// <summary>Authentication contexts (<c>acr</c>, OpenID Connect Core 2): how sure a login is.</summary>
public static class AuthenticationContext
{
    /// <summary>A card, its certificate and its holder found good by the registry at that moment.</summary>
    public const string Card = "urn:trust:acr:card";

    /// <summary>Those that a login here may have.</summary>
    public static IReadOnlyList<string> Offered { get; } = [Card];

    /// <summary>The context of a session's login.</summary>
    public static string Of(Session session) => (session ?? throw new ArgumentNullException(nameof(session))).Acr;
}

using Trust.Idp.Sessions;

namespace Trust.Idp.Login;

/// <summary>Authentication contexts (<c>acr</c>, OpenID Connect Core 2): how sure a login is.</summary>
internal static class AuthenticationContext
{
    /// <summary>A card, its status known.</summary>
    public const string Card = "urn:trust:acr:card";

    /// <summary>Those that a login here may have.</summary>
    public static readonly IReadOnlyList<string> Offered = [Card];

    /// <summary>The context of a session's login.</summary>
    public static string Of(Session session)
    {
        _ = session;
        return Card;
    }
}

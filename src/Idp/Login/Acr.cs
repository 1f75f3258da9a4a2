namespace Trust.Idp.Login;

/// <summary>Authentication contexts that the provider vouches for.</summary>
public static class Acr
{
    /// <summary>A card, its certificate and its holder found good by the registry at that moment.</summary>
    public const string Card = "urn:trust:acr:card";

    /// <summary>A card while the registry's answers were away: judged by a revocation list in force and by a change feed that was alive.</summary>
    public const string CardDegraded = "urn:trust:acr:card-degraded";

    /// <summary>Best first.</summary>
    public static IReadOnlyList<string> All { get; } = [Card, CardDegraded];
}

/// <summary>A card that was accepted.</summary>
/// <param name="Holder">Who holds it.</param>
/// <param name="Certificate">SHA-256 hex of its authentication certificate.</param>
/// <param name="Acr">How well it could be checked.</param>
public sealed record ProvenCard(CardHolder Holder, string Certificate, string Acr);

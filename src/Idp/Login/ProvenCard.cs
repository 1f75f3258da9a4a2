namespace Trust.Idp.Login;

/// <summary>A card that was accepted.</summary>
/// <param name="Holder">Who holds it.</param>
/// <param name="Certificate">SHA-256 hex of its authentication certificate.</param>
/// <param name="Acr">How well it could be checked (<see cref="AuthenticationContext"/>).</param>
public sealed record ProvenCard(CardHolder Holder, string Certificate, string Acr);

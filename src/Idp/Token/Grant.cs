using Trust.Idp.Clients;

namespace Trust.Idp.Token;

/// <summary>What a person's login gives a client: everything that tokens are made of, whichever grant brought it.</summary>
/// <param name="Client">To whom.</param>
/// <param name="Practitioner">For whom it may act.</param>
/// <param name="Scope">Space separated; already without what the registry would refuse now.</param>
/// <param name="Resource">Audience of the access token (RFC 8707).</param>
/// <param name="Sender">What the tokens are bound to.</param>
public sealed record Grant(Client Client, Practitioner Practitioner, string Scope, string Resource, SenderBinding Sender)
{
    /// <summary>Goes into the ID token.</summary>
    public string? Nonce { get; init; }

    /// <summary>The claims parameter of the request (OpenID Connect Core 5.5), JSON.</summary>
    public string? Claims { get; init; }

    /// <summary>RFC 9396, JSON array.</summary>
    public string? AuthorizationDetails { get; init; }

    /// <summary>The code that brings the tokens: sent twice, it takes them with it.</summary>
    public byte[]? CodeHash { get; init; }

    /// <summary>The refresh family that the tokens belong to; null when none is begun or continued.</summary>
    public Guid? Family { get; init; }

    /// <summary>The client that the exchanged token was issued to (RFC 8693 4.1); null for other grants.</summary>
    public string? ActsFor { get; init; }

    /// <summary>When the access token ends at the latest; null for its own life.</summary>
    public DateTimeOffset? NotAfter { get; init; }

    /// <summary>Reason code of the event; null for a first issue.</summary>
    public string? Reason { get; init; }
}

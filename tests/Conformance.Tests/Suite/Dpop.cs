using System.Text.Json.Nodes;

namespace Trust.Conformance.Tests.Suite;

/// <summary>Proofs of possession (RFC 9449).</summary>
internal sealed class Dpop
{
    public SigningKey Key { get; } = SigningKey.Ec("dpop");

    /// <summary>RFC 7638 thumbprint, the value of <c>dpop_jkt</c>.</summary>
    public string Thumbprint => Key.Thumbprint();

    /// <summary>A proof for one request.</summary>
    /// <param name="method">HTTP method.</param>
    /// <param name="url">Address, as called.</param>
    /// <param name="accessToken">The token it goes with, or null.</param>
    /// <param name="nonce">The provider's nonce, or null.</param>
    /// <param name="change">Changes header and payload before they are signed.</param>
    public string Proof(string method, string url, string? accessToken = null, string? nonce = null, Action<JsonObject, JsonObject>? change = null)
    {
        var header = new JsonObject { ["typ"] = "dpop+jwt", ["alg"] = "ES256", ["jwk"] = Key.Thumbprinted() };
        var payload = new JsonObject { ["jti"] = Jwt.Random(), ["htm"] = method, ["htu"] = url, ["iat"] = Jwt.Now };
        if (accessToken is not null)
        {
            payload["ath"] = Jwt.S256(accessToken);
        }

        if (nonce is not null)
        {
            payload["nonce"] = nonce;
        }

        change?.Invoke(header, payload);
        return Jwt.Sign(header, payload, Key);
    }
}

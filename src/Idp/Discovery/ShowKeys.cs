using Trust.Idp.Keys;
using Trust.Idp.Token;

namespace Trust.Idp.Discovery;

/// <summary>The JWKS (RFC 7517): the keys that verify now, and the next one ahead of its use.</summary>
public sealed class ShowKeys(SigningKeys keys)
{
    /// <summary>Answers from memory.</summary>
    public IResult Handle(HttpContext context)
    {
        context.Response.Headers.CacheControl = "public, max-age=300";
        return Results.Bytes(TokenIssuer.Write(json =>
        {
            json.WriteStartArray("keys");
            foreach (var key in keys.Published)
            {
                json.WriteStartObject();
                json.WriteString("kty", "EC");
                json.WriteString("crv", "P-256");
                json.WriteString("use", "sig");
                json.WriteString("alg", "ES256");
                json.WriteString("kid", key.Kid);
                json.WriteString("x", key.X);
                json.WriteString("y", key.Y);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }), "application/json");
    }
}

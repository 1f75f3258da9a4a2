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
                key.Public.Write(json, key.Kid);
            }

            json.WriteEndArray();
        }), "application/json");
    }
}

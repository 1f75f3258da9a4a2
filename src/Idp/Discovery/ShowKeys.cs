using Trust.Idp.Keys;
using Trust.Idp.Token;

namespace Trust.Idp.Discovery;

/// <summary>The JWKS (RFC 7517): the keys that verify now, and the next one ahead of its use.</summary>
public sealed class ShowKeys(SigningKeys keys)
{
    /// <summary>Answers from what is known for at most two seconds: a key that another instance signs with must be found here too.</summary>
    public async Task<IResult> Handle(HttpContext context, CancellationToken ct)
    {
        var published = await keys.Current(ct);
        context.Response.Headers.CacheControl = "public, max-age=300";
        return Results.Bytes(TokenIssuer.Write(json =>
        {
            json.WriteStartArray("keys");
            foreach (var key in published)
            {
                key.Public.Write(json, key.Kid, key.Algorithm);
            }

            json.WriteEndArray();
        }), "application/json");
    }
}

using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Trust.TestKit;

/// <summary>The identity provider as a resource server sees it: its key set, and access tokens with the claims that it writes (<c>TokenIssuer</c>).</summary>
/// <param name="issuer">Its name.</param>
public sealed class IssuerStandIn(string issuer) : IDisposable
{
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    /// <summary>A system's token, by client credentials.</summary>
    public string OfSystem(string client, string scope, string audience, string role, string? institution, string region) =>
        Sign(Registered(client, client, scope, audience), role, institution, region);

    /// <summary>A practitioner's token, after a login by card.</summary>
    public string OfPerson(string person, string client, string scope, string audience, string role, string institution, string region)
    {
        var claims = Registered(person, client, scope, audience);
        claims["auth_time"] = claims["iat"]!.DeepClone();
        claims["acr"] = "urn:trust:acr:card";
        claims["amr"] = new JsonArray("hwk", "pin");
        claims["sid"] = Guid.NewGuid().ToString();
        claims["login_certificate"] = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(person)));
        return Sign(claims, role, institution, region);
    }

    /// <summary>Adds its path.</summary>
    public void Map(WebApplication app) => app.MapGet("/jwks", () =>
    {
        var key = _key.ExportParameters(false);
        return Results.Text(new JsonObject
        {
            ["keys"] = new JsonArray(new JsonObject
            {
                ["kty"] = "EC", ["crv"] = "P-256", ["kid"] = "k1", ["use"] = "sig", ["alg"] = "ES256",
                ["x"] = Base64Url.EncodeToString(key.Q.X), ["y"] = Base64Url.EncodeToString(key.Q.Y),
            }),
        }.ToJsonString(), "application/json");
    });

    /// <inheritdoc/>
    public void Dispose() => _key.Dispose();

    private JsonObject Registered(string subject, string client, string scope, string audience)
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        return new JsonObject
        {
            ["iss"] = issuer, ["sub"] = subject, ["aud"] = audience, ["iat"] = now, ["exp"] = now + 300, ["jti"] = Guid.NewGuid().ToString("N"),
            ["client_id"] = client, ["scope"] = scope,
        };
    }

    private string Sign(JsonObject claims, string role, string? institution, string region)
    {
        (claims["role"], claims["region"]) = (role, region);
        if (institution is not null)
        {
            claims["acting_institution"] = institution;
        }

        const string header = """{"alg":"ES256","typ":"at+jwt","kid":"k1"}""";
        var signed = Base64Url.EncodeToString(Encoding.UTF8.GetBytes(header)) + "." + Base64Url.EncodeToString(Encoding.UTF8.GetBytes(claims.ToJsonString()));
        return signed + "." + Base64Url.EncodeToString(_key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256));
    }
}

using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Trust.Conformance.Tests.Suite;

/// <summary>Tokens that were issued, judged.</summary>
internal sealed record Granted(string AccessToken, string? IdToken, string? RefreshToken, JsonObject Body)
{
    /// <summary>Claims of the ID token.</summary>
    public JsonObject Claims => Jwt.Payload(IdToken ?? throw new Xunit.Sdk.XunitException("There is no ID token."));

    public string Subject => Claims["sub"]!.GetValue<string>();

    public long? AuthTime => Claims["auth_time"]?.GetValue<long>();

    /// <summary>Judges an answer of the token endpoint.</summary>
    public static async Task<Granted> Of(RelyingParty client, Answer answer, string? nonce, bool openId = true)
    {
        answer.Succeeded();
        // RFC 6749 5.1.
        Assert.True(answer.Headers.CacheControl?.NoStore, "the token answer may be cached");
        var (access, type) = (answer.Text("access_token"), answer.Text("token_type"));
        Assert.False(string.IsNullOrEmpty(access));
        Assert.Equal(client.IsDpop ? "DPoP" : "Bearer", type, ignoreCase: true);
        Assert.True(answer.Json["expires_in"] is null || answer.Json["expires_in"]!.GetValue<int>() > 0);
        var id = answer.Text("id_token");
        if (openId)
        {
            Assert.NotNull(id);
            await JudgeIdToken(client, id, access!, nonce);
        }

        return new Granted(access!, id, answer.Text("refresh_token"), answer.Json);
    }

    // OpenID Connect Core 3.1.3.7, by Microsoft.IdentityModel and what it does not look at.
    private static async Task JudgeIdToken(RelyingParty client, string idToken, string access, string? nonce)
    {
        var (header, claims) = (Jwt.Header(idToken), Jwt.Payload(idToken));
        var keys = await client.Provider.Keys();
        var alg = client.Text("id_token_signed_response_alg", "ES256");
        Assert.Equal(alg, header["alg"]?.GetValue<string>());
        Assert.Contains(header["kid"]?.GetValue<string>(), keys.Keys.Select(k => k.Kid));
        var result = await new JsonWebTokenHandler { MapInboundClaims = false }.ValidateTokenAsync(idToken, new TokenValidationParameters
        {
            ValidIssuer = client.Provider.Issuer, ValidAudience = client.Id, IssuerSigningKeys = keys.GetSigningKeys(), ValidAlgorithms = [alg], ClockSkew = TimeSpan.FromSeconds(5),
        });
        Assert.True(result.IsValid, "ID token: " + result.Exception?.Message);
        Assert.InRange(claims["iat"]!.GetValue<long>(), Jwt.Now - 300, Jwt.Now + 5);
        Assert.True(claims["sub"]!.GetValue<string>() is { Length: > 0 and <= 255 } sub && sub.All(char.IsAscii), "sub");
        Assert.Equal(nonce, claims["nonce"]?.GetValue<string>());
        if (claims["at_hash"] is { } hash)
        {
            Assert.Equal(Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(access)).AsSpan(0, 16)), hash.GetValue<string>());
        }

        Assert.True(claims["azp"] is null || claims["azp"]!.GetValue<string>() == client.Id, "azp");
    }
}

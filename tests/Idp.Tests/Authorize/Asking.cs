using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Trust.Idp.Clients;

namespace Trust.Idp.Tests.Authorize;

/// <summary>A client that asks: its registration and its signatures.</summary>
internal sealed class Asking : IDisposable
{
    public const string Issuer = "https://idp.example";
    public const string Redirect = "https://his.example/cb";
    public static readonly DateTimeOffset Now = new(2026, 11, 30, 8, 0, 0, TimeSpan.Zero);
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly RSA _rsa = RSA.Create(2048);

    public static IdpOptions Options { get; } = new() { Issuer = Issuer, CardUrl = "https://card.example" };

    public Client Client(string profile = "fapi2", string? alg = null, params string[] types)
    {
        var point = _key.ExportParameters(includePrivateParameters: false).Q;
        var rsa = _rsa.ExportParameters(includePrivateParameters: false);
        var jwks = new JsonObject
        {
            ["keys"] = new JsonArray(
                new JsonObject { ["kty"] = "EC", ["crv"] = "P-256", ["kid"] = "k1", ["x"] = Base64Url.EncodeToString(point.X), ["y"] = Base64Url.EncodeToString(point.Y) },
                new JsonObject { ["kty"] = "RSA", ["kid"] = "k2", ["n"] = Base64Url.EncodeToString(rsa.Modulus), ["e"] = Base64Url.EncodeToString(rsa.Exponent) }),
        };
        return new Client("his", "医院", "Hospital", false, profile, [Redirect], [], ["authorization_code"], ["openid", "rx.sign"], ["https://sign.example"], jwks.ToJsonString(), null, null, "510000")
        {
            Metadata = new ClientMetadata { RequestObjectSigningAlg = alg, AuthorizationDetailsTypes = types },
        };
    }

    /// <summary>The members of a request object that keeps every rule.</summary>
    public static JsonObject Claims() => new()
    {
        ["iss"] = "his", ["aud"] = Issuer, ["nbf"] = Now.ToUnixTimeSeconds(), ["exp"] = Now.ToUnixTimeSeconds() + 300, ["client_id"] = "his", ["response_type"] = "code", ["redirect_uri"] = Redirect,
        ["scope"] = "openid", ["state"] = "s-1", ["nonce"] = "n-1", ["code_challenge"] = new string('c', 43), ["code_challenge_method"] = "S256",
    };

    public string Sign(JsonObject claims, string alg = "ES256", string header = "") => Sign(claims.ToJsonString(), alg, header);

    /// <summary>A JWS over any text.</summary>
    public string Sign(string payload, string alg = "ES256", string header = "")
    {
        var kid = alg is "ES256" ? "k1" : "k2";
        var input = Encode($$"""{"alg":"{{alg}}","kid":"{{kid}}"{{header}}}""") + "." + Encode(payload);
        var bytes = Encoding.ASCII.GetBytes(input);
        return input + "." + Base64Url.EncodeToString(alg switch
        {
            "ES256" => _key.SignData(bytes, HashAlgorithmName.SHA256),
            "PS256" => _rsa.SignData(bytes, HashAlgorithmName.SHA256, RSASignaturePadding.Pss),
            "RS256" => _rsa.SignData(bytes, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1),
            // Algorithm confusion: the public key as the secret.
            "HS256" => HMACSHA256.HashData(_key.ExportSubjectPublicKeyInfo(), bytes),
            _ => [],
        });
    }

    public void Dispose()
    {
        _key.Dispose();
        _rsa.Dispose();
    }

    private static string Encode(string text) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));
}

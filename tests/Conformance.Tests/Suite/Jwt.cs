using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Trust.Conformance.Tests.Suite;

/// <summary>JWTs as the relying party writes them, wrong ones too, and as it takes them apart.</summary>
internal static class Jwt
{
    public static long Now => TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();

    public static string Random(int bytes = 16) => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(bytes));

    public static string S256(string text) => Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(text)));

    /// <summary>Signs, by the algorithm that the header names.</summary>
    public static string Sign(JsonObject header, JsonObject payload, SigningKey key)
    {
        var input = Part(header) + "." + Part(payload);
        var alg = header["alg"]?.GetValue<string>() ?? key.Alg;
        return input + "." + Base64Url.EncodeToString(key.Sign(Encoding.ASCII.GetBytes(input), alg));
    }

    /// <summary>The same token with another signature.</summary>
    public static string Broken(string jwt)
    {
        var parts = jwt.Split('.');
        var signature = Base64Url.DecodeFromChars(parts[2]);
        signature[^1] ^= 0x5a;
        return parts[0] + "." + parts[1] + "." + Base64Url.EncodeToString(signature);
    }

    /// <summary>The same claims behind <c>alg</c> <c>none</c>.</summary>
    public static string Unsigned(string jwt)
    {
        var header = Header(jwt);
        header["alg"] = "none";
        header.Remove("kid");
        return Part(header) + "." + jwt.Split('.')[1] + ".";
    }

    public static JsonObject Header(string jwt) => Read(jwt, 0);

    public static JsonObject Payload(string jwt) => Read(jwt, 1);

    private static JsonObject Read(string jwt, int part)
    {
        var parts = jwt.Split('.');
        Assert.True(parts.Length == 3, "no JWT of three parts: " + jwt);
        return JsonNode.Parse(Base64Url.DecodeFromChars(parts[part]))!.AsObject();
    }

    private static string Part(JsonObject json) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json.ToJsonString()));
}

using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Trust.Kernel.Tests.Hosting;

/// <summary>Issues access tokens, good and bad, and serves the keys that check them.</summary>
internal sealed class TestIssuer : IAsyncDisposable
{
    public const string Issuer = "https://idp.example";
    public const string Audience = "https://test.example";

    private readonly WebApplication _app;
    private readonly RSA _rsa = RSA.Create(2048);
    private readonly List<(string Kid, ECDsa Key)> _keys = [("k1", ECDsa.Create(ECCurve.NamedCurves.nistP256))];
    private int _asked;

    private TestIssuer(WebApplication app) => _app = app;

    public Uri Address => new(_app.Urls.First());

    /// <summary>How often its keys were asked for.</summary>
    public int Asked => Volatile.Read(ref _asked);

    /// <summary>Held back until this completes.</summary>
    public Task Gate { get; set; } = Task.CompletedTask;

    /// <summary>Answers 500 instead.</summary>
    public bool Fails { get; set; }

    /// <summary>What it says instead of its keys, and as which type.</summary>
    public (string Body, string Type)? Says { get; set; }

    /// <summary>Configuration sections of a service that trusts it.</summary>
    public Dictionary<string, JsonNode?> Sections => new(StringComparer.Ordinal)
    {
        ["Peers"] = new JsonArray(new JsonObject { ["Name"] = "idp", ["Address"] = Address.ToString(), ["Region"] = "510000" }),
        ["Tokens"] = new JsonObject { ["Issuer"] = Issuer, ["Audience"] = Audience },
    };

    public static async Task<TestIssuer> Start()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var issuer = new TestIssuer(builder.Build());
        issuer._app.MapGet("/jwks", issuer.Jwks);
        await issuer._app.StartAsync();
        return issuer;
    }

    /// <summary>From now on a new key signs, and is published.</summary>
    public void Rotate(string kid) => _keys.Add((kid, ECDsa.Create(ECCurve.NamedCurves.nistP256)));

    /// <summary>The claims of a good token.</summary>
    public static JsonObject Claims(DateTimeOffset now) => new()
    {
        ["iss"] = Issuer, ["sub"] = "urn:mdid:p:01H", ["aud"] = Audience, ["client_id"] = "console", ["scope"] = "read write",
        ["iat"] = now.ToUnixTimeSeconds(), ["exp"] = now.ToUnixTimeSeconds() + 300, ["jti"] = Guid.NewGuid().ToString(), ["role"] = "physician",
    };

    /// <summary>Signed by the newest key.</summary>
    public string Token(JsonObject? claims = null, string? header = null) =>
        Raw(header ?? $$"""{"alg":"ES256","typ":"at+jwt","kid":"{{_keys[^1].Kid}}"}""", (claims ?? Claims(DateTimeOffset.UtcNow)).ToJsonString());

    /// <summary>Any header and payload, signed by the newest key.</summary>
    public string Raw(string header, string payload)
    {
        var signed = Base64Url.EncodeToString(Encoding.UTF8.GetBytes(header)) + "." + Base64Url.EncodeToString(Encoding.UTF8.GetBytes(payload));
        return signed + "." + Base64Url.EncodeToString(_keys[^1].Key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256));
    }

    /// <summary>Signed by the RSA key.</summary>
    public string RsaToken(DateTimeOffset now, string algorithm, RSASignaturePadding padding)
    {
        var signed = Base64Url.EncodeToString(Encoding.UTF8.GetBytes($$"""{"alg":"{{algorithm}}","typ":"at+jwt","kid":"r1"}""")) + "."
            + Base64Url.EncodeToString(Encoding.UTF8.GetBytes(Claims(now).ToJsonString()));
        return signed + "." + Base64Url.EncodeToString(_rsa.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256, padding));
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        _keys.ForEach(k => k.Key.Dispose());
        _rsa.Dispose();
    }

    private async Task<IResult> Jwks()
    {
        Interlocked.Increment(ref _asked);
        await Gate;
        if (Fails)
        {
            return Results.StatusCode(500);
        }

        if (Says is var (body, type))
        {
            return Results.Bytes(Encoding.UTF8.GetBytes(body), type);
        }

        var rsa = _rsa.ExportParameters(false);
        var keys = new JsonArray([.. _keys.Select(k =>
        {
            var q = k.Key.ExportParameters(false).Q;
            return (JsonNode)new JsonObject { ["kty"] = "EC", ["crv"] = "P-256", ["kid"] = k.Kid, ["x"] = Base64Url.EncodeToString(q.X), ["y"] = Base64Url.EncodeToString(q.Y) };
        })])
        {
            new JsonObject { ["kty"] = "RSA", ["kid"] = "r1", ["n"] = Base64Url.EncodeToString(rsa.Modulus), ["e"] = Base64Url.EncodeToString(rsa.Exponent) },
        };
        return Results.Text(new JsonObject { ["keys"] = keys }.ToJsonString(), "application/json");
    }
}

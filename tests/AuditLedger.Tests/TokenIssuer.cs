using System.Buffers.Text;
using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Trust.AuditLedger.Tests;

/// <summary>Issues access tokens as the identity provider does, and serves the key that checks them.</summary>
public sealed class TokenIssuer : IAsyncDisposable
{
    public const string Issuer = "https://idp.example";
    public const string Audience = "https://ledger.example";

    private readonly WebApplication _app;
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    private TokenIssuer(WebApplication app) => _app = app;

    public Uri Address => new(_app.Urls.First());

    /// <summary>How it answers to the ledger that has a patient shredded.</summary>
    public Func<HttpContext, Task> OnShredding { get; set; } = context =>
    {
        context.Response.StatusCode = 404;
        return Task.CompletedTask;
    };

    public static async Task<TokenIssuer> Start()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var issuer = new TokenIssuer(builder.Build());
        var point = issuer._key.ExportParameters(false).Q;
        var jwks = new JsonObject
        {
            ["keys"] = new JsonArray(new JsonObject
            {
                ["kty"] = "EC", ["crv"] = "P-256", ["kid"] = "k1", ["x"] = Base64Url.EncodeToString(point.X), ["y"] = Base64Url.EncodeToString(point.Y),
            }),
        }.ToJsonString();
        issuer._app.MapGet("/jwks", () => Results.Text(jwks, "application/json"));
        issuer._app.MapPut("/shreddings/{id}", context => issuer.OnShredding(context));
        await issuer._app.StartAsync();
        return issuer;
    }

    /// <summary>An access token (RFC 9068).</summary>
    public string Token(string subject, string scope, string? role, string? region, DateTimeOffset now)
    {
        var payload = new JsonObject
        {
            ["iss"] = Issuer, ["sub"] = subject, ["aud"] = Audience, ["client_id"] = "console", ["scope"] = scope,
            ["iat"] = now.ToUnixTimeSeconds(), ["exp"] = now.AddMinutes(5).ToUnixTimeSeconds(),
            ["jti"] = Guid.NewGuid().ToString("D", CultureInfo.InvariantCulture), ["role"] = role, ["region"] = region,
        };
        var signed = Base64Url.EncodeToString("""{"alg":"ES256","typ":"at+jwt","kid":"k1"}"""u8) + "." + Base64Url.EncodeToString(Encoding.UTF8.GetBytes(payload.ToJsonString()));
        return signed + "." + Base64Url.EncodeToString(_key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256));
    }

    /// <summary>A client that carries such a token.</summary>
    public HttpClient Client(Uri ledger, string subject, string scope, string? role, string? region, DateTimeOffset? now = null)
    {
        var client = new HttpClient(new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true } })
        {
            BaseAddress = ledger, Timeout = TimeSpan.FromSeconds(30),
        };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Token(subject, scope, role, region, now ?? DateTimeOffset.UtcNow));
        return client;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        _key.Dispose();
    }
}

/// <summary>The real clock, moved forward by as much as a test says; timers run in real time.</summary>
internal sealed class ShiftedClock : TimeProvider
{
    private long _shift;

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow().AddTicks(Interlocked.Read(ref _shift));

    public void Shift(TimeSpan by) => Interlocked.Add(ref _shift, by.Ticks);
}

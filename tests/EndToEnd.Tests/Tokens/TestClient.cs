using System.Buffers.Text;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.TestKit;

namespace Trust.EndToEnd.Tests.Tokens;

/// <summary>A registered client of a test's own, with everything it registers in the test's hand.</summary>
internal sealed class TestClient : IDisposable
{
    private readonly RunningTrust _trust;
    private readonly OAuthClient _signed;

    private TestClient(RunningTrust trust, string id)
    {
        (_trust, Id) = (trust, id);
        _signed = new OAuthClient(id, Key, trust.Installation.Addresses.Idp, trust.Installation.RootFile);
    }

    public string Id { get; }

    /// <summary>Key of its assertions.</summary>
    public ECDsa Key { get; } = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public string Issuer => _trust.Installation.Addresses.Idp;

    public string Mtls => _trust.Installation.Addresses.Clients;

    /// <summary>Registers a client by the operator's verb.</summary>
    /// <param name="trust">The installation.</param>
    /// <param name="more">Members over the defaults; null takes one away.</param>
    public static async Task<TestClient> Register(RunningTrust trust, params (string Name, JsonNode? Value)[] more)
    {
        var client = new TestClient(trust, "t-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6)));
        var row = new JsonObject
        {
            ["client_id"] = client.Id, ["name_zh"] = "测试系统", ["name_en"] = "Test system", ["profile"] = "standard", ["region"] = "510000",
            ["grant_types"] = new JsonArray("authorization_code", "refresh_token"), ["redirect_uris"] = new JsonArray(RunningTrust.Redirect),
            ["scopes"] = new JsonArray("openid", "profile", "rx.read", "rx.sign"), ["resources"] = new JsonArray(trust.Sign, trust.Installation.Addresses.Ledger),
            ["institution"] = trust.World.Institutions[0], ["jwks"] = OAuthClient.Jwks(client.Key),
        };
        foreach (var (name, value) in more)
        {
            if (value is null)
            {
                row.Remove(name);
            }
            else
            {
                row[name] = value;
            }
        }

        var file = Path.Combine(Scratch.Directory("client"), "client.json");
        await File.WriteAllTextAsync(file, new JsonArray(row).ToJsonString());
        await trust.Installation.Services["idp"].Verb("import-clients", ["--file", file], CancellationToken.None);
        return client;
    }

    /// <summary>A code, by a card login and the workstation's hands.</summary>
    public async Task<AuthorizeResult.Answered> Code(string scope = "openid profile rx.read") => Assert.IsType<AuthorizeResult.Answered>(
        await _signed.Authorize(await _trust.World.Physician.ForTls(Card.AuthenticationKey, CancellationToken.None), RunningTrust.Redirect, scope, _trust.World.Institutions[0], _trust.Sign, CancellationToken.None));

    /// <summary>Tokens for a code.</summary>
    public async Task<Answer> Redeem(AuthorizeResult.Answered answered, ECDsa? dpop = null, bool named = false) => await Token(
        dpop, named, ("grant_type", "authorization_code"), ("code", answered.Code), ("redirect_uri", RunningTrust.Redirect), ("code_verifier", answered.Verifier));

    /// <summary>Tokens by a refresh token.</summary>
    public Task<Answer> Refresh(string token, ECDsa? dpop = null, bool named = false) => Token(dpop, named, ("grant_type", "refresh_token"), ("refresh_token", token));

    /// <summary>A request to an endpoint; the client proves itself by its key, or only names itself.</summary>
    public Task<Answer> Token(ECDsa? dpop, bool named, params (string Name, string Value)[] fields) => Post("/token", dpop is null ? null : Proof(dpop, "POST", Issuer + "/token"), named, fields);

    /// <summary>The same at any endpoint, with a proof of the test's own making.</summary>
    public async Task<Answer> Post(string path, string? proof, bool named, params (string Name, string Value)[] fields)
    {
        using var http = Connections.Client(_trust.Installation.RootFile);
        using var request = new HttpRequestMessage(HttpMethod.Post, Issuer + path) { Content = new FormUrlEncodedContent([.. fields.Select(f => KeyValuePair.Create(f.Name, f.Value)), .. Credentials(named)]) };
        if (proof is not null)
        {
            request.Headers.Add("DPoP", proof);
        }

        return await Send(http, request);
    }

    /// <summary>A request at the listener for certificates.</summary>
    public async Task<Answer> PostWith(X509Certificate2 certificate, string path, params (string Name, string Value)[] fields)
    {
        using var http = Connections.Client(_trust.Installation.RootFile, certificate);
        using var request = new HttpRequestMessage(HttpMethod.Post, Mtls + path) { Content = new FormUrlEncodedContent([.. fields.Select(f => KeyValuePair.Create(f.Name, f.Value)), new("client_id", Id)]) };
        return await Send(http, request);
    }

    /// <summary>What userinfo answers to a token.</summary>
    public async Task<Answer> UserInfo(string token, string scheme = "Bearer", string? proof = null, X509Certificate2? certificate = null)
    {
        using var http = Connections.Client(_trust.Installation.RootFile, certificate);
        using var request = new HttpRequestMessage(HttpMethod.Get, (certificate is null ? Issuer : Mtls) + "/userinfo");
        request.Headers.Authorization = new AuthenticationHeaderValue(scheme, token);
        if (proof is not null)
        {
            request.Headers.Add("DPoP", proof);
        }

        return await Send(http, request);
    }

    /// <summary>A DPoP proof (RFC 9449 4.2).</summary>
    /// <param name="key">Whose.</param>
    /// <param name="method"><c>htm</c>.</param>
    /// <param name="target"><c>htu</c>.</param>
    /// <param name="token">For <c>ath</c>; null for none.</param>
    /// <param name="change">Changes header and payload before they are signed.</param>
    public static string Proof(ECDsa key, string method, string target, string? token = null, Action<JsonObject, JsonObject>? change = null)
    {
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        var header = new JsonObject
        {
            ["typ"] = "dpop+jwt", ["alg"] = "ES256",
            ["jwk"] = new JsonObject { ["kty"] = "EC", ["crv"] = "P-256", ["x"] = Base64Url.EncodeToString(point.X), ["y"] = Base64Url.EncodeToString(point.Y) },
        };
        var payload = new JsonObject
        {
            ["jti"] = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)), ["htm"] = method, ["htu"] = target, ["iat"] = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds(),
        };
        if (token is not null)
        {
            payload["ath"] = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(token)));
        }

        change?.Invoke(header, payload);
        var input = Encode(header) + "." + Encode(payload);
        return input + "." + Base64Url.EncodeToString(key.SignData(Encoding.ASCII.GetBytes(input), HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation));
    }

    /// <summary>A certificate signed by its own key, and its entry in a key set (RFC 8705 2.2.2).</summary>
    public static (X509Certificate2 Certificate, JsonObject Jwks) SelfSigned()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var now = TimeProvider.System.GetUtcNow();
        using var made = new CertificateRequest("CN=system", key, HashAlgorithmName.SHA256).CreateSelfSigned(now.AddMinutes(-5), now.AddDays(30));
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        return (X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null), new JsonObject
        {
            ["keys"] = new JsonArray(new JsonObject
            {
                ["kty"] = "EC", ["crv"] = "P-256", ["kid"] = "tls", ["x"] = Base64Url.EncodeToString(point.X), ["y"] = Base64Url.EncodeToString(point.Y),
                ["x5c"] = new JsonArray(Convert.ToBase64String(made.RawData)),
            }),
        });
    }

    public void Dispose() => Key.Dispose();

    private KeyValuePair<string, string>[] Credentials(bool named) => named ? [new("client_id", Id)] :
    [
        new("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), new("client_assertion", _signed.Assertion(Issuer)),
    ];

    private static async Task<Answer> Send(HttpClient http, HttpRequestMessage request)
    {
        using var response = await http.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        return new Answer((int)response.StatusCode, text, text.StartsWith('{') ? JsonNode.Parse(text) : null);
    }

    private static string Encode(JsonObject json) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json.ToJsonString()));
}

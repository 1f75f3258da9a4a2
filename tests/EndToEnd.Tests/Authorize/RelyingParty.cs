using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.EndToEnd.Tests.Browser;
using Trust.TestKit;

namespace Trust.EndToEnd.Tests.Authorize;

/// <summary>A client of a test's own, registered by the operator's command, that writes each protocol message itself.</summary>
internal sealed partial class RelyingParty : IDisposable
{
    public static readonly string Verifier = new('v', 43);
    private readonly RunningTrust _trust;
    private readonly ECDsa _key;
    private readonly HttpClient _http;

    private RelyingParty(RunningTrust trust, string id, ECDsa key)
    {
        (_trust, Id, _key) = (trust, id, key);
        _http = Connections.Client(trust.Installation.RootFile);
    }

    public string Id { get; }

    public string Issuer => _trust.Installation.Addresses.Idp;

    public string RootFile => _trust.Installation.RootFile;

    public OAuthClient OAuth => new(Id, _key, Issuer, _trust.Installation.RootFile);

    /// <summary>Registers a client; members given here replace those of an ordinary one.</summary>
    public static async Task<RelyingParty> Register(RunningTrust trust, string profile, params (string Name, JsonNode Value)[] members)
    {
        var id = profile + "-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6));
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var client = new JsonObject
        {
            ["client_id"] = id, ["name_zh"] = "测试应用", ["name_en"] = "Test application", ["profile"] = profile, ["grant_types"] = new JsonArray("authorization_code"),
            ["redirect_uris"] = new JsonArray(RunningTrust.Redirect), ["scopes"] = new JsonArray("openid", "profile", "rx.sign", "rx.read"), ["resources"] = new JsonArray(trust.Sign),
            ["region"] = "510000", ["jwks"] = OAuthClient.Jwks(key),
        };
        if (profile == "fapi2")
        {
            client["dpop_bound_access_tokens"] = true;
        }

        foreach (var (name, value) in members)
        {
            client[name] = value;
        }

        var file = Path.Combine(Scratch.Directory("relying-party"), id + ".json");
        await File.WriteAllTextAsync(file, new JsonArray(client).ToJsonString());
        await trust.Installation.Services["idp"].Verb("import-clients", ["--file", file], CancellationToken.None);
        return new RelyingParty(trust, id, key);
    }

    /// <summary>The parameters of an ordinary request; an empty value leaves one out.</summary>
    public Dictionary<string, string> Request(params (string Name, string Value)[] more)
    {
        var fields = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["client_id"] = Id, ["response_type"] = "code", ["redirect_uri"] = RunningTrust.Redirect, ["scope"] = "openid rx.read", ["state"] = "s-1", ["nonce"] = "n-1",
            ["code_challenge"] = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(Verifier))), ["code_challenge_method"] = "S256",
        };
        foreach (var (name, value) in more)
        {
            fields[name] = value;
        }

        return fields.Where(f => f.Value.Length > 0).ToDictionary(StringComparer.Ordinal);
    }

    /// <summary>Calls an endpoint of the provider with client authentication.</summary>
    public async Task<(int Status, JsonNode? Json)> Post(string path, IEnumerable<KeyValuePair<string, string>> fields, bool authenticate = true, string? proof = null)
    {
        using var content = new FormUrlEncodedContent(!authenticate ? fields : [
            .. fields, new("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), new("client_assertion", OAuth.Assertion(Issuer)),
        ]);
        using var request = new HttpRequestMessage(HttpMethod.Post, Issuer + path) { Content = content };
        if (proof is not null)
        {
            request.Headers.Add("DPoP", proof);
        }

        using var answer = await _http.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        return ((int)answer.StatusCode, text.StartsWith('{') || text.StartsWith('[') ? JsonNode.Parse(text) : null);
    }

    /// <summary>A DPoP proof (RFC 9449 4.2) by the client's key for a path of the provider.</summary>
    public string Proof(string path)
    {
        var jwk = OAuthClient.Jwks(_key)["keys"]![0]!;
        var header = new JsonObject
        {
            ["typ"] = "dpop+jwt", ["alg"] = "ES256", ["jwk"] = new JsonObject { ["kty"] = "EC", ["crv"] = "P-256", ["x"] = jwk["x"]!.GetValue<string>(), ["y"] = jwk["y"]!.GetValue<string>() },
        };
        return Sign(
            new JsonObject { ["jti"] = Guid.NewGuid().ToString(), ["htm"] = "POST", ["htu"] = Issuer + path, ["iat"] = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() }, header.ToJsonString());
    }

    /// <summary>Pushes a request that must be taken.</summary>
    /// <returns>Where a browser begins.</returns>
    public async Task<string> Pushed(params (string Name, string Value)[] more)
    {
        var (status, json) = await Post("/par", Request(more));
        Assert.True(status == 201, json?.ToJsonString());
        Assert.InRange(json!["expires_in"]!.GetValue<int>(), 5, 599);
        return Begin(("client_id", Id), ("request_uri", json["request_uri"]!.GetValue<string>()));
    }

    /// <summary>An address of the authorization endpoint.</summary>
    public string Begin(params IEnumerable<(string Name, string Value)> fields) =>
        Issuer + "/authorize?" + string.Join('&', fields.Select(f => f.Name + "=" + Uri.EscapeDataString(f.Value)));

    /// <summary>An address of the authorization endpoint with the whole request in it.</summary>
    public string BeginPlainly(params (string Name, string Value)[] more) => Begin(Request(more).Select(f => (f.Key, f.Value)));

    /// <summary>A JWS of the client over a JSON object.</summary>
    public string Sign(JsonObject claims, string header = """{"alg":"ES256","kid":"k1"}""")
    {
        var input = Base64Url.EncodeToString(Encoding.UTF8.GetBytes(header)) + "." + Base64Url.EncodeToString(Encoding.UTF8.GetBytes(claims.ToJsonString()));
        return input + "." + Base64Url.EncodeToString(_key.SignData(Encoding.ASCII.GetBytes(input), HashAlgorithmName.SHA256));
    }

    /// <summary>A signed request object of an ordinary request.</summary>
    public string RequestObject(params (string Name, JsonNode? Value)[] more)
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var claims = new JsonObject { ["iss"] = Id, ["aud"] = Issuer, ["nbf"] = now, ["iat"] = now, ["exp"] = now + 300, ["jti"] = Guid.NewGuid().ToString() };
        foreach (var (name, value) in Request())
        {
            claims[name] = value;
        }

        foreach (var (name, value) in more)
        {
            claims[name] = value;
        }

        return Sign(claims);
    }

    /// <summary>A parameter of an answer by redirect; null when it is not there.</summary>
    public static string? Of(Uri answer, string name) =>
        answer.Query.TrimStart('?').Split('&').Select(p => p.Split('=', 2)).Where(p => p[0] == name).Select(p => Uri.UnescapeDataString(p[1].Replace('+', ' '))).FirstOrDefault();

    /// <summary>Leads a browser whose session stands, or opens one by the card, through to the page of the notice and accepts.</summary>
    /// <returns>The answer at the registered address.</returns>
    public static async Task<Uri> Answer(HandBrowser browser, Card card, string begin)
    {
        var at = await browser.Location(begin);
        return await browser.Accept(at.AbsolutePath == "/login" ? await browser.LogIn(card, at) : at);
    }

    /// <summary>Accepts on the page of the notice, where the answer is a page itself.</summary>
    public static async Task<(string Page, string Csp)> AcceptToPage(RunningTrust trust, HandBrowser browser, Uri consent)
    {
        var page = await browser.Http.GetStringAsync(consent);
        using var form = new FormUrlEncodedContent([
            new("request", Field("request").Match(page).Groups["value"].Value), new("institution", trust.World.Institutions[0]), new("decision", "accept"),
            new("form", FormToken().Match(page).Groups["value"].Value)]);
        using var decided = await browser.Http.PostAsync(browser.Issuer + "/consent", form);
        Assert.Equal(HttpStatusCode.OK, decided.StatusCode);
        return (await decided.Content.ReadAsStringAsync(), decided.Headers.GetValues("Content-Security-Policy").Single());
    }

    /// <summary>Sends a form of a page off, with the page's token.</summary>
    public static async Task<(int Status, string Page)> Submit(HandBrowser browser, string page, string path, params IEnumerable<(string Name, string Value)> fields)
    {
        using var form = new FormUrlEncodedContent([.. fields.Select(f => KeyValuePair.Create(f.Name, f.Value)), new("form", FormToken().Match(page).Groups["value"].Value)]);
        using var answer = await browser.Http.PostAsync(browser.Issuer + path, form);
        return ((int)answer.StatusCode, WebUtility.HtmlDecode(await answer.Content.ReadAsStringAsync()));
    }

    /// <summary>A hidden field of a page.</summary>
    public static string Hidden(string page, string name) => WebUtility.HtmlDecode(Field(name).Match(page).Groups["value"].Value);

    public void Dispose() => _http.Dispose();

    private static Regex Field(string name) => new("name=\"" + name + "\" value=\"(?<value>[^\"]*)\"", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1));

    [GeneratedRegex("name=\"form\"[^>]* value=\"(?<value>[^\"]+)\"", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex FormToken();
}

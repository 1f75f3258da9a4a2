using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Trust.Cli.Local;

namespace Trust.Cli.Demo;

/// <summary>
/// A hospital's, pharmacy's or regulator's system as an OAuth client: its own key for <c>private_key_jwt</c>, code with
/// PKCE for people, client credentials for itself. Standard requests only, as a stock library sends them.
/// </summary>
public sealed partial class OAuthClient(string clientId, ECDsa key, string issuer, string rootFile)
{
    /// <summary>OAuth client identifier.</summary>
    public string ClientId => clientId;

    /// <summary>The public key as a JWKS, for registration.</summary>
    public static JsonObject Jwks(ECDsa key)
    {
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        return new JsonObject
        {
            ["keys"] = new JsonArray(new JsonObject
            {
                ["kty"] = "EC", ["crv"] = "P-256", ["use"] = "sig", ["alg"] = "ES256", ["kid"] = "k1",
                ["x"] = Base64Url.EncodeToString(point.X), ["y"] = Base64Url.EncodeToString(point.Y),
            }),
        };
    }

    /// <summary>An access token for the system itself.</summary>
    /// <exception cref="DemoException">Refused.</exception>
    public async Task<string> OwnToken(string scope, string resource, CancellationToken ct)
    {
        using var http = Connections.Client(rootFile);
        KeyValuePair<string, string>[] fields = [new("grant_type", "client_credentials"), new("scope", scope), new("resource", resource)];
        var answer = await Token(http, fields, ct);
        for (var tries = 1; answer.Status == 503 && tries < 5; tries++)
        {
            // The provider or the registry behind it is away for now.
            await Task.Delay(TimeSpan.FromSeconds(1), ct);
            answer = await Token(http, fields, ct);
        }

        return answer.Expect("/token")["access_token"]!.GetValue<string>();
    }

    /// <summary>A call to the token endpoint, client authentication added; the caller judges the answer.</summary>
    public async Task<Answer> Token(HttpClient http, IEnumerable<KeyValuePair<string, string>> fields, CancellationToken ct)
    {
        using var content = new FormUrlEncodedContent([
            .. fields, new("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), new("client_assertion", Assertion(issuer)),
        ]);
        using var response = await http.PostAsync(issuer + "/token", content, ct);
        var text = await response.Content.ReadAsStringAsync(ct);
        return new Answer((int)response.StatusCode, text, text.StartsWith('{') ? JsonNode.Parse(text) : null);
    }

    /// <summary>Asks what a token is worth now (RFC 7662).</summary>
    public async Task<bool> IsActive(string token, CancellationToken ct)
    {
        using var http = Connections.Client(rootFile);
        using var content = new FormUrlEncodedContent([
            new("token", token), new("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), new("client_assertion", Assertion(issuer)),
        ]);
        using var response = await http.PostAsync(issuer + "/introspect", content, ct);
        return JsonNode.Parse(await response.Content.ReadAsStringAsync(ct))!["active"]!.GetValue<bool>();
    }

    /// <summary>A client assertion (RFC 7523) with a stated audience.</summary>
    public string Assertion(string audience)
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var header = Encode("""{"alg":"ES256","kid":"k1"}""");
        var payload = Encode(new JsonObject
        {
            ["iss"] = clientId, ["sub"] = clientId, ["aud"] = audience, ["iat"] = now, ["exp"] = now + 60, ["jti"] = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)),
        }.ToJsonString());
        var signature = key.SignData(Encoding.ASCII.GetBytes(header + "." + payload), HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        return header + "." + payload + "." + Base64Url.EncodeToString(signature);
    }

    /// <summary>A person's login with a card, from the first redirect to the tokens, as a browser and this system do it together.</summary>
    /// <param name="card">The certificate shown to the card host, its key in the token.</param>
    /// <param name="redirectUri">Registered address of this system.</param>
    /// <param name="scope">Scopes asked for.</param>
    /// <param name="institution">Institution the person chooses.</param>
    /// <param name="resource">Audience of the access token.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>Tokens, or the rule by which the login was refused.</returns>
    public async Task<LoginResult> Login(X509Certificate2 card, string redirectUri, string scope, string institution, string resource, CancellationToken ct) =>
        await Authorize(card, redirectUri, scope, institution, resource, ct) switch
        {
            AuthorizeResult.Answered answered => await Redeem(answered, redirectUri, ct),
            AuthorizeResult.Refused refused => new LoginResult.Refused(refused.Rule),
            _ => throw new InvalidOperationException("Unknown result."),
        };

    /// <summary>The browser's half of a login: up to the answer at the registered address.</summary>
    /// <param name="card">The certificate shown to the card host, its key in the token.</param>
    /// <param name="redirectUri">Registered address of this system.</param>
    /// <param name="scope">Scopes asked for.</param>
    /// <param name="institution">Institution the person chooses.</param>
    /// <param name="resource">Audience of the access token.</param>
    /// <param name="ct">Cancels.</param>
    public async Task<AuthorizeResult> Authorize(X509Certificate2 card, string redirectUri, string scope, string institution, string resource, CancellationToken ct)
    {
        using var browser = Connections.Client(rootFile, cookies: new CookieContainer());
        var verifier = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
        var state = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));
        var begin = issuer + "/authorize?" + Query(
            ("response_type", "code"), ("client_id", clientId), ("redirect_uri", redirectUri), ("scope", scope), ("state", state), ("nonce", state), ("resource", resource),
            ("code_challenge", Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(verifier)))), ("code_challenge_method", "S256"));
        var loginPage = await Follow(browser, begin, ct);
        var cardUrl = WebUtility.HtmlDecode(CardLink().Match(loginPage.Body).Groups["value"].Value);
        if (cardUrl.Length == 0)
        {
            return new AuthorizeResult.Refused(RuleOf(loginPage.Url));
        }

        Uri back;
        using (var reader = Connections.Client(rootFile, card))
        using (var answer = await reader.GetAsync(cardUrl, ct))
        {
            back = answer.Headers.Location ?? throw new DemoException($"The card host answered {(int)answer.StatusCode}.");
        }

        var page = await Follow(browser, back.ToString(), ct);
        if (page.Url.ToString().StartsWith(redirectUri, StringComparison.Ordinal))
        {
            return new AuthorizeResult.Answered(page.Url, verifier, state);
        }

        if (page.Url.AbsolutePath != "/consent")
        {
            return new AuthorizeResult.Refused(RuleOf(page.Url));
        }

        var request = RequestField().Match(page.Body).Groups["value"].Value;
        using var consent = new FormUrlEncodedContent(
            [new("request", request), new("institution", institution), new("decision", "accept"), new("form", FormToken().Match(page.Body).Groups["value"].Value)]);
        using var decided = await browser.PostAsync(issuer + "/consent", consent, ct);
        return new AuthorizeResult.Answered(decided.Headers.Location ?? throw new DemoException("The consent page answered without a redirect."), verifier, state);
    }

    /// <summary>The system's half of a login: the code for tokens.</summary>
    public async Task<LoginResult> Redeem(AuthorizeResult.Answered answered, string redirectUri, CancellationToken ct)
    {
        using var http = Connections.Client(rootFile);
        var values = answered.Callback.Query.TrimStart('?').Split('&').Select(p => p.Split('=', 2)).ToDictionary(p => p[0], p => Uri.UnescapeDataString(p[1]), StringComparer.Ordinal);
        if (values.GetValueOrDefault("state") != answered.State || values.GetValueOrDefault("iss") != issuer)
        {
            throw new DemoException("state or iss came back changed.");
        }

        if (!values.TryGetValue("code", out var code))
        {
            return new LoginResult.Refused(values.GetValueOrDefault("error_description", values.GetValueOrDefault("error", "unknown")));
        }

        var answer = await Token(http, [new("grant_type", "authorization_code"), new("code", code), new("redirect_uri", redirectUri), new("code_verifier", answered.Verifier)], ct);
        var tokens = answer.Expect("/token");
        return new LoginResult.Granted(tokens["access_token"]!.GetValue<string>(), tokens["id_token"]!.GetValue<string>(), code);
    }

    private async Task<(Uri Url, string Body)> Follow(HttpClient browser, string url, CancellationToken ct)
    {
        var at = new Uri(url);
        for (var hop = 0; hop < 8; hop++)
        {
            if (!at.ToString().StartsWith(issuer + "/", StringComparison.Ordinal))
            {
                return (at, "");
            }

            using var response = await browser.GetAsync(at, ct);
            if (response.Headers.Location is not { } next)
            {
                return (at, await response.Content.ReadAsStringAsync(ct));
            }

            at = new Uri(at, next);
        }

        throw new DemoException("Too many redirects.");
    }

    private static string RuleOf(Uri url) => RefusedRule().Match(url.Query).Groups["value"].Value is { Length: > 0 } rule ? rule : url.ToString();

    private static string Query(params (string Name, string Value)[] fields) => string.Join('&', fields.Select(f => f.Name + "=" + Uri.EscapeDataString(f.Value)));

    private static string Encode(string json) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json));

    [GeneratedRegex("id=\"card-login\" href=\"(?<value>[^\"]+)\"", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex CardLink();

    [GeneratedRegex("name=\"request\" value=\"(?<value>[^\"]+)\"", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex RequestField();

    [GeneratedRegex("name=\"form\" type=\"hidden\" value=\"(?<value>[^\"]+)\"", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex FormToken();

    [GeneratedRegex("(refused|rule)=(?<value>[a-z-]+)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex RefusedRule();
}

/// <summary>What came back from the authorization endpoint.</summary>
public abstract record AuthorizeResult
{
    private AuthorizeResult()
    {
    }

    /// <summary>The browser was sent back to the registered address.</summary>
    public sealed record Answered(Uri Callback, string Verifier, string State) : AuthorizeResult
    {
        /// <summary>The code in the answer, or empty.</summary>
        public string Code => Callback.Query.TrimStart('?').Split('&').FirstOrDefault(p => p.StartsWith("code=", StringComparison.Ordinal))?["code=".Length..] ?? "";
    }

    /// <summary>Refused by a named rule on a page.</summary>
    public sealed record Refused(string Rule) : AuthorizeResult;
}

/// <summary>How a login ended.</summary>
public abstract record LoginResult
{
    private LoginResult()
    {
    }

    /// <summary>Tokens were issued.</summary>
    public sealed record Granted(string AccessToken, string IdToken, string Code) : LoginResult;

    /// <summary>Refused by a named rule.</summary>
    public sealed record Refused(string Rule) : LoginResult;
}

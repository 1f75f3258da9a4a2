using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Trust.Cli.Local;

namespace Trust.EndToEnd.Tests.Browser;

/// <summary>A browser with its cookies, led by hand through the provider's pages.</summary>
internal sealed partial class HandBrowser(RunningTrust trust) : IDisposable
{
    private readonly CookieContainer _cookies = new();
    private HttpClient? _http;

    /// <summary>The provider.</summary>
    public string Issuer => trust.Installation.Addresses.Idp;

    /// <summary>The browser's connection.</summary>
    public HttpClient Http => _http ??= Connections.Client(trust.Installation.RootFile, cookies: _cookies);

    /// <summary>The session's cookie, or null.</summary>
    public Cookie? Session => _cookies.GetCookies(new Uri(Issuer)).FirstOrDefault(c => c.Name == "__Host-session");

    /// <summary>A cookie of the provider, or null.</summary>
    public Cookie? Named(string name) => _cookies.GetCookies(new Uri(Issuer)).FirstOrDefault(c => c.Name == name);

    /// <summary>An authorization request of the hospital's workstation.</summary>
    public string Authorize(params (string Name, string Value)[] more)
    {
        var fields = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["response_type"] = "code", ["client_id"] = "his-shuan", ["redirect_uri"] = RunningTrust.Redirect, ["scope"] = "openid rx.read", ["state"] = "s-1", ["resource"] = trust.Sign,
            ["code_challenge"] = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(new string('v', 43)))), ["code_challenge_method"] = "S256",
        };
        foreach (var (name, value) in more)
        {
            fields[name] = value;
        }

        return Issuer + "/authorize?" + string.Join('&', fields.Select(f => f.Key + "=" + Uri.EscapeDataString(f.Value)));
    }

    /// <summary>Where one request leads.</summary>
    public async Task<Uri> Location(string url)
    {
        using var answer = await Http.GetAsync(url);
        return new Uri(new Uri(Issuer), answer.Headers.Location ?? throw new InvalidDataException($"{url} answered {(int)answer.StatusCode} without a redirect."));
    }

    /// <summary>Logs in with a card and accepts the notice; a session stands afterwards.</summary>
    /// <returns>The answer at the registered address.</returns>
    public async Task<Uri> LogIn(Card card) => await Accept(await LogIn(card, await Location(Authorize())));

    /// <summary>Shows a card for the request of a login page; a session stands afterwards.</summary>
    /// <returns>The page of the notice.</returns>
    /// <param name="card">The card.</param>
    /// <param name="loginPage">The login page.</param>
    /// <param name="follow">False to stop where the card host sends the browser.</param>
    public async Task<Uri> LogIn(Card card, Uri loginPage, bool follow = true)
    {
        using var login = await Http.GetAsync(loginPage);
        var page = await login.Content.ReadAsStringAsync();
        using var reader = Connections.Client(trust.Installation.RootFile, await card.ForTls(Card.AuthenticationKey, CancellationToken.None));
        using var shown = await reader.GetAsync(WebUtility.HtmlDecode(CardLink().Match(page).Groups["value"].Value));
        return follow ? await Location(shown.Headers.Location!.ToString()) : shown.Headers.Location!;
    }

    /// <summary>Accepts on the page of the notice, or finds that nothing is left to accept.</summary>
    public async Task<Uri> Accept(Uri consent)
    {
        using var asked = await Http.GetAsync(consent);
        if (asked.Headers.Location is { } at)
        {
            return new Uri(new Uri(Issuer), at);
        }

        var page = await asked.Content.ReadAsStringAsync();
        using var form = new FormUrlEncodedContent([
            new("request", RequestField().Match(page).Groups["value"].Value), new("institution", trust.World.Institutions[0]), new("decision", "accept"),
            new("form", FormToken().Match(page).Groups["value"].Value)]);
        using var decided = await Http.PostAsync(Issuer + "/consent", form);
        return new Uri(new Uri(Issuer), decided.Headers.Location!);
    }

    public void Dispose() => _http?.Dispose();

    [GeneratedRegex("id=\"card-login\" href=\"(?<value>[^\"]+)\"", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex CardLink();

    [GeneratedRegex("name=\"form\"[^>]* value=\"(?<value>[^\"]+)\"", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex FormToken();

    [GeneratedRegex("name=\"request\" value=\"(?<value>[^\"]+)\"", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex RequestField();
}

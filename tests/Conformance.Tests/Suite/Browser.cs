using System.Net;
using System.Text.Json.Nodes;
using Trust.Cli.Local;

namespace Trust.Conformance.Tests.Suite;

/// <summary>What the person at the browser does.</summary>
internal sealed record Person
{
    public static Person Willing { get; } = new();

    /// <summary>Declines on the page of the notice.</summary>
    public static Person Declining { get; } = new() { Declines = true };

    /// <summary>Looks at the login page and goes no further.</summary>
    public static Person Waiting { get; } = new() { Waits = true };

    public bool Declines { get; private init; }

    public bool Waits { get; private init; }
}

/// <summary>
/// A browser without a screen: cookies, redirects, forms, and a card in its reader. It follows the provider's pages by what stands on them, and stops where
/// the provider sends it away.
/// </summary>
internal sealed class Browser(ConformanceRun run) : IDisposable
{
    private readonly List<Outcome.Page> _seen = [];
    private HttpClient? _http;

    public CookieContainer Cookies { get; } = new();

    /// <summary>What each cookie was given with, by its name: a jar keeps no <c>SameSite</c>.</summary>
    public Dictionary<string, string> SetCookies { get; } = new(StringComparer.Ordinal);

    /// <summary>How often the card was shown.</summary>
    public int Logins { get; private set; }

    /// <summary>Pages that the person saw.</summary>
    public IReadOnlyList<Outcome.Page> Seen => _seen;

    private HttpClient Http => _http ??= Connections.Client(run.Provider.RootFile, cookies: Cookies);

    public async Task<Outcome> Open(string url, Person? person = null)
    {
        if (!IsOfProvider(new Uri(url)))
        {
            return Answered(new Uri(url));
        }

        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        return await Follow(request, person ?? Person.Willing);
    }

    public async Task<Outcome> Post(string url, IEnumerable<KeyValuePair<string, string>> fields, Person? person = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new FormUrlEncodedContent(fields) };
        return await Follow(request, person ?? Person.Willing);
    }

    /// <summary>What lies at an address, without following anything.</summary>
    public async Task<Answer> Get(string url)
    {
        using var response = await Http.GetAsync(url);
        return await Answer.Of(response);
    }

    /// <summary>Sends JSON to an address, as a script of the provider's own pages would.</summary>
    public async Task<Answer> Send(string url, JsonObject body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new StringContent(body.ToJsonString(), System.Text.Encoding.UTF8, "application/json") };
        using var response = await Http.SendAsync(request);
        return await Answer.Of(response);
    }

    public void Dispose() => _http?.Dispose();

    private async Task<Outcome> Follow(HttpRequestMessage first, Person person)
    {
        var request = first;
        for (var hop = 0; hop < 20; hop++)
        {
            var at = request.RequestUri!;
            using var response = await Send(request);
            foreach (var set in response.Headers.TryGetValues("Set-Cookie", out var sets) ? sets : [])
            {
                SetCookies[set[..set.IndexOf('=', StringComparison.Ordinal)]] = set;
            }

            if (response.Headers.Location is { } next)
            {
                // RFC 9700 4.12: 303 and never 307, which would send a form's fields on.
                Assert.True((int)response.StatusCode is 302 or 303, $"{at} redirects by {(int)response.StatusCode}");
                var to = new Uri(at, next);
                if (!IsOfProvider(to))
                {
                    return Answered(to);
                }

                request = new HttpRequestMessage(HttpMethod.Get, to);
                continue;
            }

            var page = new Outcome.Page(at, (int)response.StatusCode, await response.Content.ReadAsStringAsync());
            if (FormPost(page) is { } posted)
            {
                return posted;
            }

            _seen.Add(page);
            if (Next(page, person) is not { } going)
            {
                return page;
            }

            request = going;
        }

        throw new Xunit.Sdk.XunitException("The provider's pages lead in a circle.");
    }

    private async Task<HttpResponseMessage> Send(HttpRequestMessage request)
    {
        if (!request.RequestUri!.ToString().StartsWith(run.Installation.Addresses.Card + "/", StringComparison.Ordinal))
        {
            return await Http.SendAsync(request);
        }

        // The card's own host: the certificate is shown there and nowhere else, and no cookie of the main host goes along.
        Logins++;
        using var reader = Connections.Client(run.Provider.RootFile, await run.Card.ForTls(Card.AuthenticationKey, CancellationToken.None));
        return await reader.SendAsync(request);
    }

    private bool IsOfProvider(Uri url) =>
        url.ToString().StartsWith(run.Provider.Issuer + "/", StringComparison.Ordinal) || url.ToString().StartsWith(run.Installation.Addresses.Card + "/", StringComparison.Ordinal);

    private HttpRequestMessage? Next(Outcome.Page page, Person person)
    {
        if (page.Status >= 400 || person.Waits)
        {
            return null;
        }

        if (page.At.AbsolutePath == "/login" && Words.CardLink(page.Body) is { } card)
        {
            // A card that was refused is not shown again and again.
            return page.At.Query.Contains("refused=", StringComparison.Ordinal) ? null : new HttpRequestMessage(HttpMethod.Get, new Uri(page.At, card));
        }

        if (page.At.AbsolutePath is not ("/consent" or "/institution") || Words.Form(page.Body) is not { } form)
        {
            return null;
        }

        return Filled(page.At, form, ("decision", person.Declines ? "deny" : "accept"), ("institution", run.World.Institutions[0]));
    }

    /// <summary>Presses a form's button, hidden fields as they stand.</summary>
    public async Task<Outcome> Press(Outcome.Page page, params (string Name, string Value)[] set)
    {
        var form = Words.Form(page.Body) ?? throw new Xunit.Sdk.XunitException("no form: " + page);
        using var request = Filled(page.At, form, set);
        return await Follow(request, Person.Willing);
    }

    private static HttpRequestMessage Filled(Uri at, (string Method, string? Action, List<(string Name, string Value, string Type, bool Checked)> Fields) form, params (string Name, string Value)[] set)
    {
        var names = set.Select(s => s.Name).ToHashSet(StringComparer.Ordinal);
        var fields = form.Fields.Where(f => f.Type == "hidden" && !names.Contains(f.Name)).Select(f => KeyValuePair.Create(f.Name, f.Value))
            .Concat(set.Where(s => form.Fields.Exists(f => f.Name == s.Name)).Select(s => KeyValuePair.Create(s.Name, s.Value)));
        return new HttpRequestMessage(HttpMethod.Post, new Uri(at, form.Action ?? at.ToString())) { Content = new FormUrlEncodedContent(fields) };
    }

    // OAuth 2.0 Form Post Response Mode: a page whose form goes to the relying party.
    private Outcome.Answered? FormPost(Outcome.Page page) =>
        Words.Form(page.Body) is { Action: { } action } form && Uri.TryCreate(page.At, action, out var target) && !IsOfProvider(target) && form.Method.Equals("post", StringComparison.OrdinalIgnoreCase)
            ? new Outcome.Answered(target, form.Fields.Where(f => f.Type == "hidden").ToDictionary(f => f.Name, f => f.Value, StringComparer.Ordinal), "form_post") : null;

    private static Outcome.Answered Answered(Uri to)
    {
        var fragment = to.Fragment.Length > 1;
        var text = fragment ? to.Fragment[1..] : to.Query.TrimStart('?');
        var parameters = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var pair in text.Split('&', StringSplitOptions.RemoveEmptyEntries).Select(p => p.Split('=', 2)))
        {
            var name = WebUtility.UrlDecode(pair[0]);
            Assert.False(parameters.ContainsKey(name), $"{name} came twice: {to}");
            parameters[name] = pair.Length > 1 ? WebUtility.UrlDecode(pair[1]) : "";
        }

        return new Outcome.Answered(to, parameters, fragment ? "fragment" : "query");
    }
}

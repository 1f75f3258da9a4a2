using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Trust.Benchmarks.Load;
using Trust.Cli.Demo;
using Trust.Cli.Local;

namespace Trust.Benchmarks.Idp;

/// <summary>
/// <c>idp.code</c>: whole logins of a person whose card session exists: <c>/authorize</c> answers with a code (PKCE, <c>prompt=none</c>), <c>/token</c> redeems it with
/// <c>private_key_jwt</c> for an access and an ID token; live entitlement asked, every row committed.
/// </summary>
internal static partial class CodeRate
{
    /// <summary>Name of the row.</summary>
    public const string Name = "idp.code";

    /// <summary>What it should reach.</summary>
    public const string Target = "≥372/s";
    private const int Connections = 32;
    private const string Scope = "openid profile rx.review";

    /// <summary>Measures over HTTPS.</summary>
    public static async Task<Row> Measure(BenchRun run, CancellationToken ct)
    {
        var world = await run.World(ct);
        var his = world.Client("his-shuan");
        var session = await Session(world, his, ct);
        var idp = new Uri(world.Installation.Addresses.Idp);
        await using var lane = await Lane.Open(world.Installation.Addresses.Idp, world.Installation.RootFile, Connections, ct);
        var (value, time) = (default(Slice), new ProcessorTime(world.Installation));
        for (var i = 0; i < 3; i++)
        {
            // A verifier, its challenge and the client's assertion are the client's work: made beforehand.
            var logins = new Login[(int)(run.Slice.TotalSeconds * 1500)];
            Parallel.For(0, logins.Length, n => logins[n] = Make(world, his, idp, session));
            var next = -1;
            Task<Slice> Logins() => lane.Run(run.Slice, async connection =>
            {
                var at = Interlocked.Increment(ref next);
                await Perform(connection, at < logins.Length ? logins[at] : throw new SupplyEndedException(), idp, ct);
            }, ct);
            if (i == 0)
            {
                await Logins(); // Warm-up.
                continue;
            }

            value += await time.Over(Logins);
        }

        return new Row(Name, value.Rate, "/s", null, "", Target, value.Rate >= 372,
            string.Create(CultureInfo.InvariantCulture, $"two requests a login, {Connections} connections; {time}"));
    }

    private static async Task Perform(WireConnection connection, Login login, Uri idp, CancellationToken ct)
    {
        var answer = Lane.Expect(await connection.Send(login.Authorize, ct), 303);
        var location = answer.Header("Location") ?? "";
        var at = location.IndexOf("code=", StringComparison.Ordinal);
        if (at < 0)
        {
            throw new InvalidOperationException("No code came back: " + location);
        }

        var code = location.Substring(at + 5, 43);
        Lane.Expect(await connection.Send(WireConnection.Post(idp, "/token", "application/x-www-form-urlencoded", login.Form + code), ct), 200);
    }

    private static Login Make(World world, OAuthClient client, Uri idp, string session)
    {
        var verifier = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
        var authorize = "/authorize?" + Query(verifier, world, "none");
        return new Login(
            WireConnection.Get(idp, authorize, $"Cookie: {session}\r\n"),
            $"grant_type=authorization_code&redirect_uri={Uri.EscapeDataString(BenchRun.Redirect)}&code_verifier={verifier}&{TokenForm.Authentication(client, world.Installation.Addresses.Idp)}&code=");
    }

    private static string Query(string verifier, World world, string? prompt) =>
        $"response_type=code&client_id=his-shuan&redirect_uri={Uri.EscapeDataString(BenchRun.Redirect)}&scope={Uri.EscapeDataString(Scope)}&state=s&nonce=n"
        + $"&resource={Uri.EscapeDataString(world.Installation.Addresses.Sign)}&code_challenge={Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(verifier)))}"
        + $"&code_challenge_method=S256{(prompt is null ? "" : "&prompt=" + prompt)}";

    // One login with the card, consent included; what stays is the browser's session cookie.
    private static async Task<string> Session(World world, OAuthClient client, CancellationToken ct)
    {
        var idp = world.Installation.Addresses.Idp;
        var jar = new CookieContainer();
        using var browser = Cli.Local.Connections.Client(world.Installation.RootFile, cookies: jar);
        var login = await Page(browser, idp + "/authorize?" + Query("verifier", world, null), idp, ct);
        using var reader = Cli.Local.Connections.Client(world.Installation.RootFile, await world.Pharmacist.ForTls(Card.AuthenticationKey, ct));
        using var answer = await reader.GetAsync(WebUtility.HtmlDecode(CardLink().Match(login).Groups["value"].Value), ct);
        var consent = await Page(browser, answer.Headers.Location!.ToString(), idp, ct);
        using var form = new FormUrlEncodedContent([new("request", RequestField().Match(consent).Groups["value"].Value), new("institution", world.Institutions[0]), new("decision", "accept"), new("form", FormToken().Match(consent).Groups["value"].Value)]);
        using var decided = await browser.PostAsync(idp + "/consent", form, ct);
        if (decided.Headers.Location?.Query.Contains("code=", StringComparison.Ordinal) != true)
        {
            throw new InvalidOperationException($"The first login of {client.ClientId} was not completed.");
        }

        return string.Join("; ", jar.GetCookies(new Uri(idp)).Where(c => c.Name.Contains("session", StringComparison.Ordinal)).Select(c => c.Name + "=" + c.Value));
    }

    private static async Task<string> Page(HttpClient browser, string url, string idp, CancellationToken ct)
    {
        var at = new Uri(url);
        for (var hop = 0; hop < 8; hop++)
        {
            using var response = await browser.GetAsync(at, ct);
            if (response.Headers.Location is not { } next)
            {
                return await response.Content.ReadAsStringAsync(ct);
            }

            at = new Uri(new Uri(idp), next);
        }

        throw new InvalidOperationException("Too many redirects.");
    }

    [GeneratedRegex("id=\"card-login\" href=\"(?<value>[^\"]+)\"", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex CardLink();

    [GeneratedRegex("name=\"request\" value=\"(?<value>[^\"]+)\"", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex RequestField();

    [GeneratedRegex("name=\"form\" type=\"hidden\" value=\"(?<value>[^\"]+)\"", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex FormToken();

    private sealed record Login(byte[] Authorize, string Form);
}

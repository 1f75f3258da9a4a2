using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;

namespace Trust.EndToEnd.Tests.Login;

/// <summary>The authorization code flow and its attacks (RFC 6749, RFC 7636, RFC 9700, RFC 9207).</summary>
public sealed class CodeFlowTests(RunningTrust trust)
{
    private static readonly CancellationToken None = CancellationToken.None;

    private string Issuer => trust.Installation.Addresses.Idp;

    private OAuthClient Hospital => trust.World.Client("his-shuan");

    [Fact]
    public async Task A_code_sent_twice_is_refused_and_takes_its_tokens_with_it()
    {
        var granted = Assert.IsType<LoginResult.Granted>(await trust.Login(trust.World.Physician, "openid rx.sign", None));
        Assert.True(await Hospital.IsActive(granted.AccessToken, None));
        var again = await Redeem(Hospital, granted.Code, RunningTrust.Redirect, new string('v', 43));
        Assert.Equal("invalid_grant", again.Json!["error"]!.GetValue<string>());
        Assert.False(await Hospital.IsActive(granted.AccessToken, None));
    }

    [Theory]
    [InlineData("")]
    [InlineData("wrongwrongwrongwrongwrongwrongwrongwrongwrong")]
    [InlineData("short")]
    public async Task A_wrong_or_missing_verifier_is_refused_and_the_code_stays_usable_by_its_owner(string verifier)
    {
        var answered = await Answered();
        var refused = await Redeem(Hospital, answered.Code, RunningTrust.Redirect, verifier);
        Assert.Equal("invalid_grant", refused.Json!["error"]!.GetValue<string>());
        Assert.Equal(200, (await Redeem(Hospital, answered.Code, RunningTrust.Redirect, answered.Verifier)).Status);
    }

    [Fact]
    public async Task Another_clients_code_is_refused_and_not_burnt()
    {
        var answered = await Answered();
        var thief = await Redeem(trust.World.Client("pharmacy-jincheng"), answered.Code, RunningTrust.Redirect, answered.Verifier);
        Assert.Equal("invalid_grant", thief.Json!["error"]!.GetValue<string>());
        Assert.Equal(200, (await Redeem(Hospital, answered.Code, RunningTrust.Redirect, answered.Verifier)).Status);
    }

    [Fact]
    public async Task Of_fifty_redemptions_at_once_at_most_one_brings_a_token_that_lives()
    {
        var answered = await Answered();
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => Redeem(Hospital, answered.Code, RunningTrust.Redirect, answered.Verifier)));
        var granted = answers.Where(a => a.Status == 200).ToList();
        Assert.True(granted.Count <= 1, $"{granted.Count} redemptions succeeded");
        Assert.All(answers.Where(a => a.Status != 200), a => Assert.Equal("invalid_grant", a.Json!["error"]!.GetValue<string>()));
    }

    [Theory]
    [InlineData("https://127.0.0.10:9443/callback/")]
    [InlineData("https://127.0.0.10:9443/Callback")]
    [InlineData("https://127.0.0.10:9444/callback")]
    [InlineData("https://127.0.0.10:9443/callback?x=1")]
    [InlineData("https://127.0.0.10:9443/callback#f")]
    [InlineData("https://127.0.0.10:9443@evil.example/callback")]
    [InlineData("https://127.0.0.10:9443/callback/../callback")]
    [InlineData("https://127.0.0.10.evil.example:9443/callback")]
    [InlineData("http://127.0.0.10:9443/callback")]
    [InlineData("")]
    public async Task A_redirect_address_that_is_not_exactly_registered_is_never_redirected_to(string redirect)
    {
        var location = await Authorize(("redirect_uri", redirect));
        Assert.Equal("/error", location.AbsolutePath);
        Assert.StartsWith(Issuer, location.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("code_challenge", "", "invalid_request")]
    [InlineData("code_challenge_method", "plain", "invalid_request")]
    [InlineData("code_challenge", "tooshort", "invalid_request")]
    [InlineData("response_type", "token", "unsupported_response_type")]
    [InlineData("response_type", "code id_token", "unsupported_response_type")]
    [InlineData("scope", "rx.sign", "invalid_scope")]
    [InlineData("scope", "openid audit.read", "invalid_scope")]
    [InlineData("request", "eyJhbGciOiJub25lIn0.e30.", "request_not_supported")]
    [InlineData("request_uri", "https://127.0.0.9/r", "request_uri_not_supported")]
    [InlineData("resource", "https://127.0.0.99", "invalid_target")]
    [InlineData("prompt", "none", "login_required")]
    [InlineData("max_age", "-1", "invalid_request")]
    public async Task A_request_that_breaks_a_rule_is_answered_with_its_error_and_the_issuer(string name, string value, string error)
    {
        var location = await Authorize((name, value));
        Assert.StartsWith(RunningTrust.Redirect + "?", location.ToString(), StringComparison.Ordinal);
        Assert.Contains("error=" + error, location.Query, StringComparison.Ordinal);
        Assert.Contains("iss=" + Uri.EscapeDataString(Issuer), location.Query, StringComparison.Ordinal);
        Assert.Contains("state=s-1", location.Query, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_repeated_parameter_and_an_unknown_client_end_on_a_page_here()
    {
        using var http = Connections.Client(trust.Installation.RootFile);
        using var twice = await http.GetAsync(Issuer + "/authorize?client_id=his-shuan&client_id=his-shuan");
        Assert.Contains("/error?rule=malformed-request", twice.Headers.Location!.ToString(), StringComparison.Ordinal);
        Assert.Equal("/error", (await Authorize(("client_id", "nobody"))).AbsolutePath);
    }

    [Fact]
    public async Task A_card_login_finished_in_another_browser_is_worthless_there()
    {
        // The attacker's request, the victim's card: without the cookie of the browser that began, the handle opens nothing.
        using var attacker = Connections.Client(trust.Installation.RootFile, cookies: new CookieContainer());
        using var begun = await attacker.GetAsync(Issuer + "/authorize?" + Query());
        var request = begun.Headers.Location!.ToString().Split("request=")[1];
        using var victimCard = Connections.Client(trust.Installation.RootFile, await trust.World.Physician.ForTls(Card.AuthenticationKey, None));
        using var shown = await victimCard.GetAsync($"{trust.Installation.Addresses.Card}/card?request={request}");
        Assert.Contains("close", shown.Headers.Connection);
        using var victim = Connections.Client(trust.Installation.RootFile, cookies: new CookieContainer());
        using var back = await victim.GetAsync(shown.Headers.Location);
        Assert.Contains("/error?rule=request-expired", back.Headers.Location!.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Fields_of_other_kinds_sent_as_a_code_are_refused()
    {
        using var http = Connections.Client(trust.Installation.RootFile, cookies: new CookieContainer());
        using var begun = await http.GetAsync(Issuer + "/authorize?" + Query());
        var request = begun.Headers.Location!.ToString().Split("request=")[1];
        Assert.Equal("invalid_grant", (await Redeem(Hospital, request, RunningTrust.Redirect, new string('v', 43))).Json!["error"]!.GetValue<string>());
    }

    [Fact]
    public async Task Every_published_address_comes_from_the_configured_issuer_whatever_the_host_header_says()
    {
        using var http = Connections.Client(trust.Installation.RootFile);
        using var request = new HttpRequestMessage(HttpMethod.Get, Issuer + "/.well-known/openid-configuration");
        request.Headers.Host = "localhost:1";
        request.Headers.Add("X-Forwarded-Host", "evil.example");
        request.Headers.Add("X-Forwarded-Proto", "http");
        using var response = await http.SendAsync(request);
        var metadata = JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsObject();
        Assert.Equal(Issuer, metadata["issuer"]!.GetValue<string>());
        Assert.All(metadata.Where(m => m.Key.EndsWith("_endpoint", StringComparison.Ordinal) || m.Key == "jwks_uri"), m => Assert.StartsWith(Issuer + "/", m.Value!.GetValue<string>(), StringComparison.Ordinal));
    }

    private async Task<AuthorizeResult.Answered> Answered() => Assert.IsType<AuthorizeResult.Answered>(await Hospital.Authorize(
        await trust.World.Physician.ForTls(Card.AuthenticationKey, None), RunningTrust.Redirect, "openid rx.sign", trust.World.Institutions[0], trust.Sign, None));

    private async Task<Answer> Redeem(OAuthClient client, string code, string redirect, string verifier)
    {
        using var http = Connections.Client(trust.Installation.RootFile);
        return await client.Token(http, [new("grant_type", "authorization_code"), new("code", code), new("redirect_uri", redirect), new("code_verifier", verifier)], None);
    }

    private async Task<Uri> Authorize(params (string Name, string Value)[] changes)
    {
        using var http = Connections.Client(trust.Installation.RootFile);
        using var response = await http.GetAsync(Issuer + "/authorize?" + Query(changes));
        Assert.Equal(HttpStatusCode.SeeOther, response.StatusCode);
        return new Uri(new Uri(Issuer), response.Headers.Location!);
    }

    private static string Query(params (string Name, string Value)[] changes)
    {
        var fields = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["response_type"] = "code", ["client_id"] = "his-shuan", ["redirect_uri"] = RunningTrust.Redirect, ["scope"] = "openid", ["state"] = "s-1",
            ["code_challenge"] = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(new string('v', 43)))), ["code_challenge_method"] = "S256",
        };
        foreach (var (name, value) in changes)
        {
            fields[name] = value;
        }

        return string.Join('&', fields.Select(f => f.Key + "=" + Uri.EscapeDataString(f.Value)));
    }
}

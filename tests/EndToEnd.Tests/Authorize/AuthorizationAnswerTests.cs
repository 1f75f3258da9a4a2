using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Trust.EndToEnd.Tests.Browser;

namespace Trust.EndToEnd.Tests.Authorize;

/// <summary>How a relying party is answered: by form, by a signed token, to a request that it signed; and what the metadata says of it.</summary>
public sealed class AuthorizationAnswerTests(RunningTrust trust)
{
    [Fact]
    public async Task An_answer_by_form_is_a_page_without_inline_script_whose_form_goes_to_the_registered_address()
    {
        using var client = await RelyingParty.Register(trust, "standard");
        using var browser = new HandBrowser(trust);
        var consent = await browser.LogIn(trust.World.Physician, await browser.Location(client.BeginPlainly(("response_mode", "form_post"), ("state", "\"><script>alert(1)</script>"))));
        var (page, csp) = await RelyingParty.AcceptToPage(trust, browser, consent);
        Assert.Contains("action=\"" + RunningTrust.Redirect + "\"", page, StringComparison.Ordinal);
        Assert.Equal((43, "\"><script>alert(1)</script>", client.Issuer), (RelyingParty.Hidden(page, "code").Length, RelyingParty.Hidden(page, "state"), RelyingParty.Hidden(page, "iss")));
        Assert.DoesNotContain("<script>", page, StringComparison.Ordinal);
        Assert.Contains("script-src 'self'; ", csp, StringComparison.Ordinal);
        Assert.Contains("form-action 'self' https://127.0.0.10:9443;", csp, StringComparison.Ordinal);
        Assert.Equal("document.getElementById(\"answer\").submit();", (await browser.Http.GetStringAsync(client.Issuer + "/assets/submit.js")).Split('\n')[1]);
    }

    [Fact]
    public async Task An_error_goes_the_way_that_was_asked_for()
    {
        using var client = await RelyingParty.Register(trust, "standard");
        using var browser = new HandBrowser(trust);
        using var posted = await browser.Http.GetAsync(client.BeginPlainly(("response_mode", "form_post"), ("prompt", "none")));
        Assert.Equal(HttpStatusCode.OK, posted.StatusCode);
        Assert.Equal("login_required", RelyingParty.Hidden(await posted.Content.ReadAsStringAsync(), "error"));
        var signed = await Verified(client, RelyingParty.Of(await browser.Location(client.BeginPlainly(("response_mode", "jwt"), ("prompt", "none"))), "response")!);
        Assert.Equal(("login_required", "s-1"), (signed.GetPayloadValue<string>("error"), signed.GetPayloadValue<string>("state")));
        using var both = await browser.Http.GetAsync(client.BeginPlainly(("response_mode", "form_post.jwt"), ("prompt", "none")));
        await Verified(client, RelyingParty.Hidden(await both.Content.ReadAsStringAsync(), "response"));
    }

    [Fact]
    public async Task A_signed_answer_carries_the_code_for_this_client_and_nothing_stands_beside_it()
    {
        using var client = await RelyingParty.Register(trust, "fapi2", ("require_signed_request_object", true));
        using var browser = new HandBrowser(trust);
        var unsigned = await client.Post("/par", client.Request());
        Assert.Equal(400, unsigned.Status);
        var (status, json) = await client.Post("/par", [new("client_id", client.Id), new("state", "outside"), new("request", client.RequestObject(("response_mode", "jwt")))]);
        Assert.Equal(201, status);
        var answer = await RelyingParty.Answer(browser, trust.World.Physician, client.Begin(("client_id", client.Id), ("request_uri", json!["request_uri"]!.GetValue<string>())));
        Assert.StartsWith("?response=", answer.Query, StringComparison.Ordinal);
        Assert.DoesNotContain("&", answer.Query, StringComparison.Ordinal);
        var response = await Verified(client, RelyingParty.Of(answer, "response")!);
        Assert.Equal(("s-1", 43), (response.GetPayloadValue<string>("state"), response.GetPayloadValue<string>("code").Length));
        // It is no ID token.
        Assert.Equal("/login", (await new HandBrowser(trust).Location(await client.Pushed(("request", client.RequestObject())))).AbsolutePath);
        var hinted = await client.Post("/par", [new("client_id", client.Id), new("request", client.RequestObject(("id_token_hint", RelyingParty.Of(answer, "response"))))]);
        Assert.Equal((400, "invalid_request"), (hinted.Status, hinted.Json!["error"]!.GetValue<string>()));
    }

    [Fact]
    public async Task In_a_signed_request_only_what_was_signed_counts()
    {
        using var client = await RelyingParty.Register(trust, "standard");
        using var browser = new HandBrowser(trust);
        var answer = await RelyingParty.Answer(browser, trust.World.Physician, client.Begin(
            ("client_id", client.Id), ("request", client.RequestObject(("state", "signed"))), ("state", "outside"), ("redirect_uri", "https://evil.example"), ("response_mode", "form_post")));
        Assert.StartsWith(RunningTrust.Redirect + "?code=", answer.ToString(), StringComparison.Ordinal);
        Assert.Equal("signed", RelyingParty.Of(answer, "state"));
        var stranger = await browser.Location(client.BeginPlainly(("request", client.RequestObject(("iss", "other")))));
        Assert.Equal("invalid_request_object", RelyingParty.Of(stranger, "error"));
        // CVE-2026-7571: what comes back may change nothing.
        Assert.Equal("unsupported_response_type", RelyingParty.Of(await browser.Location(client.BeginPlainly(("request", client.RequestObject(("response_type", "code token"))))), "error"));
    }

    [Fact]
    public async Task The_metadata_names_what_is_served()
    {
        using var browser = new HandBrowser(trust);
        using var metadata = JsonDocument.Parse(await browser.Http.GetStringAsync(browser.Issuer + "/.well-known/openid-configuration"));
        var root = metadata.RootElement;
        Assert.Equal(browser.Issuer + "/par", root.GetProperty("pushed_authorization_request_endpoint").GetString());
        Assert.False(root.GetProperty("require_pushed_authorization_requests").GetBoolean());
        Assert.True(root.GetProperty("claims_parameter_supported").GetBoolean() && root.GetProperty("request_parameter_supported").GetBoolean());
        Assert.Equal(["query", "form_post", "jwt", "query.jwt", "form_post.jwt"], root.GetProperty("response_modes_supported").EnumerateArray().Select(m => m.GetString()));
        Assert.Equal(["prescription_sign", "record_sign", "record_access"], root.GetProperty("authorization_details_types_supported").EnumerateArray().Select(m => m.GetString()));
    }

    private static async Task<JsonWebToken> Verified(RelyingParty client, string response)
    {
        using var http = Cli.Local.Connections.Client(client.RootFile);
        var keys = new JsonWebKeySet(await http.GetStringAsync(client.Issuer + "/jwks"));
        var result = await new JsonWebTokenHandler().ValidateTokenAsync(response, new TokenValidationParameters
        {
            ValidIssuer = client.Issuer, ValidAudience = client.Id, IssuerSigningKeys = keys.GetSigningKeys(), ValidAlgorithms = ["ES256", "PS256"],
        });
        Assert.True(result.IsValid, result.Exception?.Message);
        return Assert.IsType<JsonWebToken>(result.SecurityToken);
    }
}

using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.EndToEnd.Tests.Browser;
using Trust.EndToEnd.Tests.Prescription;
using Trust.TestKit;

namespace Trust.EndToEnd.Tests.Login;

/// <summary>What binds a request to a person, a client to what it registered, and a consent to its withdrawal.</summary>
public sealed class ProviderRulesTests(RunningTrust trust)
{
    private static readonly CancellationToken None = CancellationToken.None;

    private string Issuer => trust.Installation.Addresses.Idp;

    // A text that goes into an event is judged at the door: 64 characters that are no hash add nothing to it.
    [Fact]
    public async Task A_notices_hash_that_is_none_is_refused_and_no_event_is_shaped_by_it()
    {
        using var driver = new PrescriptionDriver(trust);
        var patient = await driver.Patient();
        const string injected = "\",\"class\":\"RESTRICTED";
        var answer = await (await driver.System()).Send(HttpMethod.Post, "/consents", Consent(patient, new string('0', 64 - injected.Length) + injected), null, None);
        Assert.Equal(400, answer.Status);
        Assert.Equal("urn:trust:problem:idp:consent-malformed", answer.Json!["type"]!.GetValue<string>());
        Assert.Equal(0, await Count("SELECT count(*) FROM idp.audit_outbox WHERE action = 'CONSENT.grant' AND convert_from(body, 'UTF8')::json->>'class' = 'RESTRICTED'"));
    }

    // A closed institution loses everything at once.
    [Fact]
    public async Task A_closed_institutions_system_gets_no_token_and_the_one_it_has_is_dead()
    {
        var row = new JsonObject { ["creditCode"] = CreditCode(), ["name"] = "停业示范诊所", ["kind"] = "clinic", ["region"] = "510100" };
        var urn = (await trust.World.Import(new JsonObject { ["institutions"] = new JsonArray(row) }, None))[0]!["urn"]!.GetValue<string>();
        var client = await Register("closed-clinic", "rx.read", trust.Sign, "hospital-system", urn);
        var token = await client.OwnToken("rx.read", trust.Sign, None);
        Assert.True(await client.IsActive(token, None));
        await trust.World.Officers[0].Api.Post($"/institutions/{urn}/state", new JsonObject { ["state"] = "closed", ["reason"] = "licence-ended" }, None);
        await Eventually.Holds(async () => !await client.IsActive(token, None), "the token is dead");
        var refused = await Assert.ThrowsAsync<DemoException>(() => client.OwnToken("rx.read", trust.Sign, None));
        Assert.Contains("institution-closed", refused.Message, StringComparison.Ordinal);
    }

    // Whoever sits at the browser does not go past the card by the address of the notice.
    [Theory]
    [InlineData("prompt", "login")]
    [InlineData("prompt", "select_account")]
    [InlineData("max_age", "0")]
    public async Task A_request_to_log_in_again_is_not_answered_without_the_card(string name, string value)
    {
        using var browser = new HandBrowser(trust);
        var (_, card) = await trust.NewPhysician(None);
        await browser.LogIn(card);
        var login = await browser.Location(browser.Authorize((name, value)));
        Assert.Equal("/login", login.AbsolutePath);
        var notice = login.ToString().Replace("/login?", "/consent?", StringComparison.Ordinal);
        Assert.Equal("/login", (await browser.Location(notice)).AbsolutePath);
        // With the card it goes on.
        await browser.LogIn(card, login);
        Assert.Contains("code=", (await browser.Accept(new Uri(notice))).Query, StringComparison.Ordinal);
    }

    // Two addresses may have one port, as in production.
    [Fact]
    public async Task With_one_port_on_two_addresses_the_provider_serves_each_its_own()
    {
        var directory = Scratch.Directory("one-port");
        var (main, services) = (PostgresCluster.FreePort(), PostgresCluster.FreePort());
        var config = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(trust.Installation.Directory, "config", "idp.json")))!;
        config["Listen"]!["Main"]!["Url"] = FormattableString.Invariant($"https://localhost:{main}");
        config["Listen"]!["Card"]!["Url"] = FormattableString.Invariant($"https://127.0.0.2:{main}");
        config["Listen"]!["Services"]!["Url"] = FormattableString.Invariant($"https://127.0.0.2:{services}");
        // What clients and officers connect to stands elsewhere.
        config["Listen"]!.AsObject().Remove("Mtls");
        config["Listen"]!.AsObject().Remove("Officers");
        config["Idp"]!.AsObject().Remove("MtlsUrl");
        config["Service"]!["Node"] = "idp-2";
        var file = Path.Combine(directory, "idp.json");
        await File.WriteAllTextAsync(file, config.ToJsonString());
        var process = new ServiceProcess("idp", ServiceProcess.Assembly(Cli.Program.RepositoryRoot(), "idp"), file, directory,
            new Dictionary<string, string>(StringComparer.Ordinal) { ["SOFTHSM2_CONF"] = Path.Combine(trust.Installation.Directory, "tokens", "idp", "softhsm2.conf") });
        process.Start();
        try
        {
            using var http = Connections.Client(trust.Installation.RootFile);
            await Eventually.Holds(async () =>
            {
                try
                {
                    using var live = await http.GetAsync(FormattableString.Invariant($"https://localhost:{main}/health/live"));
                    return live.IsSuccessStatusCode;
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            }, "the second provider answers: " + process.LogFile);
            using var metadata = await http.GetAsync(FormattableString.Invariant($"https://localhost:{main}/.well-known/openid-configuration"));
            Assert.Equal(HttpStatusCode.OK, metadata.StatusCode);
            using var onCardHost = await http.GetAsync(FormattableString.Invariant($"https://127.0.0.2:{main}/.well-known/openid-configuration"));
            Assert.Equal(HttpStatusCode.NotFound, onCardHost.StatusCode);
        }
        finally
        {
            await process.Stop(None);
        }
    }

    [Fact]
    public async Task A_withdrawal_ends_every_consent_of_that_kind_and_a_consent_sent_twice_is_one()
    {
        using var driver = new PrescriptionDriver(trust);
        var patient = await driver.Patient();
        var system = await driver.System();
        var consent = Consent(patient, new string('0', 64));
        var newer = await system.Post("/consents", consent, None);
        Assert.Equal(newer["consentId"]!.GetValue<string>(), (await system.Post("/consents", consent, None))["consentId"]!.GetValue<string>());
        (await system.Send(HttpMethod.Post, $"/consents/{newer["consentId"]}/withdrawal", new JsonObject(), null, None)).Expect("withdrawal");
        var (urn, card) = await trust.NewPhysician(None);
        var doctor = driver.Person(await trust.Login(card, "openid rx.sign rx.read", None));
        var prepared = await driver.Prepare(doctor, urn, card, patient);
        Assert.Equal((403, "urn:trust:problem:sign:no-consent"), (prepared.Status, prepared.Json!["type"]!.GetValue<string>()));
    }

    // RFC 7662: that a client may ask for tokens of a resource does not make it that resource.
    [Fact]
    public async Task A_hospitals_system_is_told_nothing_about_a_pharmacys_token()
    {
        var token = await trust.World.Client("pharmacy-jincheng").OwnToken("rx.read", trust.Sign, None);
        Assert.True(await trust.World.Client("pharmacy-jincheng").IsActive(token, None));
        Assert.False(await trust.World.Client("his-shuan").IsActive(token, None));
    }

    [Fact]
    public async Task The_event_of_a_registration_names_the_hash_of_what_was_registered()
    {
        await Register("recorded-clinic", "rx.read", trust.Sign, "hospital-system", trust.World.Institutions[0]);
        Assert.NotEqual(0, await Count("SELECT count(*) FROM idp.audit_outbox WHERE action = 'ADMIN.config'"));
        Assert.Equal(0, await Count("SELECT count(*) FROM idp.audit_outbox WHERE action = 'ADMIN.config' AND convert_from(body, 'UTF8')::json->>'reason' IN ('registered', 'updated', 'disabled') AND convert_from(body, 'UTF8')::json->>'basis' !~ '^client:sha256:[0-9a-f]{64}$'"));
    }

    [Fact]
    public async Task A_disabled_client_gets_no_token_and_the_one_it_has_is_dead()
    {
        var client = await Register("disabled-clinic", "rx.read", trust.Sign, "hospital-system", trust.World.Institutions[0]);
        var resource = await Register("a-resource", "rx.read", trust.Sign, "resource-server", trust.World.Institutions[0]);
        var token = await client.OwnToken("rx.read", trust.Sign, None);
        Assert.True(await resource.IsActive(token, None));
        var other = await Register("disabled-clinic", "rx.read", trust.Sign, "hospital-system", trust.World.Institutions[0], enabled: false);
        await Eventually.Holds(async () => await Refused(other), "no token is given");
        Assert.False(await resource.IsActive(token, None));

        async Task<bool> Refused(OAuthClient disabled)
        {
            try
            {
                await disabled.OwnToken("rx.read", trust.Sign, None);
                return false;
            }
            catch (DemoException)
            {
                return true;
            }
        }
    }

    // OpenID Connect Core 3.1.2.1: with another user's hint prompt=none is answered login_required.
    [Fact]
    public async Task A_silent_request_that_names_another_person_gets_no_code()
    {
        using var browser = new HandBrowser(trust);
        var (_, card) = await trust.NewPhysician(None);
        await browser.LogIn(card);
        var other = Assert.IsType<LoginResult.Granted>(await trust.Login(trust.World.Pharmacist, "openid", None));
        var answer = await browser.Location(browser.Authorize(("prompt", "none"), ("id_token_hint", other.IdToken)));
        Assert.Contains("error=login_required", answer.Query, StringComparison.Ordinal);
        // With a page the other person is asked for; whoever logs in instead is no answer.
        var login = await browser.Location(browser.Authorize(("id_token_hint", other.IdToken)));
        Assert.Equal("/login", login.AbsolutePath);
        await browser.LogIn(card, login);
        var refused = await browser.Location(login.ToString().Replace("/login?", "/consent?", StringComparison.Ordinal));
        Assert.Contains("error=login_required", refused.Query, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a.b.c")]
    [InlineData("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJ4In0.")]
    public async Task A_hint_that_is_no_ID_token_of_the_client_is_an_invalid_request(string hint)
    {
        using var browser = new HandBrowser(trust);
        Assert.Contains("error=invalid_request", (await browser.Location(browser.Authorize(("id_token_hint", hint)))).Query, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_own_hint_is_answered_silently()
    {
        var (_, card) = await trust.NewPhysician(None);
        var granted = Assert.IsType<LoginResult.Granted>(await trust.Login(card, "openid", None));
        using var browser = new HandBrowser(trust);
        await browser.LogIn(card);
        Assert.Contains("code=", (await browser.Location(browser.Authorize(("prompt", "none"), ("id_token_hint", granted.IdToken)))).Query, StringComparison.Ordinal);
    }

    // RP-Initiated Logout 1.0 section 2: a client_id that is not the hint's audience is an error.
    [Fact]
    public async Task An_end_of_session_with_another_clients_id_is_refused()
    {
        var granted = Assert.IsType<LoginResult.Granted>(await trust.Login(trust.World.Pharmacist, "openid", None));
        using var browser = new HandBrowser(trust);
        var answer = await browser.Location($"{Issuer}/end-session?id_token_hint={granted.IdToken}&client_id=pharmacy-jincheng");
        Assert.Equal(("/error", "?rule=client-mismatch"), (answer.AbsolutePath, answer.Query));
    }

    // RFC 7515 4.1.4: kid is a hint. A client with one key needs none, and stock clients send none.
    [Fact]
    public async Task An_assertion_without_kid_is_taken_of_a_client_with_one_key()
    {
        using var key = ECDsa.Create();
        key.ImportFromPem(await File.ReadAllTextAsync(Path.Combine(trust.Installation.Directory, "clients", "regulator-sichuan.pem")));
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var claims = new JsonObject { ["iss"] = "regulator-sichuan", ["sub"] = "regulator-sichuan", ["aud"] = Issuer, ["iat"] = now, ["exp"] = now + 60, ["jti"] = Guid.NewGuid().ToString() };
        var input = Base64Url.EncodeToString("""{"alg":"ES256"}"""u8) + "." + Base64Url.EncodeToString(Encoding.UTF8.GetBytes(claims.ToJsonString()));
        var assertion = input + "." + Base64Url.EncodeToString(key.SignData(Encoding.ASCII.GetBytes(input), HashAlgorithmName.SHA256));
        using var http = Connections.Client(trust.Installation.RootFile);
        using var form = new FormUrlEncodedContent([
            new("grant_type", "client_credentials"), new("scope", "audit.read"), new("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), new("client_assertion", assertion),
        ]);
        using var answer = await http.PostAsync(Issuer + "/token", form);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    // RFC 9110 11.1: the name of a scheme is compared without regard to case.
    [Fact]
    public async Task A_token_behind_bearer_in_lower_case_is_taken()
    {
        var token = await trust.World.Client("pharmacy-jincheng").OwnToken("rx.claim", trust.Sign, None);
        using var http = Connections.Client(trust.Installation.RootFile);
        Assert.Equal(HttpStatusCode.NotFound, await Claim("Bearer"));
        Assert.Equal(HttpStatusCode.NotFound, await Claim("bearer"));

        async Task<HttpStatusCode> Claim(string scheme)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"{trust.Sign}/prescriptions/{Guid.NewGuid()}/claim");
            request.Headers.Authorization = new AuthenticationHeaderValue(scheme, token);
            request.Headers.Add("Idempotency-Key", Guid.NewGuid().ToString());
            using var answer = await http.SendAsync(request);
            return answer.StatusCode;
        }
    }

    // RFC 8252 7.3: a native client listens on whatever loopback port is free.
    [Fact]
    public async Task A_native_clients_loopback_address_may_have_any_port_and_nothing_else_may_differ()
    {
        using var browser = new HandBrowser(trust);
        Assert.Equal("/login", (await browser.Location(browser.Authorize(("redirect_uri", "http://127.0.0.1:9480/callback")))).AbsolutePath);
        Assert.Equal("/login", (await browser.Location(browser.Authorize(("redirect_uri", "http://127.0.0.1:51004/callback")))).AbsolutePath);
        foreach (var other in new[]
        {
            "http://127.0.0.1:51004/other", "http://127.0.0.2:9480/callback", "http://localhost:9480/callback", "https://127.0.0.1:9480/callback", "http://127.0.0.1:0/callback",
            "http://127.0.0.1:65536/callback", "http://127.0.0.1:9480@evil.example/callback", "http://127.0.0.1:9480/callback#", "http://127.0.0.1:+9480/callback", "https://127.0.0.10:9444/callback",
        })
        {
            Assert.Equal("/error", (await browser.Location(browser.Authorize(("redirect_uri", other)))).AbsolutePath);
        }
    }

    [Fact]
    public async Task Ui_locales_chooses_the_language_until_the_person_does()
    {
        using var browser = new HandBrowser(trust);
        Assert.Contains("ui_locales_supported", await browser.Http.GetStringAsync(Issuer + "/.well-known/openid-configuration"), StringComparison.Ordinal);
        var page = await browser.Location(browser.Authorize(("ui_locales", "fr en-GB zh")));
        Assert.Contains("<html lang=\"en\">", await browser.Http.GetStringAsync(page), StringComparison.Ordinal);
        Assert.Contains("<html lang=\"zh-CN\">", await browser.Http.GetStringAsync(page + "&lang=zh"), StringComparison.Ordinal);
        Assert.Contains("<html lang=\"zh-CN\">", await browser.Http.GetStringAsync(await browser.Location(browser.Authorize(("ui_locales", "en")))), StringComparison.Ordinal);
    }

    private async Task<OAuthClient> Register(string id, string scope, string resource, string role, string institution, bool enabled = true)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var file = Path.Combine(Scratch.Directory("client"), id + ".json");
        await File.WriteAllTextAsync(file, new JsonArray(new JsonObject
        {
            ["client_id"] = id, ["name_zh"] = "测试", ["name_en"] = "Test", ["profile"] = "standard", ["grant_types"] = new JsonArray("client_credentials"), ["scopes"] = new JsonArray(scope), ["enabled"] = enabled,
            ["resources"] = new JsonArray(resource), ["role"] = role, ["institution"] = institution, ["region"] = "510000", ["jwks"] = OAuthClient.Jwks(key),
        }).ToJsonString());
        await trust.Installation.Services["idp"].Verb("import-clients", ["--file", file], None);
        return new OAuthClient(id, key, Issuer, trust.Installation.RootFile);
    }

    private JsonObject Consent(string patient, string hash) => new()
    {
        ["patient"] = patient, ["institution"] = trust.World.Institutions[0], ["kind"] = "online-care", ["noticeVersion"] = "2026-11", ["noticeSha256"] = hash,
        ["acknowledgedAt"] = TimeProvider.System.GetUtcNow().ToString("O", CultureInfo.InvariantCulture), ["method"] = "app",
    };

    private async Task<long> Count(string sql) => long.Parse((await trust.Installation.Cluster!.Sql("trust", sql, None)).Trim(), CultureInfo.InvariantCulture);

    private static string CreditCode()
    {
        const string alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY";
        int[] weights = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
        var body = string.Create(CultureInfo.InvariantCulture, $"12510000{RandomNumberGenerator.GetInt32(100_000_000, 999_999_999)}");
        return body + alphabet[(31 - (body.Select((c, i) => alphabet.IndexOf(c, StringComparison.Ordinal) * weights[i]).Sum() % 31)) % 31];
    }
}

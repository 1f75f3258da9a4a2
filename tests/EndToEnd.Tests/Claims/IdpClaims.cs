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

namespace Trust.EndToEnd.Tests.Claims;

/// <summary>What the provider does today where a review says that it should do otherwise; each comment says what is right. Whoever mends it turns the test.</summary>
public sealed class IdpClaims(RunningTrust trust)
{
    private static readonly CancellationToken None = CancellationToken.None;

    private string Issuer => trust.Installation.Addresses.Idp;

    // A text that goes into an event is judged at the door: 64 characters that are no hash add nothing to it.
    [Fact]
    public async Task F3_A_notices_hash_that_is_none_is_refused_and_no_event_is_shaped_by_it()
    {
        using var driver = new PrescriptionDriver(trust);
        var patient = await driver.Patient();
        const string injected = "\",\"class\":\"RESTRICTED";
        var answer = await (await driver.System()).Send(HttpMethod.Post, "/consents", Consent(patient, new string('0', 64 - injected.Length) + injected), null, None);
        Assert.Equal(400, answer.Status);
        Assert.Equal("urn:trust:problem:idp:consent-malformed", answer.Json!["type"]!.GetValue<string>());
        Assert.Equal(0, await Count("SELECT count(*) FROM idp.audit_outbox WHERE action = 'CONSENT.grant' AND convert_from(body, 'UTF8')::json->>'class' = 'RESTRICTED'"));
    }

    // A closed institution loses everything at once; today its systems get tokens.
    [Fact]
    public async Task F11_A_closed_institutions_system_gets_a_token()
    {
        var row = new JsonObject { ["creditCode"] = CreditCode(), ["name"] = "停业示范诊所", ["kind"] = "clinic", ["region"] = "510100" };
        var urn = (await trust.World.Import(new JsonObject { ["institutions"] = new JsonArray(row) }, None))[0]!["urn"]!.GetValue<string>();
        var client = await Register("closed-clinic", "rx.read", trust.Sign, "hospital-system", urn);
        await trust.World.Officers[0].Api.Post($"/institutions/{urn}/state", new JsonObject { ["state"] = "closed", ["reason"] = "licence-ended" }, None);
        Assert.NotEmpty(await client.OwnToken("rx.read", trust.Sign, None));
    }

    // prompt=login asks for the card again; today whoever sits at the browser goes past it by the address of the notice.
    [Theory]
    [InlineData("prompt", "login")]
    [InlineData("max_age", "0")]
    public async Task F24_A_request_to_log_in_again_is_answered_without_the_card(string name, string value)
    {
        using var browser = new HandBrowser(trust);
        var (_, card) = await trust.NewPhysician(None);
        await browser.LogIn(card);
        var login = await browser.Location(browser.Authorize((name, value)));
        Assert.Equal("/login", login.AbsolutePath);
        var answer = await browser.Accept(new Uri(login.ToString().Replace("/login?", "/consent?", StringComparison.Ordinal)));
        Assert.StartsWith(RunningTrust.Redirect, answer.ToString(), StringComparison.Ordinal);
        Assert.Contains("code=", answer.Query, StringComparison.Ordinal);
    }

    // Two addresses may have one port, as in production; today every page of the provider is then taken for the card host's.
    [Fact]
    public async Task F29_With_one_port_on_two_addresses_the_provider_answers_404()
    {
        var directory = Scratch.Directory("one-port");
        var (main, services) = (PostgresCluster.FreePort(), PostgresCluster.FreePort());
        var config = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(trust.Installation.Directory, "config", "idp.json")))!;
        config["Listen"]!["Main"]!["Url"] = FormattableString.Invariant($"https://localhost:{main}");
        config["Listen"]!["Card"]!["Url"] = FormattableString.Invariant($"https://127.0.0.2:{main}");
        config["Listen"]!["Services"]!["Url"] = FormattableString.Invariant($"https://127.0.0.2:{services}");
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
            Assert.Equal(HttpStatusCode.NotFound, metadata.StatusCode);
        }
        finally
        {
            await process.Stop(None);
        }
    }

    // A withdrawal should end the consent of that kind; today it ends one record, and an older one goes on granting.
    [Fact]
    public async Task M1_After_a_withdrawal_an_older_consent_still_grants()
    {
        using var driver = new PrescriptionDriver(trust);
        var patient = await driver.Patient();
        var system = await driver.System();
        var newer = await system.Post("/consents", Consent(patient, new string('0', 64)), None);
        (await system.Send(HttpMethod.Post, $"/consents/{newer["consentId"]}/withdrawal", new JsonObject(), null, None)).Expect("withdrawal");
        var (urn, card) = await trust.NewPhysician(None);
        var doctor = driver.Person(await trust.Login(card, "openid rx.sign rx.read", None));
        Assert.Equal(201, (await driver.Prepare(doctor, urn, card, patient)).Status);
    }

    // A token is told about to its client and to its resource; today to every client that may ask for tokens of that resource.
    [Fact]
    public async Task M11_A_hospitals_system_is_told_about_a_pharmacys_token()
    {
        var token = await trust.World.Client("pharmacy-jincheng").OwnToken("rx.read", trust.Sign, None);
        Assert.True(await trust.World.Client("his-shuan").IsActive(token, None));
    }

    // FAPI 2 binds a token to its sender; today a client of that profile gets a bearer token like any other (M17).
    [Fact]
    public async Task M11_A_client_of_the_profile_fapi2_gets_an_unbound_bearer_token()
    {
        var client = await Register("fapi-clinic", "rx.read", trust.Sign, "hospital-system", trust.World.Institutions[0], "fapi2");
        var token = await client.OwnToken("rx.read", trust.Sign, None);
        Assert.Null(JsonNode.Parse(Base64Url.DecodeFromChars(token.Split('.')[1]))!["cnf"]);
    }

    // An import should be recorded with the hash of what it registered; today the event says that a registration took place.
    [Fact]
    public async Task M11_The_event_of_a_registration_does_not_say_what_was_registered()
    {
        await Register("recorded-clinic", "rx.read", trust.Sign, "hospital-system", trust.World.Institutions[0]);
        Assert.Equal(0, await Count("SELECT count(*) FROM idp.audit_outbox WHERE action = 'ADMIN.config' AND convert_from(body, 'UTF8')::json->>'basis' <> 'client-registration'"));
        Assert.NotEqual(0, await Count("SELECT count(*) FROM idp.audit_outbox WHERE action = 'ADMIN.config'"));
    }

    // On a shared workstation a session should end with the browser, or after minutes without use, or with the next login.
    [Fact]
    public async Task M12_A_session_outlives_the_browser_and_the_next_login()
    {
        var (urn, card) = await trust.NewPhysician(None);
        using var browser = new HandBrowser(trust);
        await browser.LogIn(card);
        Assert.True(browser.Session!.Expires > DateTime.Now.AddHours(3));
        using var next = new HandBrowser(trust);
        await next.LogIn(card);
        Assert.Equal(2, await Count($"SELECT count(*) FROM idp.sessions WHERE person = '{urn}' AND ended_at IS NULL"));
    }

    // OpenID Connect Core 3.1.2.1: with another user's hint prompt=none is answered login_required; today the hint is dropped and the wrong doctor's code goes out.
    [Fact]
    public async Task J_A_silent_request_that_names_another_person_gets_a_code_of_whoever_is_logged_in()
    {
        using var browser = new HandBrowser(trust);
        var (_, card) = await trust.NewPhysician(None);
        await browser.LogIn(card);
        var other = Assert.IsType<LoginResult.Granted>(await trust.Login(trust.World.Pharmacist, "openid", None));
        var answer = await browser.Location(browser.Authorize(("prompt", "none"), ("id_token_hint", other.IdToken)));
        Assert.Contains("code=", answer.Query, StringComparison.Ordinal);
    }

    // RP-Initiated Logout 1.0 section 2: a client_id that is not the hint's audience is an error.
    [Fact]
    public async Task J_An_end_of_session_with_another_clients_id_goes_on()
    {
        var granted = Assert.IsType<LoginResult.Granted>(await trust.Login(trust.World.Pharmacist, "openid", None));
        using var browser = new HandBrowser(trust);
        var answer = await browser.Location($"{Issuer}/end-session?id_token_hint={granted.IdToken}&client_id=pharmacy-jincheng");
        Assert.Equal("/signed-out", answer.AbsolutePath);
    }

    // RFC 7515 4.1.4: kid is a hint. A client with one key needs none, and stock clients send none.
    [Fact]
    public async Task N_An_assertion_without_kid_is_refused_though_the_client_has_one_key()
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
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Equal("invalid_client", JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["error"]!.GetValue<string>());
    }

    // RFC 9110 11.1: the name of a scheme is compared without regard to case.
    [Fact]
    public async Task N_A_token_behind_bearer_in_lower_case_is_taken()
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
    public async Task N_A_native_clients_loopback_address_on_another_port_is_refused()
    {
        using var browser = new HandBrowser(trust);
        Assert.Equal("/login", (await browser.Location(browser.Authorize(("redirect_uri", "http://127.0.0.1:9480/callback")))).AbsolutePath);
        Assert.Equal("/error", (await browser.Location(browser.Authorize(("redirect_uri", "http://127.0.0.1:51004/callback")))).AbsolutePath);
    }

    // ui_locales is advertised, so it should choose the language of the pages.
    [Fact]
    public async Task N_Ui_locales_is_advertised_and_ignored()
    {
        using var browser = new HandBrowser(trust);
        Assert.Contains("ui_locales_supported", await browser.Http.GetStringAsync(Issuer + "/.well-known/openid-configuration"), StringComparison.Ordinal);
        Assert.Contains("<html lang=\"zh-CN\">", await browser.Http.GetStringAsync(await browser.Location(browser.Authorize(("ui_locales", "en")))), StringComparison.Ordinal);
    }

    private async Task<OAuthClient> Register(string id, string scope, string resource, string role, string institution, string profile = "standard")
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var file = Path.Combine(Scratch.Directory("client"), id + ".json");
        await File.WriteAllTextAsync(file, new JsonArray(new JsonObject
        {
            ["client_id"] = id, ["name_zh"] = "测试", ["name_en"] = "Test", ["grant_types"] = new JsonArray("client_credentials"), ["scopes"] = new JsonArray(scope), ["profile"] = profile,
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

using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.EndToEnd.Tests.Prescription;
using Trust.TestKit;

namespace Trust.EndToEnd.Tests.Faults;

/// <summary>Lost peers and killed processes: refused by rule, and nothing acknowledged is lost.</summary>
[Collection("faults")]
public sealed class LostPeersTests(RunningTrust trust)
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly TimeSpan Start = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task With_the_ledger_away_signing_refuses_at_once_and_revocation_goes_on_and_is_recorded_later()
    {
        using var driver = new PrescriptionDriver(trust);
        var (urn, card) = await trust.NewPhysician(None);
        var patient = await driver.Patient();
        var doctor = driver.Person(await trust.Login(card, "openid rx.sign rx.read", None));
        var prepared = (await driver.Prepare(doctor, urn, card, patient)).Expect("prepare");
        var body = await PrescriptionDriver.Sign(card, prepared);
        var before = await LedgerSize();
        await trust.Installation.Services["ledger"].Kill(None);
        try
        {
            await Eventually.Holds(async () => (await doctor.Send(HttpMethod.Post, $"/prescriptions/{prepared["id"]}/signature", body, null, None)).Status == 503, "signing refuses without the ledger");
            var revoked = await trust.World.Officers[1].Api.Send(
                HttpMethod.Post, $"/certificates/{card.Authentication.Sha256Hex}/revoke", new JsonObject { ["reason"] = "superseded" }, null, None);
            Assert.Equal(200, revoked.Status);
            await Eventually.Holds(async () => await trust.Login(card, "openid", None) is LoginResult.Refused { Rule: "certificate-revoked" }, "the revoked card is refused", TimeSpan.FromSeconds(5));
        }
        finally
        {
            trust.Installation.Services["ledger"].Start();
            await trust.Installation.WaitUntilReady("ledger", Start, None);
        }

        await Eventually.Holds(async () => await LedgerSize() > before, "the revocation reached the ledger");
        await Eventually.Holds(
            async () => (await doctor.Send(HttpMethod.Post, $"/prescriptions/{prepared["id"]}/signature", body, null, None)).Status == 200, "signing goes on when the ledger is back");
    }

    [Fact]
    public async Task Every_service_killed_at_once_comes_back_with_what_was_acknowledged()
    {
        using var driver = new PrescriptionDriver(trust);
        var (urn, card) = await trust.NewPhysician(None);
        var doctor = driver.Person(await trust.Login(card, "openid rx.sign rx.read", None));
        var prepared = (await driver.Prepare(doctor, urn, card, await driver.Patient())).Expect("prepare");
        (await doctor.Send(HttpMethod.Post, $"/prescriptions/{prepared["id"]}/signature", await PrescriptionDriver.Sign(card, prepared), null, None)).Expect("signature");
        await Task.WhenAll(trust.Installation.Services.Values.Select(s => s.Kill(None)));
        await trust.Installation.StartServices(None);
        var again = driver.Person(await trust.Login(card, "openid rx.sign rx.read", None));
        Assert.Equal("signed", (await again.Get($"/prescriptions/{prepared["id"]}", None))["status"]!.GetValue<string>());
        (await driver.Prepare(again, urn, card, await driver.Patient())).Expect("prepare");
    }

    [Fact]
    public async Task PostgreSQL_restarted_under_load_costs_retries_and_nothing_else()
    {
        var regulator = trust.World.Client("regulator-sichuan");
        using var stop = new CancellationTokenSource();
        var served = 0;
        var load = Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            using var http = Connections.Client(trust.Installation.RootFile);
            while (!stop.IsCancellationRequested)
            {
                var answer = await regulator.Token(http, [new("grant_type", "client_credentials"), new("scope", "audit.read")], None);
                Assert.True(answer.Status is 200 or 500 or 503, answer.Text);
                if (answer.Status == 200)
                {
                    Interlocked.Increment(ref served);
                }
            }
        })));
        await Eventually.Holds(() => Volatile.Read(ref served) > 20, "tokens are served");
        await trust.Installation.Cluster!.Restart(None);
        var after = Volatile.Read(ref served);
        await Eventually.Holds(() => Volatile.Read(ref served) > after + 20, "tokens are served again");
        await stop.CancelAsync();
        await load;
        await trust.Installation.WaitUntilReady("idp", Start, None);
        await trust.Installation.WaitUntilReady("ca", Start, None);
        await trust.Installation.WaitUntilReady("sign", Start, None);
    }

    [Fact]
    public async Task Services_started_without_the_ledger_vouch_for_nothing_until_it_is_back()
    {
        using var driver = new PrescriptionDriver(trust);
        var (_, card) = await trust.NewPhysician(None);
        var doctor = driver.Person(await trust.Login(card, "openid rx.sign rx.read", None));
        var services = trust.Installation.Services;
        await Task.WhenAll(new[] { "ledger", "idp", "ca", "sign" }.Select(s => services[s].Kill(None)));
        try
        {
            foreach (var name in new[] { "idp", "ca", "sign" })
            {
                services[name].Start();
                await Eventually.Holds(() => Lives(name), name + " runs", Start);
            }

            using var http = Connections.Client(trust.Installation.RootFile);
            using (var page = await http.GetAsync(trust.Installation.Addresses.Idp + "/authorize?client_id=his-shuan"))
            {
                Assert.Equal(503, (int)page.StatusCode);
                Assert.NotNull(page.Headers.RetryAfter);
                Assert.Equal("text/html", page.Content.Headers.ContentType!.MediaType);
                Assert.Contains("head-not-compared", await page.Content.ReadAsStringAsync(), StringComparison.Ordinal);
                Assert.Contains("default-src 'none'", page.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
            }

            var token = await trust.World.Client("regulator-sichuan").Token(http, [new("grant_type", "client_credentials"), new("scope", "audit.read")], None);
            Assert.Equal((503, "temporarily_unavailable"), (token.Status, token.Json!["error"]!.GetValue<string>()));
            var signing = await doctor.Send(HttpMethod.Post, "/prescriptions", new JsonObject(), null, None);
            Assert.Equal((503, "head-not-compared"), (signing.Status, signing.Problem));
            var ready = await new Api(http, trust.Installation.Addresses.Sign).Send(HttpMethod.Get, "/health/ready", null, null, None);
            Assert.Contains("head-not-compared", ready.Json!["checks"]!["ledger"]!["detail"]!.GetValue<string>(), StringComparison.Ordinal);
            Assert.Equal(200, (await new Api(http, trust.Installation.Addresses.Idp).Send(HttpMethod.Get, "/jwks", null, null, None)).Status);
        }
        finally
        {
            services["ledger"].Start();
            foreach (var name in new[] { "ledger", "idp", "ca", "sign" })
            {
                await trust.Installation.WaitUntilReady(name, Start, None);
            }
        }

        Assert.IsType<LoginResult.Granted>(await trust.Login(card, "openid rx.sign", None));
    }

    private async Task<bool> Lives(string service)
    {
        try
        {
            using var http = Connections.Client(trust.Installation.RootFile);
            return (await new Api(http, trust.Installation.BaseUrl(service)).Send(HttpMethod.Get, "/health/live", null, null, None)).Status == 200;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private async Task<long> LedgerSize()
    {
        using var http = Connections.Client(trust.Installation.RootFile);
        var text = System.Text.Encoding.UTF8.GetString(await new Api(http, trust.Installation.Addresses.Ledger).Bytes("/checkpoint", None));
        return long.Parse(text.Split('\n')[1], System.Globalization.CultureInfo.InvariantCulture);
    }
}

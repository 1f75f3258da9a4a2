using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.TestKit;

namespace Trust.EndToEnd.Tests.Prescription;

/// <summary>Signing across the four real services.</summary>
public sealed class SigningTests(RunningTrust trust)
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task A_doctor_suspended_between_prepare_and_complete_signs_nothing()
    {
        using var driver = new PrescriptionDriver(trust);
        var (urn, card) = await trust.NewPhysician(None);
        var doctor = driver.Person(await trust.Login(card, "openid rx.sign rx.read", None));
        var prepared = (await driver.Prepare(doctor, urn, card, await driver.Patient())).Expect("prepare");
        var body = await PrescriptionDriver.Sign(card, prepared);
        await trust.World.Officers[1].Api.Post($"/practitioners/{urn}/state", new JsonObject { ["state"] = "suspended", ["reason"] = "regulator-order" }, None);
        var patient = await driver.Patient();
        await Eventually.Holds(async () => (await driver.Prepare(doctor, urn, card, patient)).Text.Contains("suspended", StringComparison.Ordinal), "the service has heard of it", TimeSpan.FromSeconds(5));
        var refused = await doctor.Send(HttpMethod.Post, $"/prescriptions/{prepared["id"]}/signature", body, null, None);
        Assert.True(refused.Status is 401 or 403 or 409, refused.Text);
        Assert.Contains("suspended", refused.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_same_completion_with_the_same_key_gets_the_same_bytes_back()
    {
        using var driver = new PrescriptionDriver(trust);
        var (urn, card) = await trust.NewPhysician(None);
        var doctor = driver.Person(await trust.Login(card, "openid rx.sign rx.read", None));
        var prepared = (await driver.Prepare(doctor, urn, card, await driver.Patient())).Expect("prepare");
        var body = await PrescriptionDriver.Sign(card, prepared);
        var first = await doctor.Send(HttpMethod.Post, $"/prescriptions/{prepared["id"]}/signature", body, "same-key", None);
        var second = await doctor.Send(HttpMethod.Post, $"/prescriptions/{prepared["id"]}/signature", body, "same-key", None);
        Assert.Equal(200, first.Status);
        Assert.Equal(first.Text, second.Text);
        var other = await doctor.Send(HttpMethod.Post, $"/prescriptions/{prepared["id"]}/signature", await PrescriptionDriver.Sign(card, prepared), "same-key", None);
        Assert.Equal("idempotency-mismatch", other.Problem);
    }

    [Fact]
    public async Task A_token_for_another_service_or_with_another_scope_is_refused()
    {
        using var driver = new PrescriptionDriver(trust);
        var pharmacist = driver.Person(await trust.Login(trust.World.Pharmacist, "openid rx.review", None));
        Assert.Equal("insufficient-scope", (await pharmacist.Send(HttpMethod.Post, "/prescriptions", new JsonObject(), null, None)).Problem);
        using var http = Cli.Local.Connections.Client(trust.Installation.RootFile);
        var foreign = await trust.World.Client("regulator-sichuan").OwnToken("audit.read", trust.Installation.Addresses.Ledger, None);
        Assert.Equal("invalid-token", (await new Api(http, trust.Sign, foreign).Send(HttpMethod.Post, "/prescriptions", new JsonObject(), null, None)).Problem);
    }

    [Fact]
    public async Task A_pharmacist_never_gets_the_scope_to_prescribe()
    {
        var granted = Assert.IsType<LoginResult.Granted>(await trust.Login(trust.World.Pharmacist, "openid rx.sign rx.review", None));
        var claims = JsonNode.Parse(System.Buffers.Text.Base64Url.DecodeFromChars(granted.AccessToken.Split('.')[1]))!;
        Assert.DoesNotContain("rx.sign", claims["scope"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Contains("rx.review", claims["scope"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"bundle\":{},\"bundle\":{},\"certificate\":\"\"}")]
    [InlineData("{\"bundle\":")]
    [InlineData("[]")]
    [InlineData("{\"bundle\":{},\"certificate\":\"\",\"unknown\":1}")]
    public async Task Malformed_JSON_is_refused_by_a_named_problem(string body)
    {
        var granted = (LoginResult.Granted)await trust.Login(trust.World.Physician, "openid rx.sign", None);
        using var http = Cli.Local.Connections.Client(trust.Installation.RootFile);
        using var request = new HttpRequestMessage(HttpMethod.Post, trust.Sign + "/prescriptions") { Content = new StringContent(body, System.Text.Encoding.UTF8, "application/json") };
        request.Headers.Authorization = new("Bearer", granted.AccessToken);
        request.Headers.Add("Idempotency-Key", Guid.NewGuid().ToString());
        using var response = await http.SendAsync(request);
        Assert.Equal(400, (int)response.StatusCode);
        Assert.Contains("urn:trust:problem:sign:", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }
}

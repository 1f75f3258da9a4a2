using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;

namespace Trust.EndToEnd.Tests.Prescription;

/// <summary>The steps of a prescription as the hospital's and the pharmacy's systems make them.</summary>
public sealed class PrescriptionDriver(RunningTrust trust) : IDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly HttpClient _http = Connections.Client(trust.Installation.RootFile);

    /// <summary>A registered patient, whom no other test knows, with an online-care consent.</summary>
    public async Task<string> Patient()
    {
        var system = await System();
        var sample = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(trust.World.Samples, "patient.json")))!;
        sample["idNumber"] = RunningTrust.IdentityNumber();
        var patient = (await system.Post("/patients", sample, None))["pseudonym"]!.GetValue<string>();
        await system.Post("/consents", new JsonObject
        {
            ["patient"] = patient, ["institution"] = trust.World.Institutions[0], ["kind"] = "online-care", ["noticeVersion"] = "2026-11",
            ["noticeSha256"] = new string('0', 64), ["acknowledgedAt"] = TimeProvider.System.GetUtcNow().ToString("O", CultureInfo.InvariantCulture), ["method"] = "app",
        }, None);
        return patient;
    }

    public async Task<Api> System() => new(_http, trust.Installation.Addresses.Idp,
        await trust.World.Client("his-shuan").OwnToken("patient.register consent.record", trust.Installation.Addresses.Idp, None));

    public Api Person(LoginResult login) => new(_http, trust.Sign, ((LoginResult.Granted)login).AccessToken);

    public async Task<Api> Pharmacy() => new(_http, trust.Sign, await trust.World.Client("pharmacy-jincheng").OwnToken("rx.read rx.claim rx.dispense validate", trust.Sign, None));

    /// <summary>Prepares a prescription in a doctor's name, altered as asked.</summary>
    public async Task<Answer> Prepare(Api doctor, string urn, Card card, string patient, string? key = null, Action<JsonNode>? alter = null)
    {
        var number = "RX-" + Convert.ToHexString(RandomNumberGenerator.GetBytes(8));
        var bundle = JsonNode.Parse((await trust.World.Prescription(patient, number, None)).ToJsonString().Replace(trust.World.Practitioners[0], urn, StringComparison.Ordinal))!;
        var (name, licence) = trust.RegisteredAs(urn);
        var practitioner = bundle["entry"]!.AsArray().Select(e => e!["resource"]!).Single(r => r["resourceType"]!.GetValue<string>() == "Practitioner");
        practitioner["name"]![0]!["text"] = name;
        practitioner["identifier"]![1]!["value"] = licence;
        alter?.Invoke(bundle);
        return await doctor.Send(HttpMethod.Post, "/prescriptions", new JsonObject { ["bundle"] = bundle, ["certificate"] = Convert.ToBase64String(card.Signature.Der.Span) }, key, None);
    }

    /// <summary>Signs what was prepared, with the card.</summary>
    public static async Task<JsonObject> Sign(Card card, JsonNode prepared) => new()
    {
        ["signature"] = Base64Url.EncodeToString(await card.Sign(Convert.FromBase64String(prepared["toBeSigned"]!.GetValue<string>()), None)),
    };

    public void Dispose() => _http.Dispose();
}

using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Verify;
using Trust.TestKit;

namespace Trust.EndToEnd.Tests.Prescription;

/// <summary>From the doctor's signature to a file that a sceptic verifies without us.</summary>
public sealed class EvidenceTests(RunningTrust trust)
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task A_dispensed_prescriptions_trail_verifies_offline_and_one_changed_byte_is_named()
    {
        using var driver = new PrescriptionDriver(trust);
        var prescription = await Dispensed(driver);
        using var http = Cli.Local.Connections.Client(trust.Installation.RootFile);
        var regulator = new Api(http, trust.Installation.Addresses.Ledger,
            await trust.World.Client("regulator-sichuan").OwnToken("audit.read", trust.Installation.Addresses.Ledger, None));
        var file = Path.Combine(Scratch.Directory("evidence"), "evidence.json");
        byte[] evidence = [];
        // The last events travel by the relay: the regulator asks until the dispensing is in the file.
        await Eventually.Holds(async () =>
        {
            evidence = await regulator.Bytes($"/evidence/prescription/{prescription}", None);
            await File.WriteAllBytesAsync(file, evidence);
            return Verdict(file).Text.Contains("RX.dispense", StringComparison.Ordinal);
        }, "the evidence holds the dispensing");
        var (code, text) = Verdict(file);
        Assert.Equal(VerifyCommand.Verified, code);
        foreach (var act in new[] { "SIGN.request", "SIGN.done", "RX.sign", "RX.review", "RX.seal", "RX.claim", "RX.dispense" })
        {
            Assert.Contains(act, text, StringComparison.Ordinal);
        }

        Assert.Contains("cosigned by: witness.", text, StringComparison.Ordinal);
        Assert.DoesNotContain("510105196008150", System.Text.Encoding.UTF8.GetString(evidence), StringComparison.Ordinal);
        var at = evidence.AsSpan().IndexOf("\"leaf\":\""u8) + 600;
        at += evidence.AsSpan(at).IndexOfAnyInRange((byte)'A', (byte)'Z');
        evidence[at] ^= 1;
        await File.WriteAllBytesAsync(file, evidence);
        var refused = Verdict(file);
        Assert.Equal(VerifyCommand.Refused, refused.Code);
        Assert.Contains("event #", refused.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_a_regulator_gets_evidence_and_that_there_is_none_is_proved_too()
    {
        using var driver = new PrescriptionDriver(trust);
        using var http = Cli.Local.Connections.Client(trust.Installation.RootFile);
        var stranger = new Api(http, trust.Installation.Addresses.Ledger, await trust.World.Client("pharmacy-jincheng").OwnToken("rx.read", trust.Sign, None));
        Assert.Equal(401, (await stranger.Send(HttpMethod.Get, $"/evidence/prescription/{Guid.NewGuid()}", null, null, None)).Status);
        var regulator = new Api(http, trust.Installation.Addresses.Ledger,
            await trust.World.Client("regulator-sichuan").OwnToken("audit.read", trust.Installation.Addresses.Ledger, None));
        var file = Path.Combine(Scratch.Directory("evidence"), "none.json");
        await File.WriteAllBytesAsync(file, await regulator.Bytes($"/evidence/prescription/{Guid.NewGuid()}", None));
        var (code, text) = Verdict(file);
        Assert.Equal(VerifyCommand.NoEvent, code);
        Assert.Contains("NO EVENT", text, StringComparison.Ordinal);
    }

    private (int Code, string Text) Verdict(string file)
    {
        using var output = new StringWriter();
        var code = VerifyCommand.Run(file, trust.Installation.TrustedListFile, "en", output);
        return (code, output.ToString());
    }

    private async Task<string> Dispensed(PrescriptionDriver driver)
    {
        var (urn, card) = await trust.NewPhysician(None);
        var doctor = driver.Person(await trust.Login(card, "openid rx.sign rx.read", None));
        var prepared = (await driver.Prepare(doctor, urn, card, await driver.Patient())).Expect("prepare");
        var id = prepared["id"]!.GetValue<string>();
        await doctor.Post($"/prescriptions/{id}/signature", await PrescriptionDriver.Sign(card, prepared), None);
        var pharmacist = driver.Person(await trust.Login(trust.World.Pharmacist, "openid rx.review rx.read", None));
        var review = await pharmacist.Post(
            $"/prescriptions/{id}/review", new JsonObject { ["decision"] = "approve", ["certificate"] = Convert.ToBase64String(trust.World.Pharmacist.Signature.Der.Span) }, None);
        await pharmacist.Post($"/prescriptions/{id}/review/signature", await PrescriptionDriver.Sign(trust.World.Pharmacist, review), None);
        var pharmacy = await driver.Pharmacy();
        await pharmacy.Post($"/prescriptions/{id}/claim", new JsonObject(), None);
        // The pharmacy has the signatures judged before it hands anything over, by the CA's own records.
        var read = await pharmacy.Get($"/prescriptions/{id}", None);
        var verdict = await pharmacy.Post("/validations", new JsonObject { ["payload"] = read["payload"]!.DeepClone(), ["signatures"] = read["signatures"]!.DeepClone() }, None);
        Assert.Equal("valid", verdict["verdict"]!.GetValue<string>());
        Assert.Equal([urn, trust.World.Practitioners[1], trust.World.Institutions[0]], verdict["signers"]!.AsArray().Select(s => s!["signer"]!.GetValue<string>()));
        await pharmacy.Post($"/prescriptions/{id}/dispense", new JsonObject { ["dispenser"] = trust.World.Practitioners[2] }, None);
        return id;
    }
}

using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Trust.Cli.Local;
using Trust.Crypto.Json;

namespace Trust.Cli.Demo;

/// <summary>
/// The main job, played through the public interfaces only: one prescription from enrolment to an audit trail verified
/// offline, and a revocation that bites. Ends with a failure if anything differs from what must be true.
/// </summary>
public sealed class DemoRun(World world, Narrator narrator)
{
    private const string Redirect = "https://127.0.0.10:9443/callback";
    private readonly Installation _installation = world.Installation;
    private string _prescription = "";
    private string _patient = "";
    private LoginResult.Granted? _physician;

    /// <summary>Plays the eight steps.</summary>
    /// <returns>The evidence file.</returns>
    public async Task<string> Play(CancellationToken ct)
    {
        await Ceremony(ct);
        await Registry(ct);
        await Enrolment(ct);
        await Login(ct);
        await Signing(ct);
        await Review(ct);
        var evidence = await Audit(ct);
        await Revocation(ct);
        return evidence;
    }

    private async Task Ceremony(CancellationToken ct)
    {
        narrator.Step(1, "Ceremony 密钥仪式: root and issuing CAs born in the CA's token, from one reviewed file");
        var root = Crypto.Asn1.Certificate.ParsePem(await File.ReadAllTextAsync(_installation.RootFile, ct))[0];
        narrator.Says($"root {root.SubjectText}, SHA-256 {root.Sha256Hex}");
        foreach (var issuing in new[] { "practitioner-issuing.pem", "institution-issuing.pem", "service-issuing.pem" })
        {
            await Command.Run("openssl", ["verify", "-x509_strict", "-CAfile", _installation.RootFile, Public(issuing)], ct);
        }

        narrator.Checked("openssl accepts the three issuing CAs under the root (-x509_strict)");
        await Command.Run("openssl", ["verify", "-x509_strict", "-vfyopt", "distid:1234567812345678", "-partial_chain", "-trusted", Public("root-sm2.pem"), Public("practitioner-issuing-sm2.pem")], ct);
        narrator.Checked("openssl accepts the SM2 twin of the practitioner-issuing CA (SM3, ID 1234567812345678)");
        using var http = Connections.Client(_installation.RootFile);
        var ledger = new Api(http, _installation.Addresses.Ledger);
        await Until(async () => int.Parse(Encoding.UTF8.GetString(await ledger.Bytes("/checkpoint", ct)).Split('\n')[1], CultureInfo.InvariantCulture) >= 1, "the ledger has no entry", ct);
        narrator.Checked("the ledger's signed checkpoint covers leaf 0, which holds the ceremony's transcript and root hashes");
        narrator.Done();
    }

    private async Task Registry(CancellationToken ct)
    {
        narrator.Step(2, "Registry 登记: a hospital, a township clinic, a pharmacy and their practitioners, identifiers checked");
        var rows = await world.ImportRegistry(ct);
        narrator.Must(rows.All(r => r!["result"]!.GetValue<string>() != "refused"), $"{rows.Count} rows accepted: credit codes (GB 32100), identity numbers (GB 11643), licences, affiliations, filings");
        var bad = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(world.Samples, "registry.json"), ct))!;
        var code = bad["institutions"]![0]!["creditCode"]!.GetValue<string>();
        bad["institutions"]![0]!["creditCode"] = code[..^1] + (code[^1] == '0' ? '1' : '0');
        var refused = await world.Officers[0].Api.Post("/registry/imports", new JsonObject { ["institutions"] = bad["institutions"]!.DeepClone() }, ct);
        narrator.Must(refused["results"]![0]!["rule"]?.GetValue<string>() == "credit-code-checksum", "a credit code with a wrong check character is refused: credit-code-checksum");
        await OneOfficersImport(ct);
        await world.RegisterClients(ct);
        narrator.Says($"physician {world.Practitioners[0]}, hospital {world.Institutions[0]}");
        narrator.Done();
    }

    private async Task OneOfficersImport(CancellationToken ct)
    {
        var registered = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(world.Samples, "registry.json"), ct))!["practitioners"]![1]!;
        var wider = registered.DeepClone();
        wider["scope"]!.AsArray().Add("处方开具");
        var answer = await world.Officers[0].Api.Post("/registry/imports", new JsonObject { ["practitioners"] = new JsonArray(wider) }, ct);
        var proposal = answer["proposal"];
        narrator.Must(answer["results"]![0]!["result"]?.GetValue<string>() == "proposed" && proposal is not null, "one officer's widening import gives nothing: it waits for a second officer");
        var own = await world.Officers[0].Api.Send(
            HttpMethod.Post, $"/registry/imports/{proposal!["id"]}/confirmations", new JsonObject { ["sha256"] = proposal["sha256"]!.DeepClone() }, null, ct);
        narrator.Must(own.Status == 403 && own.Json?["title"]?.GetValue<string>() == "own-request", "the officer who sent it cannot confirm it: own-request");
        await world.Officers[1].Api.Post($"/registry/imports/{proposal["id"]}/withdrawals", new JsonObject(), ct);
        var again = await world.Officers[0].Api.Post("/registry/imports", new JsonObject { ["practitioners"] = new JsonArray(registered.DeepClone()) }, ct);
        narrator.Must(again["results"]![0]!["result"]?.GetValue<string>() == "unchanged", "turned down by the second officer, it left the registry as it was");
    }

    private async Task Enrolment(CancellationToken ct)
    {
        narrator.Step(3, "Enrolment 发证: the doctor's USB key makes two key pairs; two officers approve by card; lint; issue");
        if (!(await Card.Open(world.Reader, _installation.CardDirectory, "card-zhang", ct)).IsPersonalised)
        {
            await TwoPersonsRule(ct);
        }

        var card = await world.Enrol(0, ct);
        await world.Enrol(1, ct);
        await world.Enrol(2, ct);
        narrator.Checked("physician, pharmacist and retail pharmacist have an authentication and a signature certificate each");
        await Openssl.Chain(_installation.RootFile, Public("practitioner-issuing.pem"), card.CertificateFile(Card.SignatureKey), ct);
        narrator.Checked("openssl accepts the doctor's chain hop by hop (-x509_strict)");
        await world.EnrolSeal(ct);
        narrator.Checked("the hospital's seal key was born in the signing service's token; its certificate came by the same two approvals");
        narrator.Done();
    }

    private async Task TwoPersonsRule(CancellationToken ct)
    {
        var trial = await Card.Open(world.Reader, _installation.CardDirectory, "card-trial", ct);
        await using (trial)
        {
            var request = await world.Officers[0].RequestCertificate(
                "practitioner-authentication", world.Practitioners[0], world.Institutions[0], await trial.Request(Card.AuthenticationKey, "张示范", ct), "card-trial", ct);
            narrator.Must((await world.Officers[0].Approve(request, ct)).Status >= 400, "the requesting officer's own approval is refused");
            (await world.Officers[1].Approve(request, ct)).Expect("approval");
            await world.Officers[1].Approve(request, ct);
            var state = await world.Officers[0].Api.Get($"/certificate-requests/{request["id"]}", ct);
            narrator.Must(state["state"]!.GetValue<string>() == "pending" && state["approvals"]!.GetValue<int>() == 1, "the same officer approving twice counts once: nothing is issued");
        }
    }

    private async Task Login(CancellationToken ct)
    {
        narrator.Step(4, "Login 登录: TLS client certificate from the USB key, authorization code with PKCE");
        _physician = await Login(world.Physician, "his-shuan", Redirect, "openid profile rx.sign rx.read", world.Institutions[0], ct);
        var claims = JsonNode.Parse(System.Buffers.Text.Base64Url.DecodeFromChars(_physician.AccessToken.Split('.')[1]))!;
        narrator.Must(claims["sub"]!.GetValue<string>() == world.Practitioners[0] && claims["acting_institution"]!.GetValue<string>() == world.Institutions[0],
            $"the access token names practitioner, role ({claims["role"]}) and acting institution");
        narrator.Must(claims["licence"]?["verified_at"] is not null, $"licence {claims["licence"]!["status"]}, verified at {claims["licence"]!["verified_at"]}");
        var wrong = await world.Client("his-shuan").Login(await world.Physician.ForTls(Card.SignatureKey, ct), Redirect, "openid", world.Institutions[0], _installation.Addresses.Sign, ct);
        narrator.Must(wrong is LoginResult.Refused { Rule: "wrong-key-usage" }, "logging in with the signature key is refused: wrong-key-usage");
        narrator.Done();
    }

    private async Task Signing(CancellationToken ct)
    {
        narrator.Step(5, "Signing 签名: FHIR prescription, canonical bytes, the doctor's key and PIN, a trusted time-stamp");
        var his = world.Client("his-shuan");
        using var http = Connections.Client(_installation.RootFile);
        var system = new Api(http, _installation.Addresses.Idp, await his.OwnToken("patient.register consent.record", _installation.Addresses.Idp, ct));
        var sample = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(world.Samples, "patient.json"), ct))!;
        _patient = (await system.Post("/patients", sample, ct))["pseudonym"]!.GetValue<string>();
        await system.Post("/consents", new JsonObject
        {
            ["patient"] = _patient, ["institution"] = world.Institutions[0], ["kind"] = "online-care", ["noticeVersion"] = "2026-11",
            ["noticeSha256"] = Convert.ToHexStringLower(SHA256.HashData("notice"u8)), ["acknowledgedAt"] = TimeProvider.System.GetUtcNow().ToString("O"), ["method"] = "app",
        }, ct);
        narrator.Checked("the patient has a pseudonym (no identity number leaves the provider) and an online-care consent");
        var doctor = new Api(http, _installation.Addresses.Sign, _physician!.AccessToken);
        var bundle = await world.Prescription(_patient, NewNumber(), ct);
        var doNot = bundle.DeepClone();
        doNot["entry"]!.AsArray().Single(e => e!["resource"]!["resourceType"]!.GetValue<string>() == "MedicationRequest")!["resource"]!["doNotPerform"] = true;
        var refused = await doctor.Send(
            HttpMethod.Post, "/prescriptions", new JsonObject { ["bundle"] = doNot, ["certificate"] = Convert.ToBase64String(world.Physician.Signature.Der.Span) }, null, ct);
        narrator.Must(refused.Status == 422, $"a prescription that says \"do not\" is refused before anyone signs it: {refused.Problem}");
        var prepared = await doctor.Post("/prescriptions", new JsonObject { ["bundle"] = bundle, ["certificate"] = Convert.ToBase64String(world.Physician.Signature.Der.Span) }, ct);
        _prescription = prepared["id"]!.GetValue<string>();
        var toBeSigned = Convert.FromBase64String(prepared["toBeSigned"]!.GetValue<string>());
        var payload = Convert.FromBase64String(prepared["payload"]!.GetValue<string>());
        narrator.Must(toBeSigned.AsSpan().EndsWith(payload) && Encoding.UTF8.GetString(payload).Contains("苯磺酸氨氯地平片", StringComparison.Ordinal),
            "the bytes to be signed contain the prescription the doctor sees; the card hashes them itself");
        var wrongKey = await doctor.Send(HttpMethod.Post, $"/prescriptions/{_prescription}/signature", Signature(await world.Physician.Sign(Card.AuthenticationKey, toBeSigned, ct)), null, ct);
        narrator.Must(wrongKey.Status >= 400, $"a signature by the authentication key is refused: {wrongKey.Problem}");
        var signed = await doctor.Post($"/prescriptions/{_prescription}/signature", Signature(await world.Physician.Sign(toBeSigned, ct)), ct);
        narrator.Checked($"signed and time-stamped, status {signed["status"]}");
        await JudgeTimeStamp(signed, ct);
        narrator.Done();
    }

    private async Task Review(CancellationToken ct)
    {
        narrator.Step(6, "Review 审方、盖章、取药: a pharmacist countersigns, the institution seals, one pharmacy claims and dispenses");
        using var http = Connections.Client(_installation.RootFile);
        var pharmacist = await Login(world.Pharmacist, "his-shuan", Redirect, "openid profile rx.review rx.read", world.Institutions[0], ct);
        var reviewer = new Api(http, _installation.Addresses.Sign, pharmacist.AccessToken);
        var review = await reviewer.Post($"/prescriptions/{_prescription}/review", new JsonObject
        {
            ["decision"] = "approve", ["certificate"] = Convert.ToBase64String(world.Pharmacist.Signature.Der.Span),
        }, ct);
        var toBeSigned = Convert.FromBase64String(review["toBeSigned"]!.GetValue<string>());
        var reviewed = await reviewer.Post($"/prescriptions/{_prescription}/review/signature", Signature(await world.Pharmacist.Sign(toBeSigned, ct)), ct);
        narrator.Must(reviewed["status"]!.GetValue<string>() == "released", "the pharmacist countersigned, the institution's seal key signed: released");
        var pharmacy = new Api(http, _installation.Addresses.Sign, await world.Client("pharmacy-jincheng").OwnToken("rx.read rx.claim rx.dispense", _installation.Addresses.Sign, ct));
        await pharmacy.Post($"/prescriptions/{_prescription}/claim", new JsonObject(), ct);
        narrator.Checked("the pharmacy claimed the prescription");
        var again = await pharmacy.Send(HttpMethod.Post, $"/prescriptions/{_prescription}/claim", new JsonObject(), null, ct);
        narrator.Must(again.Status == 409, $"a second claim is refused: {again.Problem}");
        var dispenser = new JsonObject { ["dispenser"] = world.Practitioners[2] };
        await pharmacy.Post($"/prescriptions/{_prescription}/dispense", dispenser, ct);
        var twice = await pharmacy.Send(HttpMethod.Post, $"/prescriptions/{_prescription}/dispense", dispenser, null, ct);
        narrator.Must(twice.Status == 409, $"dispensed once; dispensing twice is refused: {twice.Problem}");
        narrator.Done();
    }

    private async Task<string> Audit(CancellationToken ct)
    {
        narrator.Step(7, "Audit 审计: the regulator exports the trail and verifies it offline");
        using var http = Connections.Client(_installation.RootFile);
        var regulator = new Api(http, _installation.Addresses.Ledger, await world.Client("regulator-sichuan").OwnToken("audit.read", _installation.Addresses.Ledger, ct));
        var evidence = await regulator.Bytes($"/evidence/prescription/{_prescription}", ct);
        var file = Path.Combine(_installation.Directory, $"evidence-{_prescription}.json");
        await File.WriteAllBytesAsync(file, evidence, ct);
        narrator.Says($"who touched prescription {_prescription}, and is that all? The answer: {file} ({evidence.Length / 1024.0:F0} KiB), checked without any service:");
        var verdict = new StringWriter();
        narrator.Must(Verify.VerifyCommand.Run(file, _installation.TrustedListFile, "en", verdict) == 0, "trust verify: nothing is missing, added or moved; every event, signature, time-stamp, proof and checkpoint holds");
        foreach (var line in verdict.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Take(24))
        {
            narrator.Says(line);
        }

        await SecondOpinion(file, ct);
        var hidden = file + ".hidden";
        await File.WriteAllBytesAsync(hidden, WithoutThirdEvent(evidence), ct);
        var gap = new StringWriter();
        narrator.Must(Verify.VerifyCommand.Run(hidden, _installation.TrustedListFile, "en", gap) != 0, "one event left out of the answer is refused, and named:");
        narrator.Says(gap.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).LastOrDefault() ?? "");

        var flipped = FlipInFourthEvent(evidence);
        var broken = file + ".flipped";
        await File.WriteAllBytesAsync(broken, flipped, ct);
        var refusal = new StringWriter();
        narrator.Must(Verify.VerifyCommand.Run(broken, _installation.TrustedListFile, "en", refusal) != 0, "one flipped byte is refused, and named:");
        narrator.Says(refusal.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).LastOrDefault() ?? "");
        narrator.Done();
        return file;
    }

    // Another language, other libraries, the same verdict.
    private async Task SecondOpinion(string file, CancellationToken ct)
    {
        if (await Verify.SecondVerifier.Judge(file, _installation.TrustedListFile, ct) is { } second)
        {
            narrator.Must(second.StartsWith("VERIFIED", StringComparison.Ordinal), "the second verifier, in Python: " + second);
        }
        else
        {
            narrator.Says("the second verifier needs python3-cryptography, which is not installed here");
        }
    }

    private static byte[] WithoutThirdEvent(byte[] evidence)
    {
        var json = JsonNode.Parse(evidence)!;
        json["events"]!.AsArray().RemoveAt(2);
        return CanonicalJson.Encode(json);
    }

    // One bit of one character inside the recorded bytes of the fourth event.
    private static byte[] FlipInFourthEvent(byte[] evidence)
    {
        var flipped = (byte[])evidence.Clone();
        var at = 0;
        for (var i = 0; i < 4; i++)
        {
            at += flipped.AsSpan(at).IndexOf("\"leaf\":\""u8) + 8;
        }

        at += flipped.AsSpan(at + 600).IndexOfAnyInRange((byte)'A', (byte)'Z') + 600;
        flipped[at] = flipped[at] == (byte)'A' ? (byte)'B' : (byte)'A';
        return flipped;
    }

    private async Task Revocation(CancellationToken ct)
    {
        narrator.Step(8, "Revocation 吊销: the officer revokes the doctor's certificates; login, token and signature stop");
        var his = world.Client("his-shuan");
        using var http = Connections.Client(_installation.RootFile);
        narrator.Must(await his.IsActive(_physician!.AccessToken, ct), "before: the doctor's token is active");
        var watch = Stopwatch.StartNew();
        foreach (var certificate in new[] { world.Physician.Authentication, world.Physician.Signature })
        {
            await world.Officers[1].Api.Post($"/certificates/{certificate.Sha256Hex}/revoke", new JsonObject { ["reason"] = "keyCompromise" }, ct);
        }

        var revoked = watch.Elapsed;
        await Until(async () => !await his.IsActive(_physician.AccessToken, ct), "introspection still says active", ct);
        narrator.Checked(string.Create(CultureInfo.InvariantCulture, $"token and session dead {(watch.Elapsed - revoked).TotalMilliseconds:F0} ms after the revocation was answered"));
        var login = await his.Login(await world.Physician.ForTls(Card.AuthenticationKey, ct), Redirect, "openid", world.Institutions[0], _installation.Addresses.Sign, ct);
        narrator.Must(login is LoginResult.Refused, string.Create(CultureInfo.InvariantCulture, $"login refused ({(login as LoginResult.Refused)?.Rule}) {(watch.Elapsed - revoked).TotalMilliseconds:F0} ms after"));
        var doctor = new Api(http, _installation.Addresses.Sign, _physician.AccessToken);
        var bundle = await world.Prescription(_patient, NewNumber(), ct);
        var refused = await doctor.Send(HttpMethod.Post, "/prescriptions", new JsonObject { ["bundle"] = bundle, ["certificate"] = Convert.ToBase64String(world.Physician.Signature.Der.Span) }, null, ct);
        narrator.Must(refused.Status is 401 or 403 or 409 or 422, $"the next signature is refused: {refused.Problem}");
        narrator.Must(watch.Elapsed < TimeSpan.FromSeconds(5), string.Create(CultureInfo.InvariantCulture, $"all of it within {watch.Elapsed.TotalSeconds:F1} s (limit 5 s)"));
        await JudgeStatus(ct);
        narrator.Done();
    }

    private async Task JudgeStatus(CancellationToken ct)
    {
        var ocsp = await Openssl.Ocsp(_installation.RootFile, Public("practitioner-issuing.pem"), world.Physician.CertificateFile(Card.SignatureKey), _installation.Addresses.Public + "/ocsp", ct);
        narrator.Must(ocsp.Contains("revoked", StringComparison.Ordinal), "openssl asks OCSP: revoked, response verified");
        using var plain = Connections.Client(null);
        var file = Path.Combine(_installation.Directory, "practitioner-issuing.crl");
        var serial = Convert.ToHexString(world.Physician.Signature.SerialNumber.Span);
        await Until(async () =>
        {
            await File.WriteAllBytesAsync(file, await new Api(plain, _installation.Addresses.Public).Bytes("/crl/practitioner-issuing.crl", ct), ct);
            return (await Openssl.Crl(Public("practitioner-issuing.pem"), _installation.RootFile, file, ct)).Contains(serial, StringComparison.Ordinal);
        }, "the CRL does not list the certificate", ct);
        narrator.Checked("openssl reads the CRL: signature good, certificate listed");
    }

    private async Task JudgeTimeStamp(JsonNode signed, CancellationToken ct)
    {
        // RFC 3161 stamps the signature value, as JAdES sigTst does.
        var data = Path.Combine(_installation.Directory, "signature.bin");
        var token = Path.Combine(_installation.Directory, "signature.tst");
        await File.WriteAllBytesAsync(data, Encoding.ASCII.GetBytes(signed["signature"]!.GetValue<string>()), ct);
        await File.WriteAllBytesAsync(token, Convert.FromBase64String(signed["timestamp"]!.GetValue<string>()), ct);
        await Openssl.TimeStamp(_installation.RootFile, Public("institution-issuing.pem"), data, token, ct);
        narrator.Checked("openssl accepts the RFC 3161 time-stamp over the signature");
    }

    private async Task<LoginResult.Granted> Login(Card card, string client, string redirect, string scope, string institution, CancellationToken ct) =>
        await world.Client(client).Login(await card.ForTls(Card.AuthenticationKey, ct), redirect, scope, institution, _installation.Addresses.Sign, ct) switch
        {
            LoginResult.Granted granted => granted,
            LoginResult.Refused refused => throw new DemoException($"The login of {card.Label} was refused: {refused.Rule}"),
            _ => throw new InvalidOperationException("Unknown result."),
        };

    private static async Task Until(Func<Task<bool>> holds, string otherwise, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!await holds())
        {
            if (watch.Elapsed > TimeSpan.FromSeconds(5))
            {
                throw new DemoException($"After five seconds: {otherwise}.");
            }

            await tick.WaitForNextTickAsync(ct);
        }
    }

    private static JsonObject Signature(byte[] raw) => new() { ["signature"] = System.Buffers.Text.Base64Url.EncodeToString(raw) };

    private static string NewNumber() => "RX-" + Convert.ToHexString(RandomNumberGenerator.GetBytes(8));

    private string Public(string file) => Path.Combine(_installation.PublicDirectory, file);
}

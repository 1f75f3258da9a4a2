using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Trust.Crypto.Asn1;
using Trust.Crypto.Json;
using Trust.SignService.Signatures;
using Trust.SignService.Timestamps;

namespace Trust.SignService.Tests;

/// <summary>A verdict says who signed what, when, and how far the prescription is proved.</summary>
public sealed class VerdictTests
{
    private const string Policy = "1.3.6.1.4.1.32473.1.2.1";

    [Fact]
    public async Task A_sealed_prescription_is_valid_and_each_signer_is_named()
    {
        await using var rig = await SignRig.Start();
        var evidence = await Evidence(rig);
        var answer = await Judge(rig, evidence);
        Assert.Equal("valid sealed", Said(answer));
        Assert.Equal(0, answer.GetProperty("missing").GetArrayLength());
        Assert.Equal([SignRig.Doctor, SignRig.Pharmacist, SignRig.Hospital], answer.GetProperty("signers").EnumerateArray().Select(s => s.GetProperty("signer").GetString()));
        Assert.All(answer.GetProperty("signers").EnumerateArray(), s => Assert.Equal("good", s.GetProperty("certificateStatus").GetString()));
        Assert.All(answer.GetProperty("signers").EnumerateArray(), s => Assert.InRange(DateTimeOffset.UtcNow - s.GetProperty("signedAt").GetDateTimeOffset(), TimeSpan.Zero, TimeSpan.FromMinutes(5)));
        // A certificate that the CA never issued, and a CA that does not answer, leave it open.
        Assert.True(rig.Peers.Issued.TryRemove(answer.GetProperty("signers")[2].GetProperty("certificate").GetString()!, out _));
        Assert.Equal("indeterminate reviewed certificate-unknown", Said(await Judge(rig, evidence)));
        rig.Peers.StatusAway = true;
        Assert.Equal("indeterminate status-unknown status-unknown status-unknown", Said(await Judge(rig, evidence)));
        // What came before stays proved by itself.
        rig.Peers.StatusAway = false;
        evidence["signatures"]!.AsArray().RemoveAt(2);
        Assert.Equal("incomplete reviewed", Said(answer = await Judge(rig, evidence)));
        Assert.Equal(["seal"], answer.GetProperty("missing").EnumerateArray().Select(m => m.GetString()));
        evidence["signatures"]!.AsArray().RemoveAt(1);
        Assert.Equal("incomplete signed", Said(answer = await Judge(rig, evidence)));
        Assert.Equal(["review", "seal"], answer.GetProperty("missing").EnumerateArray().Select(m => m.GetString()));
    }

    [Fact]
    public async Task A_certificate_is_judged_at_the_time_of_the_signature()
    {
        await using var rig = await SignRig.Start();
        var evidence = await Evidence(rig);
        var sha = rig.DoctorCard.Signature.Sha256Hex;
        var issued = rig.Peers.Issued[sha];
        var (after, before) = (DateTimeOffset.UtcNow, DateTimeOffset.UtcNow.AddHours(-1));
        rig.Peers.Issued[sha] = issued with { RevokedAt = after };
        var answer = await Judge(rig, evidence);
        Assert.Equal("valid sealed", Said(answer));
        Assert.Equal("revoked-since", answer.GetProperty("signers")[0].GetProperty("certificateStatus").GetString());
        rig.Peers.Issued[sha] = issued with { RevokedAt = before };
        Assert.Equal("invalid certificate-revoked", Said(await Judge(rig, evidence)));
        rig.Peers.Issued[sha] = issued with { RevokedAt = after, InvalidityDate = before };
        Assert.Equal("invalid certificate-key-lost", Said(await Judge(rig, evidence)));
        rig.Peers.Issued[sha] = issued with { RevokedAt = after, InvalidityDate = after };
        Assert.Equal("valid sealed", Said(await Judge(rig, evidence)));
        rig.Peers.Issued[sha] = issued with { HeldAt = before };
        Assert.Equal("indeterminate certificate-hold", Said(await Judge(rig, evidence)));
    }

    [Fact]
    public async Task Another_persons_signature_on_a_doctors_prescription_is_invalid()
    {
        await using var rig = await SignRig.Start();
        var evidence = await Evidence(rig);
        evidence["signatures"] = new JsonArray(await Sign(rig, rig.PharmacistCard, "prescribe", Payload(evidence), "urn:uuid:" + Guid.NewGuid().ToString("D")));
        var answer = await Judge(rig, evidence);
        Assert.Equal("invalid not-the-author", Said(answer));
        Assert.Equal(SignRig.Pharmacist, answer.GetProperty("signers")[0].GetProperty("signer").GetString());
    }

    [Fact]
    public async Task The_reviewer_is_another_person_with_the_reviewers_role()
    {
        await using var rig = await SignRig.Start();
        var evidence = await Evidence(rig);
        var (about, first) = (About(evidence), evidence["signatures"]![0]!["signature"]!.GetValue<string>());
        var statement = Statement(evidence, about, first);
        async Task<string> With(Card card, JsonObject said, string? uri = null)
        {
            evidence["signatures"] = new JsonArray(evidence["signatures"]![0]!.DeepClone(), await Sign(rig, card, "review", CanonicalJson.Encode(said), uri ?? about + "#review"));
            return Said(await Judge(rig, evidence));
        }

        Assert.Equal("incomplete reviewed", await With(rig.PharmacistCard, statement));
        Assert.Equal("invalid signed reviewer-is-author", await With(rig.DoctorCard, statement));
        Assert.Equal("invalid signed object", await With(rig.PharmacistCard, statement, "urn:uuid:" + Guid.NewGuid().ToString("D") + "#review"));
        Assert.Equal("invalid signed object", await With(rig.PharmacistCard, statement, about));
        foreach (var (member, value) in new[] { ("decision", "reject"), ("number", "RX-other"), ("prescription", "urn:uuid:" + Guid.NewGuid().ToString("D")), ("payloadSha256", new string('0', 64)) })
        {
            var changed = statement.DeepClone().AsObject();
            changed[member] = value;
            Assert.Equal("invalid signed not-about-these", await With(rig.PharmacistCard, changed));
        }

        rig.Peers.Roles[SignRig.Pharmacist] = "physician";
        Assert.Equal("invalid signed signer-not-in-role", await With(rig.PharmacistCard, statement));
    }

    [Fact]
    public async Task A_seal_of_another_institution_or_on_a_document_of_its_own_seals_no_prescription()
    {
        await using var rig = await SignRig.Start();
        var evidence = await Evidence(rig);
        var signatures = evidence["signatures"]!.AsArray();
        var statement = Statement(evidence, About(evidence), [.. signatures.Take(2).Select(s => s!["signature"]!.GetValue<string>())]);
        statement.Remove("decision");
        var payload = CanonicalJson.Encode(statement);

        // The hospital's system may have any bytes sealed, so also these.
        var own = await SignRig.Read(await rig.Post($"/seals/{SignRig.Hospital}/signatures", rig.SealToken(), new { payload }), 200);
        var forged = signatures[2]!.DeepClone();
        foreach (var (to, from) in new[] { ("protected", "protected"), ("signature", "signature"), ("timestamp", "timestamp") })
        {
            forged[to] = own.GetProperty(from).GetString();
        }

        forged["payload"] = Convert.ToBase64String(payload);
        evidence["signatures"] = new JsonArray(signatures[0]!.DeepClone(), signatures[1]!.DeepClone(), forged);
        Assert.Equal("invalid reviewed object", Said(await Judge(rig, evidence)));

        using var key = TestKit.SoftwareKey.New(PublicKeyKind.P256);
        var other = await rig.Institutions.IssueLeaf(
            "示例大药房", key.Spki, DateTimeOffset.UtcNow, KeyUsages.NonRepudiation, CertificateExtension.SubjectAltName(new GeneralName.Uri(SignRig.Pharmacy)));
        evidence["signatures"]![2] = await Sign(
            rig, [other, rig.Institutions.Certificate], b => System.Buffers.Text.Base64Url.EncodeToString(key.Sign(System.Security.Cryptography.SHA256.HashData(b))), "seal", payload,
            About(evidence) + "#seal");
        Assert.Equal("invalid reviewed other-institution", Said(await Judge(rig, evidence)));
    }

    [Fact]
    public async Task Another_policy_or_a_document_that_is_no_prescription_is_invalid()
    {
        await using var rig = await SignRig.Start();
        var evidence = await Evidence(rig);
        evidence["signatures"] = new JsonArray(await Sign(rig, rig.DoctorCard, "prescribe", Payload(evidence), About(evidence), "1.2.3"));
        Assert.Equal("invalid policy", Said(await Judge(rig, evidence)));
        evidence["signatures"] = new JsonArray(await Sign(rig, rig.DoctorCard, "prescribe", Payload(evidence), "https://elsewhere.example/rx"));
        Assert.Equal("invalid object", Said(await Judge(rig, evidence)));
        var text = "{}"u8.ToArray();
        evidence["payload"] = Convert.ToBase64String(text);
        evidence["signatures"] = new JsonArray(await Sign(rig, rig.DoctorCard, "prescribe", text, "urn:uuid:" + Guid.NewGuid().ToString("D")));
        Assert.Equal("invalid not-a-prescription", Said(await Judge(rig, evidence)));
    }

    private static async Task<JsonObject> Evidence(SignRig rig)
    {
        var evidence = JsonNode.Parse((await rig.Evidence(await rig.Released())).GetRawText())!.AsObject();
        evidence.Remove("prescription");
        return evidence;
    }

    private static async Task<JsonElement> Judge(SignRig rig, JsonNode evidence) =>
        await SignRig.Read(await rig.Post("/validations", rig.PharmacyToken(), raw: evidence.ToJsonString()), 200);

    // Verdict, stage if there is one, and the reasons.
    private static string Said(JsonElement answer) => string.Join(' ', answer.GetProperty("reasons").EnumerateArray().Select(r => r.GetProperty("code").GetString())
        .Prepend(answer.TryGetProperty("stage", out var stage) ? stage.GetString() : null).Prepend(answer.GetProperty("verdict").GetString()).Where(t => t is not null));

    private static byte[] Payload(JsonNode evidence) => Convert.FromBase64String(evidence["payload"]!.GetValue<string>());

    private static string About(JsonNode evidence)
    {
        var header = JsonNode.Parse(System.Buffers.Text.Base64Url.DecodeFromChars(evidence["signatures"]![0]!["protected"]!.GetValue<string>()))!;
        return header["sigD"]!["pars"]![0]!.GetValue<string>();
    }

    private static JsonObject Statement(JsonNode evidence, string about, params string[] signatures) => new()
    {
        ["decision"] = "approve",
        ["number"] = JsonNode.Parse(Payload(evidence))!["identifier"]!["value"]!.GetValue<string>(),
        ["payloadSha256"] = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Payload(evidence))),
        ["prescription"] = about,
        ["signatures"] = new JsonArray([.. signatures.Select(s => (JsonNode)s)]),
    };

    private static Task<JsonObject> Sign(SignRig rig, Card card, string kind, byte[] bytes, string uri, string policy = Policy) =>
        Sign(rig, [card.Signature, rig.Practitioners.Certificate], card.Sign, kind, bytes, uri, policy);

    private static async Task<JsonObject> Sign(
        SignRig rig, List<Certificate> chain, Func<byte[], string> sign, string kind, byte[] bytes, string uri, string policy = Policy)
    {
        var header = Jades.Protect(chain, DateTimeOffset.UtcNow, policy, SignatureKinds.Parse(kind)!.Value, uri);
        var value = sign(Jades.SigningInput(header, bytes));
        var stamp = Assert.IsType<StampOutcome.Stamped>(await rig.Parts.GetRequiredService<TimeStampAuthority>().Stamp(Jades.TimeStampInput(value), CancellationToken.None));
        var made = new JsonObject
        {
            ["kind"] = kind, ["protected"] = header, ["signature"] = value, ["timestamp"] = Convert.ToBase64String(stamp.Token),
            ["certificates"] = new JsonArray([.. chain.Select(c => (JsonNode)Convert.ToBase64String(c.Der.Span))]),
        };
        if (kind != "prescribe")
        {
            made["payload"] = Convert.ToBase64String(bytes);
        }

        return made;
    }
}

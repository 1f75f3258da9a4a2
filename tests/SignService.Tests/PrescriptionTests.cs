using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Trust.Crypto.Asn1;
using Trust.Kernel.LiveStatus;
using Trust.SignService.Signatures;

namespace Trust.SignService.Tests;

public sealed class PrescriptionTests
{
    [Fact]
    public async Task A_prescription_goes_from_the_doctor_to_the_pharmacy_and_every_step_verifies()
    {
        await using var rig = await SignRig.Start();
        var id = await rig.Released();
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/claim", rig.PharmacyToken()), 200);
        var seen = await SignRig.Read(await rig.Get($"/prescriptions/{id}", rig.PharmacyToken()), 200);
        Assert.Equal("claimed", seen.GetProperty("status").GetString());
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/dispense", rig.PharmacyToken(), new { dispenser = SignRig.Pharmacist }), 200);

        var evidence = await rig.Evidence(id);
        Assert.Equal(["prescribe", "review", "seal"], evidence.GetProperty("signatures").EnumerateArray().Select(s => s.GetProperty("kind").GetString()));
        foreach (var signature in evidence.GetProperty("signatures").EnumerateArray())
        {
            var payload = signature.TryGetProperty("payload", out var own) ? own.GetBytesFromBase64() : evidence.GetProperty("payload").GetBytesFromBase64();
            var value = signature.GetProperty("signature").GetString()!;
            Assert.IsType<JadesOutcome.Intact>(JadesVerification.Verify(signature.GetProperty("protected").GetString(), value, payload));
            Assert.IsType<TimeStampOutcome.Proved>(TimeStamp.Verify(
                signature.GetProperty("timestamp").GetBytesFromBase64(), Jades.TimeStampInput(value), [rig.Institutions.Certificate], [rig.Root.Certificate]));
        }

        var verdict = await SignRig.Read(await rig.Post("/validations", rig.PharmacyToken(), new
        {
            payload = evidence.GetProperty("payload").GetString(), signatures = evidence.GetProperty("signatures"),
        }), 200);
        Assert.Equal("valid", verdict.GetProperty("verdict").GetString());
        Assert.Equal(
            ["RX.draft", "SIGN.request", "SIGN.done", "RX.sign", "SIGN.request", "SIGN.done", "RX.review", "SIGN.request", "SIGN.done", "RX.seal", "RX.claim", "REC.read", "RX.dispense"],
            await rig.ActionsOf(13));
    }

    [Fact]
    public async Task The_bytes_to_be_signed_are_the_canonical_payload_behind_the_header()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (_, bytes, body) = await rig.Prepared();
        var payload = body.GetProperty("payload").GetBytesFromBase64();
        Assert.True(bytes.AsSpan().EndsWith(payload));
        Assert.Equal(Trust.Crypto.Json.CanonicalJson.Encode(JsonElement.Parse(payload)), payload);
        Assert.Equal(body.GetProperty("payloadSha256").GetString(), Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(payload)));
    }

    [Fact]
    public async Task A_signature_over_other_bytes_is_refused_and_the_denial_recorded()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (id, bytes, _) = await rig.Prepared();
        bytes[^10] ^= 1;
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature = rig.DoctorCard.Sign(bytes) }), "signature-mismatch", 409);
        Assert.Equal(["RX.draft", "SIGN.deny"], await rig.ActionsOf(2));
        Assert.Equal("draft", await rig.StatusOf(id));
    }

    [Fact]
    public async Task The_authentication_key_does_not_sign_a_prescription()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var body = new { bundle = SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital), certificate = rig.DoctorCard.Authentication.Der.ToArray() };
        await SignRig.Refused(await rig.Post("/prescriptions", rig.DoctorToken(), body), "wrong-key-usage", 403);
        var (id, bytes, _) = await rig.Prepared();
        await SignRig.Refused(
            await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature = rig.DoctorCard.SignByAuthenticationKey(bytes) }), "signature-mismatch", 409);
    }

    [Fact]
    public async Task A_completion_sent_twice_gives_the_same_bytes_for_the_same_key_and_is_refused_for_another()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (id, bytes, _) = await rig.Prepared();
        var signature = rig.DoctorCard.Sign(bytes);
        var first = await (await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature }, "k1")).Content.ReadAsStringAsync();
        var again = await (await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature }, "k1")).Content.ReadAsStringAsync();
        Assert.Equal(first, again);
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature }, "k2"), "already-signed", 409);
        // ECDSA gives another valid value for the same bytes; it is not accepted either.
        await SignRig.Refused(
            await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature = rig.DoctorCard.Sign(bytes) }, "k3"), "already-signed", 409);
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM signatures WHERE status = 'done'"));
    }

    [Fact]
    public async Task A_doctor_suspended_between_prepare_and_complete_is_refused()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (id, bytes, _) = await rig.Prepared();
        rig.Peers.Deny(SignRig.Doctor, "suspended");
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature = rig.DoctorCard.Sign(bytes) }), "suspended", 403);
        Assert.Equal("draft", await rig.StatusOf(id));
        Assert.Equal(["RX.draft", "SIGN.deny"], await rig.ActionsOf(2));
    }

    [Fact]
    public async Task A_suspension_on_the_change_feed_ends_a_kept_permit_within_five_seconds()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var feed = rig.Parts.GetRequiredService<StatusFeed>();
        rig.Peers.FeedOn = true;
        await TestKit.Eventually.Holds(() => feed.IsFresh, "the feed beats");
        var (id, bytes, _) = await rig.Prepared();
        await rig.Prepared(); // the permit is kept by now
        var watch = System.Diagnostics.Stopwatch.StartNew();
        rig.Peers.Announce(SignRig.Doctor, "suspended");
        await TestKit.Eventually.Holds(() => feed.LastChange(new EntitlementQuestion(SignRig.Doctor, null, "prescribe")) > 0, "the change arrives");
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature = rig.DoctorCard.Sign(bytes) }), "suspended", 403);
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 5);
    }

    [Fact]
    public async Task A_certificate_revoked_between_prepare_and_complete_is_refused()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (id, bytes, _) = await rig.Prepared();
        rig.Peers.Deny(rig.DoctorCard.Signature.Sha256Hex, "certificate-revoked");
        await SignRig.Refused(
            await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature = rig.DoctorCard.Sign(bytes) }), "certificate-revoked", 403);
    }

    [Fact]
    public async Task Nothing_is_signed_while_registry_or_consent_do_not_answer()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        rig.Peers.RegistryAway = true;
        await SignRig.Refused(await rig.Prepare(), "status-unknown", 503);
        rig.Peers.RegistryAway = false;
        rig.Peers.ConsentGranted = false;
        await SignRig.Refused(await rig.Prepare(), "no-consent", 403);
    }

    [Fact]
    public async Task A_stranger_an_expired_or_a_foreign_certificate_does_not_sign()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        await SignRig.Refused(await rig.Prepare(card: rig.PharmacistCard), "not-your-certificate", 403);
        await SignRig.Refused(await rig.Prepare(card: await Card.Issue(rig.Practitioners, SignRig.Doctor, DateTimeOffset.UtcNow.AddYears(-2))), "certificate-expired", 403);
        var foreign = await TestKit.SampleAuthority.Root(PublicKeyKind.P256, DateTimeOffset.UtcNow);
        await SignRig.Refused(await rig.Prepare(card: await Card.Issue(foreign, SignRig.Doctor)), "certificate-untrusted", 403);
        await SignRig.Refused(await rig.Prepare(token: rig.Peers.Token("robot", "rx.sign", "physician", SignRig.Hospital, "https://sign.example")), "not-a-practitioner", 403);
        await SignRig.Refused(await rig.Prepare(SamplePrescription.Bundle(SignRig.Pharmacist, SignRig.Hospital)), "not-the-author", 403);
        await SignRig.Refused(await rig.Prepare(SamplePrescription.Bundle(SignRig.Doctor, SignRig.Pharmacy)), "other-institution", 403);
    }

    [Fact]
    public async Task The_prescriber_is_not_the_reviewer_nor_is_another_institutions_pharmacist()
    {
        await using var rig = await SignRig.Start();
        var id = await rig.Signed();
        var body = new { decision = "approve", certificate = rig.DoctorCard.Signature.Der.ToArray() };
        var self = rig.Peers.Token(SignRig.Doctor, "rx.review", "pharmacist", SignRig.Hospital, "https://sign.example");
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/review", self, body), "own-prescription", 403);
        var other = rig.Peers.Token(SignRig.Pharmacist, "rx.review", "pharmacist", SignRig.Pharmacy, "https://sign.example");
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/review", other, new { decision = "approve", certificate = rig.PharmacistCard.Signature.Der.ToArray() }), "not-found", 404);
    }

    [Fact]
    public async Task A_returned_prescription_cannot_be_approved_and_its_number_can_be_used_again()
    {
        await using var rig = await SignRig.Start();
        var bundle = SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital, number: "RX-1");
        var id = await rig.Signed(bundle);
        await SignRig.Refused(await rig.Prepare(SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital, number: "RX-1")), "number-in-use", 409);
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/return", rig.PharmacistToken(), new { reason = "剂量请核对" }), 200);
        await SignRig.Refused(
            await rig.Post($"/prescriptions/{id}/review", rig.PharmacistToken(), new { decision = "approve", certificate = rig.PharmacistCard.Signature.Der.ToArray() }), "wrong-state", 409);
        var seen = await SignRig.Read(await rig.Get($"/prescriptions/{id}", rig.DoctorToken()), 200);
        Assert.Equal("剂量请核对", seen.GetProperty("returnReason").GetString());
        await rig.Released(SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital, number: "RX-1"));
    }

    [Fact]
    public async Task Of_a_hundred_pharmacies_that_claim_at_once_one_wins()
    {
        await using var rig = await SignRig.Start();
        var id = await rig.Released();
        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(i =>
            rig.Post($"/prescriptions/{id}/claim", rig.PharmacyToken($"urn:mdid:o:01J9ZZZZZZZZZZZZZZZZZZZ{i:D3}"))));
        Assert.Equal(1, answers.Count(a => (int)a.StatusCode == 200));
        Assert.Equal(99, answers.Count(a => (int)a.StatusCode == 409));
        await TestKit.Eventually.Holds(() => rig.Peers.Actions.Contains("RX.claim"), "the claim reaches the ledger");
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM audit_outbox WHERE action = 'RX.claim'"));
    }

    [Fact]
    public async Task An_expired_prescription_is_neither_claimed_nor_dispensed()
    {
        await using var rig = await SignRig.Start();
        var id = await rig.Released();
        await rig.Count($"WITH u AS (UPDATE prescriptions SET valid_until = now() - interval '1 second' WHERE id = '{id}' RETURNING 1) SELECT count(*) FROM u");
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/claim", rig.PharmacyToken()), "expired", 409);
        Assert.Equal("expired", await rig.StatusOf(id));

        var late = await rig.Released();
        await SignRig.Read(await rig.Post($"/prescriptions/{late}/claim", rig.PharmacyToken()), 200);
        await rig.Count($"WITH u AS (UPDATE prescriptions SET valid_until = now() - interval '1 second' WHERE id = '{late}' RETURNING 1) SELECT count(*) FROM u");
        await SignRig.Refused(await rig.Post($"/prescriptions/{late}/dispense", rig.PharmacyToken(), new { dispenser = SignRig.Pharmacist }), "expired", 409);
        await TestKit.Eventually.Holds(() => rig.Peers.Actions.Count(a => a == "RX.expire") == 2, "both expiries are recorded");
    }

    [Fact]
    public async Task It_is_dispensed_once_and_by_the_pharmacy_that_claimed()
    {
        await using var rig = await SignRig.Start();
        var id = await rig.Released();
        var body = new { dispenser = SignRig.Pharmacist };
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/dispense", rig.PharmacyToken(), body), "wrong-state", 409);
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/claim", rig.PharmacyToken()), 200);
        var other = rig.PharmacyToken("urn:mdid:o:01J9ZZZZZZZZZZZZZZZZZZZZF2");
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/dispense", other, body), "not-found", 404);
        await SignRig.Refused(await rig.Get($"/prescriptions/{id}", other), "not-found", 404);
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/dispense", rig.PharmacyToken(), body), 200);
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/dispense", rig.PharmacyToken(), body), "already-dispensed", 409);
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/void", rig.DoctorToken()), "already-dispensed", 409);
    }

    [Fact]
    public async Task Its_author_withdraws_it_even_when_suspended_and_the_ledger_is_away()
    {
        await using var rig = await SignRig.Start();
        var id = await rig.Released();
        rig.Peers.Deny(SignRig.Doctor, "suspended");
        rig.Peers.LedgerAway = true;
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/void", rig.DoctorToken()), 200);
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/claim", rig.PharmacyToken()), "voided", 409);
    }

    [Theory]
    [InlineData("""{"bundle":{"a":1,"a":2},"certificate":"AA=="}""", "json-duplicate-key")]
    [InlineData("""{"bundle":{"a":9007199254740993},"certificate":"AA=="}""", "json-unsafe-number")]
    [InlineData("""{"bundle":{"a":"\ud800"},"certificate":"AA=="}""", "json-lone-surrogate")]
    [InlineData("""{"bundle":{},"certificate":"AA=="} x""", "json-malformed")]
    [InlineData("""{"bundle":{},"certificate":"AA==","more":1}""", "malformed-request")]
    [InlineData("""[]""", "malformed-request")]
    public async Task Ambiguous_or_malformed_JSON_is_refused(string raw, string rule)
    {
        await using var rig = await SignRig.Start(withSeal: false);
        await SignRig.Refused(await rig.Post("/prescriptions", rig.DoctorToken(), raw: raw), rule, 400);
    }

    [Fact]
    public async Task An_oversized_body_is_refused()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        using var answer = await rig.Post("/prescriptions", rig.DoctorToken(), raw: "{\"bundle\":\"" + new string('x', 300_000) + "\"}");
        Assert.Equal(413, (int)answer.StatusCode);
    }

    [Fact]
    public async Task A_prepared_signature_that_waited_too_long_is_refused()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (id, bytes, _) = await rig.Prepared();
        await rig.Count("WITH u AS (UPDATE signatures SET expires_at = now() - interval '1 second' RETURNING 1) SELECT count(*) FROM u");
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature = rig.DoctorCard.Sign(bytes) }), "not-prepared", 409);
    }
}

internal static class RigEvents
{
    /// <summary>The first actions that the ledger holds, once there are that many, without those that made the seal.</summary>
    public static async Task<IEnumerable<string>> ActionsOf(this SignRig rig, int count)
    {
        await TestKit.Eventually.Holds(() => Of(rig).Count() >= count, $"{count} events reach the ledger");
        return Of(rig).Take(count);
    }

    private static IEnumerable<string> Of(SignRig rig) => rig.Peers.Actions.Where(a => !a.StartsWith("KEY.", StringComparison.Ordinal));
}

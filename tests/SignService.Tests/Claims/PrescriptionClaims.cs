using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Residency;
using Trust.LogFormat;
using Trust.SignService.Prescriptions;
using Trust.SignService.Signatures;

namespace Trust.SignService.Tests.Claims;

/// <summary>
/// What the service does today with a prescription where a review says that it should do otherwise; each comment says what is right. Whoever mends it
/// turns the test.
/// </summary>
public sealed class PrescriptionClaims
{
    // A closed institution loses everything at once; today its system reads on.
    [Fact]
    public async Task F11_A_closed_hospitals_system_still_reads_prescriptions()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var id = await rig.Signed();
        rig.Peers.Deny(SignRig.Hospital, "institution-closed");
        await SignRig.Read(await rig.Get($"/prescriptions/{id}", rig.Peers.Token("his", "rx.read", "hospital-system", SignRig.Hospital, "https://sign.example")), 200);
    }

    // The actor should be the client, on behalf of the person it names; today the event says that the person did it, and names no client.
    [Fact]
    public async Task F12_A_pharmacys_system_writes_a_dispensing_in_a_persons_name()
    {
        await using var rig = await SignRig.Start();
        var id = await rig.Released();
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/claim", rig.PharmacyToken()), 200);
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/dispense", rig.PharmacyToken(), new { dispenser = SignRig.Pharmacist }), 200);
        await TestKit.Eventually.Holds(() => rig.Peers.Actions.Contains("RX.dispense"), "the dispensing reaches the ledger");
        var body = rig.Peers.Events.Single(e => e.GetProperty("action").GetString() == "RX.dispense");
        Assert.Equal(SignRig.Pharmacist, body.GetProperty("actor").GetProperty("subject").GetString());
        Assert.False(body.TryGetProperty("onBehalfOf", out _));
        Assert.DoesNotContain("hospital-system", body.GetRawText(), StringComparison.Ordinal);
        Assert.DoesNotContain("pharmacy-system", body.GetRawText(), StringComparison.Ordinal);
    }

    // A loser should learn why over the connection it holds; today it asks for a second one, so as many losers as the pool is large wait for each other.
    [Fact]
    public async Task F16_A_lost_claim_takes_a_second_connection_while_it_holds_one()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var id = await rig.Signed();
        var options = rig.Database.Options;
        await using var one = Outbound.Database(options with { ConnectionString = options.ConnectionString + ";Maximum Pool Size=1;Timeout=1" });
        var transition = new Transition(one, new PrescriptionStore(one), rig.Parts.GetRequiredService<Outbox>(), TimeProvider.System);
        var lost = new AuditEvent { Action = "RX.claim", Actor = new Actor("x"), Outcome = EventOutcome.Success, Subjects = [SubjectKey.Prescription(id.ToString())] };
        var thrown = await Assert.ThrowsAsync<NpgsqlException>(() => transition.Move(id, PrescriptionStatus.Claimed, (_, _) => Task.FromResult(false), lost, CancellationToken.None));
        Assert.IsType<TimeoutException>(thrown.InnerException);
    }

    // Consent should hold when the signature is completed; today it is asked for at the preparation alone.
    [Fact]
    public async Task M1_A_consent_taken_back_after_the_preparation_does_not_stop_the_signature()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (id, bytes, _) = await rig.Prepared();
        rig.Peers.ConsentGranted = false;
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature = rig.DoctorCard.Sign(bytes) }), 200);
    }

    // A draft holds clinical data: its making should be an event, and it should be deleted after its time.
    [Fact]
    public async Task M15_A_draft_is_made_without_an_event()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        await rig.Prepared();
        Assert.Equal(0, await rig.Count("SELECT count(*) FROM audit_outbox"));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM prescriptions WHERE status = 'draft'"));
    }

    // The institution answers for its prescriptions and should be able to withdraw one; today only the author can.
    [Fact]
    public async Task M15_An_institution_cannot_void_its_own_prescription()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var id = await rig.Signed();
        var system = rig.Peers.Token("his", "rx.sign", "hospital-system", SignRig.Hospital, "https://sign.example");
        using var refused = await rig.Post($"/prescriptions/{id}/void", system);
        Assert.False(refused.IsSuccessStatusCode);
        Assert.Equal("signed", await rig.StatusOf(id));
    }

    // A completion whose intent can no longer be found should announce it anew; today it waits for that receipt for ever.
    [Fact]
    public async Task M15_A_completion_whose_announced_intent_is_gone_never_ends()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (id, bytes, _) = await rig.Prepared();
        var signature = rig.DoctorCard.Sign(bytes);
        // The answer of the ledger comes too late, so the attempt ends unconfirmed and keeps which intent it announced.
        using var answered = new ManualResetEventSlim();
        rig.Peers.OnEvent = (action, after) =>
        {
            if (action == "SIGN.request" && after)
            {
                answered.Wait();
            }
        };
        using (var late = await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature }, "k"))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, late.StatusCode);
        }

        rig.Peers.OnEvent = null;
        answered.Set();
        await TestKit.Eventually.Holds(async () => await rig.Count("SELECT count(*) FROM audit_outbox WHERE idx IS NULL") == 0, "the receipt is stored");
        // Seven days later its row is deleted.
        Assert.Equal(1, await rig.Count("WITH d AS (DELETE FROM audit_outbox WHERE action = 'SIGN.request' RETURNING 1) SELECT count(*) FROM d"));
        for (var time = 0; time < 2; time++)
        {
            await SignRig.Refused(await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature }, "k"), "ledger-unconfirmed", 503);
        }
    }

    // A name, licence, hospital or specialty beside an identifier should be compared with the registry's answer, which the service holds.
    [Fact]
    public async Task B_Another_text_beside_the_own_identifier_is_prepared()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        foreach (var change in new Action<JsonObject>[]
        {
            b => b.Resource("Practitioner")["name"]![0]!["text"] = "别人",
            b => b.Resource("Practitioner")["identifier"]![1]!["value"] = "999999999999999",
            b => b.Resource("Organization")["name"] = "另一家医院",
            b => b.Resource("PractitionerRole")["specialty"]![0]!["text"] = "神经外科",
        })
        {
            var bundle = SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital);
            change(bundle);
            await SignRig.Read(await rig.Prepare(bundle), 201);
        }
    }

    public static TheoryData<string, Action<JsonObject>> Unread => new()
    {
        { "a diagnosis that was refuted", b => b.Resource("Condition")["verificationStatus"] = JsonNode.Parse("""{"coding":[{"code":"refuted"}]}""") },
        { "a patient who died", b => b.Resource("Patient")["deceasedBoolean"] = true },
        { "a national number beside the pseudonym", b => b.Resource("Patient")["identifier"]!.AsArray().Add(JsonNode.Parse("""{"system":"urn:oid:2.16.156.10011.1.3","value":"110105194912310021"}""")) },
    };

    // A closed profile should refuse every member and extension that it does not name, and every two members that say one thing differently.
    [Theory]
    [MemberData(nameof(Unread))]
    public void A_M5_A_member_that_no_reader_judges_is_signed_unread(string what, Action<JsonObject> change)
    {
        var read = Unjudged(what, change);
        Assert.Null(SecondReader.Compare(read));
        Assert.Null(ServiceScope.Judge(read.Content, new SignOptions(), DateTimeOffset.UtcNow));
        Assert.True(read.Payload.Length > Trust.Crypto.Json.CanonicalJson.Encode(SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital)).Length);
    }

    public static TheoryData<string, string, Action<JsonObject>> ReadOtherwise => new()
    {
        { "a prescription not to give the medicine", "readers-differ", b => b.Resource("MedicationRequest")["doNotPerform"] = true },
        { "a modifier extension", "readers-differ", b => b.Resource("MedicationRequest")["modifierExtension"] = JsonNode.Parse("""[{"url":"urn:x","valueBoolean":true}]""") },
        { "a second medicine beside the first", "not-fhir", b => b.Resource("MedicationRequest")["medicationReference"] = JsonNode.Parse("""{"reference":"urn:uuid:00000000-0000-4000-8000-000000000009"}""") },
        { "500 mg beside the text 5 mg", "readers-differ", b => b.Resource("MedicationRequest")["dosageInstruction"]![0]!["doseAndRate"] = JsonNode.Parse("""[{"doseQuantity":{"value":500,"unit":"mg"}}]""") },
        { "9999 pieces beside the extension's 28", "readers-differ", b => b.Resource("MedicationRequest")["dispenseRequest"]!["quantity"] = JsonNode.Parse("""{"value":9999}""") },
        { "written in 1999 beside a document of today", "readers-differ", b => b.Resource("MedicationRequest")["authoredOn"] = "1999-01-01" },
        { "a member nobody knows", "not-fhir", b => b.Resource("Organization")["unheardOf"] = "x" },
    };

    // The profile itself takes these; the second reader understands them, or does not know them, and the prescription is refused.
    [Theory]
    [MemberData(nameof(ReadOtherwise))]
    public void A_M5_A_member_that_the_second_reader_understands_otherwise_is_refused(string what, string rule, Action<JsonObject> change) =>
        Assert.Equal(rule, SecondReader.Compare(Unjudged(what, change))?.Name);

    private static ProfileOutcome.Holds Unjudged(string what, Action<JsonObject> change)
    {
        var bundle = SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital);
        change(bundle);
        var outcome = PrescriptionProfile.Read(JsonElement.Parse(bundle.ToJsonString()));
        Assert.True(outcome is ProfileOutcome.Holds, $"{what}: {(outcome as ProfileOutcome.Broken)?.Why.Name}");
        return (ProfileOutcome.Holds)outcome;
    }

    // UAX #15 names what normalisation form C changes; today a list by hand refuses stable characters and takes changing ones.
    [Theory]
    [InlineData("山\ufa11", false)]
    [InlineData("\ufa0e", false)]
    [InlineData("\ufa1f", false)]
    [InlineData("\u0387", true)]
    [InlineData("\u2329\u232a", true)]
    [InlineData("\u2001", true)]
    [InlineData("\u037e", true)]
    [InlineData("\u0958", true)]
    [InlineData("\u1f71", true)]
    [InlineData("\ufb1d", true)]
    public void G_M5_Characters_are_judged_by_a_list_instead_of_the_Unicode_property(string text, bool taken)
    {
        var bundle = SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital);
        bundle.Resource("Organization")["name"] = text;
        Assert.Equal(taken ? null : "profile-not-normalised", bundle.RefusedBy());
    }

    // A FHIR dateTime may have any fraction and needs a colon in its offset; today fractions are refused and +0800 is taken.
    [Theory]
    [InlineData("2026-11-29T10:00:00.123456Z", false)]
    [InlineData("2026-11-29T18:00:00.1234567+08:00", false)]
    [InlineData("2026-11-29T18:00:00.1+08:00", false)]
    [InlineData("2026-11-29T18:00:00+0800", true)]
    public void N_Instants_are_taken_in_another_range_than_FHIRs(string instant, bool taken)
    {
        var bundle = SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital);
        bundle.Resource("Composition")["date"] = instant;
        Assert.Equal(taken ? null : "profile-not-an-instant", bundle.RefusedBy());
    }

    // ICD-10 pairs a cause with its manifestation (dagger and asterisk), and the national edition has longer codes.
    [Theory]
    [InlineData("E11.301+H36.0*")]
    [InlineData("H36.0*")]
    [InlineData("A18.115+N74.1*")]
    [InlineData("E11.900x00100")]
    [InlineData("M80000/3")]
    public void N_A_diagnosis_code_of_the_national_edition_is_refused(string code)
    {
        var bundle = SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital);
        bundle.Resource("Condition")["code"]!["coding"]![0]!["code"] = code;
        Assert.Equal("profile-diagnosis-code", bundle.RefusedBy());
    }
}

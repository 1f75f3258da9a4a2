using System.Text.Json;
using Trust.SignService.Signatures;

namespace Trust.SignService.Tests;

/// <summary>Who may still act at the moment when it counts, and in whose name.</summary>
public sealed class RightsTests
{
    [Fact]
    public async Task The_system_of_a_closed_institution_neither_reads_nor_writes_and_its_people_neither()
    {
        await using var rig = await SignRig.Start();
        var (draft, bytes, _) = await rig.Prepared();
        var id = await rig.Released();
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/claim", rig.PharmacyToken()), 200);
        var his = Token(rig, "rx.read rx.void validate");
        await SignRig.Read(await rig.Get($"/prescriptions/{id}", his), 200);
        var evidence = await rig.Evidence(id);
        rig.Peers.Deny(SignRig.Hospital, "institution-closed");
        await SignRig.Refused(await rig.Get($"/prescriptions/{id}", his), "institution-closed", 403);
        await SignRig.Refused(await rig.Get($"/prescriptions/{id}", rig.DoctorToken()), "institution-closed", 403);
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/institution-void", his), "institution-closed", 403);
        await SignRig.Refused(
            await rig.Post("/validations", his, new { payload = evidence.GetProperty("payload").GetString(), signatures = Array.Empty<int>() }), "institution-closed", 403);
        await SignRig.Refused(await rig.Post($"/prescriptions/{draft}/signature", rig.DoctorToken(), new { signature = rig.DoctorCard.Sign(bytes) }), "institution-closed", 403);
        rig.Peers.Deny(SignRig.Pharmacy, "institution-closed");
        await SignRig.Refused(await rig.Get($"/prescriptions/{id}", rig.PharmacyToken()), "institution-closed", 403);
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/dispense", rig.PharmacyToken(), new { dispenser = SignRig.Pharmacist }), "institution-closed", 403);
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/unclaim", rig.PharmacyToken()), "institution-closed", 403);
    }

    [Fact]
    public async Task A_dispensing_by_a_system_names_the_system_as_actor_and_the_person_it_acts_for()
    {
        await using var rig = await SignRig.Start();
        var e = await Dispensed(rig, rig.PharmacyToken(), new { dispenser = SignRig.Pharmacist });
        Assert.Equal("pharmacy-system", e.GetProperty("actor").GetProperty("subject").GetString());
        Assert.Equal(SignRig.Pharmacist, e.GetProperty("onBehalfOf").GetString());
    }

    [Fact]
    public async Task A_dispensing_by_the_person_logged_in_is_hers()
    {
        await using var rig = await SignRig.Start();
        var token = rig.Peers.Token(SignRig.Pharmacist, "rx.dispense", "retail-pharmacist", SignRig.Pharmacy, "https://sign.example");
        var e = await Dispensed(rig, token, new { });
        Assert.Equal(SignRig.Pharmacist, e.GetProperty("actor").GetProperty("subject").GetString());
        Assert.False(e.TryGetProperty("onBehalfOf", out _));
    }

    [Fact]
    public async Task A_dispenser_that_cannot_be_is_the_callers_mistake()
    {
        await using var rig = await SignRig.Start();
        var id = await rig.Released();
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/claim", rig.PharmacyToken()), 200);
        foreach (var dispenser in new[] { "x", "", SignRig.Pharmacy, SignRig.Pharmacist + " " })
        {
            await SignRig.Read(await rig.Post($"/prescriptions/{id}/dispense", rig.PharmacyToken(), new { dispenser }), 400);
        }

        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/dispense", rig.PharmacyToken(), new { }), "dispenser-required", 422);
        var token = rig.Peers.Token(SignRig.Pharmacist, "rx.dispense", "retail-pharmacist", SignRig.Pharmacy, "https://sign.example");
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/dispense", token, new { dispenser = SignRig.Doctor }), "other-dispenser", 403);
        rig.Peers.Deny(SignRig.Doctor, "unknown-person");
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/dispense", rig.PharmacyToken(), new { dispenser = SignRig.Doctor }), "unknown-person", 403);
    }

    [Fact]
    public async Task A_consent_taken_back_after_the_preparation_stops_the_signature()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (id, bytes, _) = await rig.Prepared();
        rig.Peers.ConsentGranted = false;
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature = rig.DoctorCard.Sign(bytes) }), "no-consent", 403);
        Assert.Equal("draft", await rig.StatusOf(id));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM audit_outbox WHERE action = 'SIGN.deny'"));
    }

    [Fact]
    public async Task A_suspension_while_the_ledger_takes_the_announcement_keeps_the_signature_from_leaving()
    {
        await using var rig = await SignRig.Start();
        var (id, bytes, _) = await rig.Prepared();
        rig.Peers.OnEvent = (action, after) =>
        {
            if (action == "SIGN.request" && !after)
            {
                rig.Peers.Deny(SignRig.Doctor, "suspended");
            }
        };
        var signature = rig.DoctorCard.Sign(bytes);
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature }, "k"), "suspended", 403);
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature }, "k2"), "suspended", 403);
        Assert.Equal("draft", await rig.StatusOf(id));
        Assert.Equal(0, await rig.Count("SELECT count(*) FROM signatures WHERE status = 'done'"));
        Assert.Equal(2, await rig.Count("SELECT count(*) FROM audit_outbox WHERE action = 'SIGN.deny'"));
    }

    [Fact]
    public async Task A_suspension_while_the_stamp_is_made_keeps_the_signature_from_leaving()
    {
        await using var rig = await SignRig.Start();
        var (id, bytes, _) = await rig.Prepared();
        rig.Points.Reached = point =>
        {
            if (point == CommitPoints.AfterAct)
            {
                rig.Peers.Deny(SignRig.Doctor, "suspended");
            }
        };
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature = rig.DoctorCard.Sign(bytes) }), "suspended", 403);
        Assert.Equal("draft", await rig.StatusOf(id));
        Assert.Equal(0, await rig.Count("SELECT count(*) FROM signatures WHERE status = 'done'"));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM audit_outbox WHERE action = 'SIGN.deny'"));
    }

    [Theory]
    [InlineData(CommitPoints.AfterIntent)]
    [InlineData(CommitPoints.AfterAct)]
    public async Task An_institution_closed_while_its_document_is_sealed_gets_no_seal(string point)
    {
        await using var rig = await SignRig.Start();
        rig.Points.Reached = reached =>
        {
            if (reached == point)
            {
                rig.Peers.Deny(SignRig.Hospital, "institution-closed");
            }
        };
        await SignRig.Refused(await rig.Post($"/seals/{SignRig.Hospital}/signatures", Token(rig, "seal"), new { payload = new byte[] { 1 } }), "institution-closed", 403);
        Assert.Equal(0, await rig.Count("SELECT count(*) FROM sealed_documents WHERE completed_at IS NOT NULL"));
    }

    [Fact]
    public async Task An_institution_closed_while_the_ledger_takes_the_announcement_keeps_its_seal_from_leaving()
    {
        await using var rig = await SignRig.Start();
        var requests = 0;
        rig.Peers.OnEvent = (action, after) =>
        {
            if (action == "SIGN.request" && !after && ++requests == 3)
            {
                rig.Peers.Deny(SignRig.Hospital, "institution-closed");
            }
        };
        var (id, status) = await rig.Reviewed();
        Assert.Equal("approved", status);
        Assert.Equal("approved", await rig.StatusOf(id));
        Assert.Equal(0, await rig.Count("SELECT count(*) FROM signatures WHERE kind = 'seal' AND status = 'done'"));
    }

    [Fact]
    public async Task The_institution_withdraws_a_prescription_of_a_doctor_who_cannot_log_in_any_more()
    {
        await using var rig = await SignRig.Start();
        var id = await rig.Released();
        rig.Peers.Deny(SignRig.Doctor, "suspended");
        var other = rig.Peers.Token("pharmacy-system", "rx.void", null, SignRig.Pharmacy, "https://sign.example");
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/institution-void", other), "not-found", 404);
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/institution-void", rig.DoctorToken()), "insufficient-scope", 403);
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/institution-void", Token(rig, "rx.void")), 200);
        Assert.Equal("voided", await rig.StatusOf(id));
        var e = await Event(rig, "RX.void");
        Assert.Equal("his", e.GetProperty("actor").GetProperty("subject").GetString());
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/claim", rig.PharmacyToken()), "voided", 409);
    }

    [Fact]
    public async Task The_pharmacy_that_claimed_gives_it_back_and_another_may_claim()
    {
        await using var rig = await SignRig.Start();
        var id = await rig.Released();
        const string second = "urn:mdid:o:01J9ZZZZZZZZZZZZZZZZZZZZF2";
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/unclaim", rig.PharmacyToken()), "not-found", 404);
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/claim", rig.PharmacyToken()), 200);
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/unclaim", rig.PharmacyToken(second)), "not-found", 404);
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/unclaim", rig.PharmacyToken()), 200);
        Assert.Equal("released", await rig.StatusOf(id));
        await Event(rig, "RX.unclaim");
        await SignRig.Refused(await rig.Get($"/prescriptions/{id}", rig.PharmacyToken()), "not-found", 404);
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/claim", rig.PharmacyToken(second)), 200);
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/dispense", rig.PharmacyToken(second), new { dispenser = SignRig.Pharmacist }), 200);
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/unclaim", rig.PharmacyToken(second)), "already-dispensed", 409);
    }

    private static string Token(SignRig rig, string scope) => rig.Peers.Token("his", scope, "hospital-system", SignRig.Hospital, "https://sign.example");

    private static async Task<JsonElement> Dispensed(SignRig rig, string token, object body)
    {
        var id = await rig.Released();
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/claim", rig.PharmacyToken()), 200);
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/dispense", token, body), 200);
        return await Event(rig, "RX.dispense");
    }

    private static async Task<JsonElement> Event(SignRig rig, string action)
    {
        await TestKit.Eventually.Holds(() => rig.Peers.Actions.Contains(action), action + " reaches the ledger");
        return rig.Peers.Events.Single(e => e.GetProperty("action").GetString() == action);
    }
}

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
}

using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Residency;
using Trust.LogFormat;
using Trust.SignService.Prescriptions;

namespace Trust.SignService.Tests;

/// <summary>What is left of an attempt that did not end.</summary>
public sealed class DraftTests
{
    [Fact]
    public async Task A_draft_is_made_with_its_event_and_deleted_with_another_when_nobody_signs_it_in_time()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (kept, _, _) = await rig.Prepared();
        var signed = await rig.Signed();
        var (old, _, _) = await rig.Prepared();
        Assert.Equal(3, await rig.Count("SELECT count(*) FROM audit_outbox WHERE action = 'RX.draft'"));
        Assert.Equal(2, await rig.Count($"WITH u AS (UPDATE prescriptions SET created_at = created_at - interval '25 hours' WHERE id IN ('{old}', '{signed}') RETURNING 1) SELECT count(*) FROM u"));
        await rig.Parts.GetRequiredService<DiscardDrafts>().Round(CancellationToken.None);
        Assert.Null(await rig.StatusOf(old));
        Assert.Equal("draft", await rig.StatusOf(kept));
        Assert.Equal("signed", await rig.StatusOf(signed));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM audit_outbox WHERE action = 'RX.discard'"));
        Assert.Equal(0, await rig.Count($"SELECT count(*) FROM signatures WHERE prescription = '{old}'"));
    }

    [Fact]
    public async Task A_signature_on_its_way_keeps_its_draft()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (id, bytes, _) = await rig.Prepared();
        await Unconfirmed(rig, id, rig.DoctorCard.Sign(bytes));
        Assert.Equal(1, await rig.Count("WITH u AS (UPDATE prescriptions SET created_at = created_at - interval '25 hours' RETURNING 1) SELECT count(*) FROM u"));
        await rig.Parts.GetRequiredService<DiscardDrafts>().Round(CancellationToken.None);
        Assert.Equal("draft", await rig.StatusOf(id));
    }

    [Fact]
    public async Task A_prepare_repeated_after_a_crash_goes_on_with_the_draft_of_the_first_attempt()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var bundle = SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital);
        var first = await Prepare(rig, bundle, 201);
        // The process ended before the answer was kept.
        Assert.Equal(1, await rig.Count("WITH d AS (DELETE FROM idempotency RETURNING 1) SELECT count(*) FROM d"));
        var again = await Prepare(rig, bundle, 201);
        Assert.Equal(first.GetProperty("id").GetGuid(), again.GetProperty("id").GetGuid());
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM prescriptions"));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM audit_outbox WHERE action = 'RX.draft'"));
        var signature = rig.DoctorCard.Sign(again.GetProperty("toBeSigned").GetBytesFromBase64());
        await SignRig.Read(await rig.Post($"/prescriptions/{again.GetProperty("id").GetGuid()}/signature", rig.DoctorToken(), new { signature }), 200);
        Assert.Equal(1, await rig.Count("WITH d AS (DELETE FROM idempotency WHERE key = 'k' AND endpoint NOT LIKE '%signature' RETURNING 1) SELECT count(*) FROM d"));
        var other = await Prepare(rig, SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital), 422);
        Assert.EndsWith(":idempotency-mismatch", other.GetProperty("type").GetString(), StringComparison.Ordinal);
    }

    // Seven days after the receipt its row is deleted; an event that the ledger refuses for good is quarantined.
    [Theory]
    [InlineData("DELETE FROM audit_outbox WHERE action = 'SIGN.request'")]
    [InlineData("UPDATE audit_outbox SET quarantined = 'x', idx = NULL, epoch = NULL, seq = NULL, prev = NULL, envelope_hash = NULL WHERE action = 'SIGN.request'")]
    public async Task A_completion_whose_announcement_is_gone_announces_anew_and_ends(string gone)
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (id, bytes, _) = await rig.Prepared();
        var signature = rig.DoctorCard.Sign(bytes);
        await Unconfirmed(rig, id, signature);
        Assert.Equal(1, await rig.Count($"WITH d AS ({gone} RETURNING 1) SELECT count(*) FROM d"));
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature }, "k"), 200);
        Assert.Equal("signed", await rig.StatusOf(id));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM audit_outbox WHERE action = 'SIGN.done'"));
    }

    // Everyone who loses a race holds a connection; were each to wait for a second one, as many as the pool is large would wait for each other.
    [Fact]
    public async Task A_lost_claim_is_explained_over_the_connection_it_holds()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var id = await rig.Signed();
        var options = rig.Database.Options;
        await using var one = Outbound.Database(options with { ConnectionString = options.ConnectionString + ";Maximum Pool Size=1;Timeout=1" });
        var transition = new Transition(one, rig.Parts.GetRequiredService<Outbox>(), TimeProvider.System);
        var lost = new AuditEvent { Action = "RX.claim", Actor = new Actor("x"), Outcome = EventOutcome.Success, Subjects = [SubjectKey.Prescription(id.ToString())] };
        var outcome = await transition.Move(id, PrescriptionStatus.Claimed, (_, _) => Task.FromResult(false), lost, CancellationToken.None);
        Assert.Equal("wrong-state", Assert.IsType<Kernel.Hosting.Refusal>(outcome.Result).Name);
        await transition.Expire((await new PrescriptionStore(one).Find(id, CancellationToken.None))!, CancellationToken.None);
    }

    // The relay and the group commit keep one each; with a third one every request gets through only if none ever holds two.
    [Fact]
    public async Task No_request_from_prepared_to_dispensed_holds_two_connections()
    {
        await using var rig = await SignRig.Start(settings: s => s["Database"]!["ConnectionString"] += ";Maximum Pool Size=3;Timeout=5");
        var id = await rig.Released();
        await SignRig.Read(await rig.Get($"/prescriptions/{id}", rig.DoctorToken()), 200);
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/claim", rig.PharmacyToken()), 200);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
            await SignRig.Refused(await rig.Post($"/prescriptions/{id}/claim", rig.PharmacyToken()), "already-claimed", 409)));
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/dispense", rig.PharmacyToken(), new { dispenser = SignRig.Pharmacist }), 200);
        await SignRig.Read(await rig.Post($"/seals/{SignRig.Hospital}/signatures", rig.SealToken(), new { payload = new byte[] { 1 } }), 200);
    }

    private static async Task<JsonElement> Prepare(SignRig rig, JsonObject bundle, int status) => await SignRig.Read(
        await rig.Post(
            "/prescriptions", rig.DoctorToken(), key: "k",
            raw: new JsonObject { ["bundle"] = bundle.DeepClone(), ["certificate"] = Convert.ToBase64String(rig.DoctorCard.Signature.Der.Span) }.ToJsonString()), status);

    // The answer of the ledger comes too late, so the attempt ends unconfirmed and keeps which intent it announced.
    private static async Task Unconfirmed(SignRig rig, Guid id, string signature)
    {
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
    }
}

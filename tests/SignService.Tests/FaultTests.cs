using Microsoft.Extensions.DependencyInjection;
using Trust.SignService.Prescriptions;
using Trust.SignService.Signatures;
using Trust.TestKit;

namespace Trust.SignService.Tests;

public sealed class FaultTests
{
    [Fact]
    public async Task While_the_ledger_is_away_nothing_is_signed_and_a_retry_signs_once()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (id, bytes, _) = await rig.Prepared();
        var signature = rig.DoctorCard.Sign(bytes);
        rig.Peers.LedgerAway = true;
        // The first attempt may find the relay still believing in the ledger: then the intent waits in vain and stays unconfirmed.
        using (var first = await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature }, "k"))
        {
            Assert.Equal(503, (int)first.StatusCode);
        }

        Assert.Equal(0, await rig.Count("SELECT count(*) FROM signatures WHERE status = 'done'"));
        await Eventually.Holds(async () =>
        {
            using var again = await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature }, "k");
            Assert.Equal(503, (int)again.StatusCode);
            return (await again.Content.ReadAsStringAsync()).Contains("ledger-", StringComparison.Ordinal);
        }, "the absence is named");
        rig.Peers.LedgerAway = false;
        await Eventually.Holds(async () =>
        {
            using var again = await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature }, "k");
            return (int)again.StatusCode == 200;
        }, "the retry signs");
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM signatures WHERE status = 'done'"));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM audit_outbox WHERE action = 'RX.sign'"));
    }

    [Fact]
    public async Task A_disclosure_waits_for_the_ledger()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var id = await rig.Signed();
        rig.Peers.LedgerAway = true;
        await Eventually.Holds(async () =>
        {
            using var answer = await rig.Get($"/prescriptions/{id}", rig.DoctorToken());
            Assert.Equal(503, (int)answer.StatusCode);
            return true;
        }, "the disclosure is refused");
    }

    [Theory]
    [InlineData(Took.NoEffect)]
    [InlineData(Took.Effect)]
    public async Task A_token_lost_while_it_stamps_leaves_a_signature_that_a_retry_finishes(Took took)
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (id, bytes, _) = await rig.Prepared();
        var signature = rig.DoctorCard.Sign(bytes);
        // After the intent is confirmed the next token operation is the time-stamp.
        rig.Points.Reached = name =>
        {
            if (name == CommitPoints.AfterIntent)
            {
                rig.Faults.Took = took;
                rig.Faults.FailSigns = 20;
                rig.Faults.Removed = true;
            }
        };
        using (var first = await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature }, "k"))
        {
            Assert.Equal(503, (int)first.StatusCode);
        }

        Assert.Equal("draft", await rig.StatusOf(id));
        rig.Points.Reached = null;
        rig.Faults.FailSigns = 0;
        rig.Faults.Removed = false;
        await Eventually.Holds(async () =>
        {
            using var again = await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature }, "k");
            return (int)again.StatusCode == 200;
        }, "the retry finishes");
        Assert.Equal("signed", await rig.StatusOf(id));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM signatures WHERE status = 'done'"));
    }

    [Theory]
    [InlineData(CommitPoints.BeforeIntent)]
    [InlineData(CommitPoints.AfterIntent)]
    [InlineData(CommitPoints.AfterAct)]
    public async Task PostgreSQL_restarted_in_the_middle_loses_nothing(string point)
    {
        await using var rig = await SignRig.Start(withSeal: false, ownServer: true);
        var (id, bytes, _) = await rig.Prepared();
        var signature = rig.DoctorCard.Sign(bytes);
        using var stopped = new SemaphoreSlim(0);
        using var restarted = new SemaphoreSlim(0);
        rig.Points.Reached = name =>
        {
            if (name == point)
            {
                rig.Points.Reached = null;
                stopped.Release();
                restarted.Wait();
            }
        };
        var first = rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature }, "k");
        await stopped.WaitAsync();
        await rig.Database.Server.Restart(CancellationToken.None);
        restarted.Release();
        (await first).Dispose();
        await Eventually.Holds(async () =>
        {
            using var again = await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature }, "k");
            return (int)again.StatusCode == 200;
        }, "the retry is answered", TimeSpan.FromSeconds(40));
        Npgsql.NpgsqlConnection.ClearAllPools();
        Assert.Equal("signed", await rig.StatusOf(id));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM signatures WHERE status = 'done'"));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM audit_outbox WHERE action = 'RX.sign'"));
    }

    [Theory]
    [InlineData(CommitPoints.BeforeIntent)]
    [InlineData(CommitPoints.AfterIntent)]
    [InlineData(CommitPoints.AfterAct)]
    [InlineData(CommitPoints.AfterResult)]
    public async Task Stopped_at_any_commit_point_the_same_key_ends_with_one_signature(string point)
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (id, bytes, _) = await rig.Prepared();
        var signature = rig.DoctorCard.Sign(bytes);
        rig.Points.Reached = name =>
        {
            if (name == point)
            {
                throw new InvalidOperationException("stopped at " + name);
            }
        };
        using (var first = await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature }, "k"))
        {
            Assert.Equal(500, (int)first.StatusCode);
        }

        rig.Points.Reached = null;
        var done = await SignRig.Read(await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature }, "k"), 200);
        Assert.Equal(signature, done.GetProperty("signature").GetString());
        Assert.Equal("signed", await rig.StatusOf(id));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM signatures WHERE status = 'done'"));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM audit_outbox WHERE action = 'SIGN.done'"));
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature }, "other"), "already-signed", 409);
    }

    [Theory]
    [InlineData(CommitPoints.BeforeIntent)]
    [InlineData(CommitPoints.AfterIntent)]
    [InlineData(CommitPoints.AfterAct)]
    public async Task A_seal_stopped_at_any_commit_point_is_finished_by_the_background_pass(string point)
    {
        await using var rig = await SignRig.Start();
        var id = await rig.Signed();
        var prepared = await SignRig.Read(await rig.Post(
            $"/prescriptions/{id}/review", rig.PharmacistToken(), new { decision = "approve", certificate = rig.PharmacistCard.Signature.Der.ToArray() }), 200);
        var seen = 0;
        rig.Points.Reached = name =>
        {
            // The second time around is the seal; the first is the pharmacist's own signature.
            if (name == point && Interlocked.Increment(ref seen) == 2)
            {
                throw new IOException("stopped at " + name);
            }
        };
        var signature = rig.PharmacistCard.Sign(prepared.GetProperty("toBeSigned").GetBytesFromBase64());
        using var answer = await rig.Post($"/prescriptions/{id}/review/signature", rig.PharmacistToken(), new { signature });
        await Eventually.Holds(async () => await rig.StatusOf(id) == "released", "the seal is put on");
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM signatures WHERE kind = 'seal' AND status = 'done'"));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM audit_outbox WHERE action = 'RX.seal'"));
    }

    [Fact]
    public async Task An_approved_prescription_waits_for_its_seal_and_is_not_claimed_before()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (id, status) = await rig.Reviewed();
        Assert.Equal("approved", status);
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/claim", rig.PharmacyToken()), "wrong-state", 409);
        await rig.CertifySeal();
        await Eventually.Holds(async () => await rig.StatusOf(id) == "released", "the seal is put on");
    }

    [Fact]
    public async Task All_who_seal_one_prescription_at_once_learn_that_it_is_sealed()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (id, _) = await rig.Reviewed();
        await rig.CertifySeal();
        var seal = rig.Parts.GetRequiredService<SealPrescription>();
        Assert.All(await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => seal.TrySeal(id)))), Assert.Null);
        Assert.Equal("released", await rig.StatusOf(id));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM signatures WHERE kind = 'seal'"));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM audit_outbox WHERE action = 'RX.seal'"));
    }

    [Fact]
    public async Task Two_completions_at_once_release_one_signature()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (id, bytes, _) = await rig.Prepared();
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ =>
            rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature = rig.DoctorCard.Sign(bytes) })));
        Assert.Equal(1, answers.Count(a => (int)a.StatusCode == 200));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM signatures WHERE status = 'done'"));
    }
}

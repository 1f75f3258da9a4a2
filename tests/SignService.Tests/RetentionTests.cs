using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using Trust.Kernel.Audit;
using Trust.LogFormat;
using Trust.SignService.Prescriptions;
using Trust.SignService.Retention;
using Trust.TestKit;

namespace Trust.SignService.Tests;

/// <summary>Records go when their time is over, and not while anything keeps them.</summary>
public sealed class RetentionTests
{
    [Fact]
    public async Task A_prescription_goes_with_its_signatures_and_an_event_fifteen_years_after_its_patients_last()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var old = await rig.Signed();
        await Age(rig, old, 181);
        rig.Peers.PatientKey = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        var earlier = await rig.Signed();
        await Age(rig, earlier, 181);
        var recent = await rig.Signed();
        await Age(rig, recent, 179);

        await Round(rig);
        Assert.Null(await rig.StatusOf(old));
        Assert.Equal(0, await rig.Count($"SELECT count(*) FROM signatures WHERE prescription = '{old}'"));
        Assert.Equal("signed", await rig.StatusOf(earlier));
        Assert.Equal("signed", await rig.StatusOf(recent));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM audit_outbox WHERE action = 'RX.discard' AND position('retention-ended' IN encode(body, 'escape')) > 0"));
    }

    [Theory]
    [InlineData("prescription")]
    [InlineData("patient")]
    [InlineData("doctor")]
    [InlineData("institution")]
    public async Task Nothing_goes_that_a_hold_lies_on_by_whomever_it_concerns(string by)
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (draft, _, _) = await rig.Prepared();
        var signed = await rig.Signed();
        await Age(rig, signed, 181);
        await Age(rig, draft, 181);
        SubjectKey[] held = by switch
        {
            "prescription" => [SubjectKey.Prescription(signed.ToString()), SubjectKey.Prescription(draft.ToString())],
            "patient" => [SubjectKey.Patient(Convert.FromHexString(rig.Peers.PatientKey))],
            "doctor" => [SubjectKey.Practitioner(SignRig.Doctor)],
            _ => [SubjectKey.Institution(SignRig.Hospital)],
        };
        Array.ForEach(held, h => rig.Peers.Held[HoldQuestion.Name(h)] = true);
        await Round(rig);
        Assert.Equal(("signed", "draft"), (await rig.StatusOf(signed), await rig.StatusOf(draft)));

        rig.Peers.Held.Clear();
        await Round(rig);
        Assert.Equal(((string?)null, (string?)null), (await rig.StatusOf(signed), await rig.StatusOf(draft)));
    }

    [Fact]
    public async Task Nothing_goes_while_the_ledger_does_not_say_what_is_held()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var id = await rig.Signed();
        await Age(rig, id, 181);
        rig.Peers.LedgerAway = true;
        await Round(rig);
        Assert.Equal("signed", await rig.StatusOf(id));
        rig.Peers.LedgerAway = false;
        await Eventually.Holds(
            async () =>
            {
                await Round(rig);
                return await rig.StatusOf(id) is null;
            },
            "it goes once the ledger answers");
    }

    private static async Task Age(SignRig rig, Guid id, int months) => Assert.Equal(1, await rig.Count(
        $"WITH u AS (UPDATE prescriptions SET created_at = created_at - interval '{months} months' WHERE id = '{id}' RETURNING 1) SELECT count(*) FROM u"));

    private static async Task Round(SignRig rig)
    {
        await rig.Parts.GetRequiredService<DeleteExpired>().Round(CancellationToken.None);
        await rig.Parts.GetRequiredService<DiscardDrafts>().Round(CancellationToken.None);
    }
}

using System.Text.Json;
using CsCheck;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.SignService.Tests;

/// <summary>No fact without its event: whatever doctors, pharmacists and systems do, while token, ledger and registry fail.</summary>
public sealed class CommittedStateTests
{
    private static readonly string[] Texts = ["剂量过大", "", "x\",\"class\":\"RESTRICTED", "换行\n", "\u202e反", string.Concat(Enumerable.Repeat("依据处方管理办法", 20)), "510105195001010019"];

    private static readonly Gen<Act> Acts = Gen.Select(
        Gen.Enum<Deed>(), Gen.Int[0, 2], Gen.Int[0, Texts.Length - 1], Gen.Enum<Fault>(), (deed, prescription, text, fault) => new Act(deed, prescription, Texts[text], fault));

    private static readonly StateRow[] Rows =
    [
        new("prescriptions", r => [Prescription(r, "id")], "next_try", "tries"),
        // Prepared: bytes offered for signing, which lapse; nothing was signed or decided. The intent is a note of an event that stands already.
        new("signatures", r => [Prescription(r, "prescription")], "intent") { IsFact = r => r.GetProperty("status").GetString() is not "prepared" },
        new("sealed_documents", r => [Institution(r)]),
        new("seals", r => [Institution(r)]),
        new("key_register", r => ["\"reason\":\"" + r.GetProperty("label").GetString() + "\""]),
    ];

    private static readonly Dictionary<string, string> NoFacts = new(StringComparer.Ordinal)
    {
        ["audit_relay"] = "the outbox's own place in the ledger",
        ["dpop_proofs"] = "marks against replay",
        ["idempotency"] = "answers kept for a retry",
        ["key_ring"] = "cookie keys of this service",
        ["person_keys"] = "a patient's key, of which nothing lies under it yet; the row sealed under it is the fact",
        ["person_masters"] = "the change of master, told by the shredding's event",
        ["person_shreddings"] = "what the ledger asked for, which it recorded itself; carried out, it is told by KEY.destroy",
        ["migrations"] = "the schema's own version",
        ["storable_regions"] = "what the owner lets be stored here, by the rules",
        ["time_stamp_mark"] = "the latest instant stamped; each stamp is a signature's or an anonymous caller's",
    };

    private enum Deed
    {
        Prepare, Sign, SignOther, Review, ReviewSigned, Return, Claim, Unclaim, Dispense, Withdraw, InstitutionVoid, Seal, RequestSeal,
    }

    private enum Fault
    {
        None, TokenFails, TokenTookIt, DoctorSuspended, RegistryAway, LedgerAway, CallerLeaves,
    }

    [Fact]
    public async Task Every_committed_row_is_named_by_an_event_of_its_own_transaction()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var commits = await RecordedCommits.Begin(rig.Database.Owner, Rows, NoFacts);
        await rig.CertifySeal();
        await Acts.Array[25, 40].SampleAsync(
            async acts =>
            {
                await Eventually.Holds(
                    async () => await rig.Count("SELECT count(*) FROM audit_outbox WHERE idx IS NULL") == 0 && await rig.LedgerAnswers(), "the ledger answers again");
                Known[] known = [new(await rig.Prepared()), new(await rig.Prepared()) { Id = await rig.Signed() }, new(await rig.Prepared()) { Id = await rig.Released() }];
                foreach (var act in acts)
                {
                    await Do(rig, act, known[act.Prescription]);
                }

                var (_, silent) = await commits.Judge();
                Assert.True(silent.Count == 0, string.Join('\n', silent));
            },
            iter: 4, threads: 1);
        var (judged, _) = await commits.Judge();
        Assert.True(judged > 60, $"Only {judged} rows were judged.");
    }

    private static string Prescription(JsonElement row, string column) => StateRow.Subject(SubjectKey.Prescription(row.GetProperty(column).GetString()!));

    private static string Institution(JsonElement row) => StateRow.Subject(SubjectKey.Institution(row.GetProperty("institution").GetString()!));

    private static async Task Do(SignRig rig, Act act, Known known)
    {
        (rig.Faults.Took, rig.Faults.FailSigns) = (act.Fault is Fault.TokenTookIt ? Took.Effect : Took.NoEffect, act.Fault is Fault.TokenFails or Fault.TokenTookIt ? 1 : 0);
        (rig.Peers.RegistryAway, rig.Peers.LedgerAway) = (act.Fault is Fault.RegistryAway, act.Fault is Fault.LedgerAway);
        if (act.Fault is Fault.DoctorSuspended)
        {
            rig.Peers.Deny(SignRig.Doctor, "suspended");
        }

        try
        {
            using var leaves = new CancellationTokenSource();
            if (act.Fault is Fault.CallerLeaves)
            {
                leaves.CancelAfter(TimeSpan.FromMilliseconds(act.Text.Length));
            }

            await Deeds(rig, act, known).WaitAsync(leaves.Token);
        }
        catch (OperationCanceledException)
        {
            // The caller is gone; what it asked for may still come to pass.
            return;
        }
        finally
        {
            rig.Faults.FailSigns = 0;
            (rig.Peers.RegistryAway, rig.Peers.LedgerAway) = (false, false);
            rig.Peers.Permit(SignRig.Doctor);
        }
    }

    private static Task Deeds(SignRig rig, Act act, Known known) => act.Deed switch
    {
        Deed.Prepare => Answered(rig.Prepare()),
        Deed.Sign => Answered(rig.Post($"/prescriptions/{known.Draft}/signature", rig.DoctorToken(), new { signature = rig.DoctorCard.Sign(known.ToBeSigned) })),
        Deed.SignOther => Answered(rig.Post($"/prescriptions/{known.Draft}/signature", rig.DoctorToken(), new { signature = rig.DoctorCard.Sign([1]) })),
        Deed.Review => Review(rig, known),
        Deed.ReviewSigned => Answered(rig.Post($"/prescriptions/{known.Id}/review/signature", rig.PharmacistToken(), new { signature = rig.PharmacistCard.Sign(known.Review) })),
        Deed.Return => Answered(rig.Post($"/prescriptions/{known.Id}/return", rig.PharmacistToken(), new { reason = act.Text })),
        Deed.Claim => Answered(rig.Post($"/prescriptions/{known.Id}/claim", rig.PharmacyToken())),
        Deed.Unclaim => Answered(rig.Post($"/prescriptions/{known.Id}/unclaim", rig.PharmacyToken())),
        Deed.Dispense => Answered(rig.Post($"/prescriptions/{known.Id}/dispense", rig.PharmacyToken(), new { dispenser = SignRig.Pharmacist })),
        Deed.Withdraw => Answered(rig.Post($"/prescriptions/{known.Id}/void", rig.DoctorToken(), new { reason = act.Text })),
        Deed.InstitutionVoid => Answered(rig.Post(
            $"/prescriptions/{known.Id}/institution-void", rig.Peers.Token("his", "rx.void", null, SignRig.Hospital, "https://sign.example"), new { reason = act.Text })),
        Deed.Seal => Answered(rig.Post($"/seals/{SignRig.Hospital}/signatures", rig.SealToken(), new { payload = System.Text.Encoding.UTF8.GetBytes(act.Text) })),
        Deed.RequestSeal => Answered(rig.Get($"/seals/{SignRig.Hospital}/request", rig.SealToken())),
        _ => throw new InvalidOperationException("Unknown deed."),
    };

    private static async Task Review(SignRig rig, Known known)
    {
        using var answer = await rig.Post(
            $"/prescriptions/{known.Id}/review", rig.PharmacistToken(), new { decision = "approve", certificate = rig.PharmacistCard.Signature.Der.ToArray() });
        if (answer.IsSuccessStatusCode)
        {
            known.Review = (await SignRig.Read(answer, 200)).GetProperty("toBeSigned").GetBytesFromBase64();
        }
    }

    private static async Task Answered(Task<HttpResponseMessage> call)
    {
        using var answer = await call;
        Assert.NotEqual(500, (int)answer.StatusCode);
    }

    private sealed record Act(Deed Deed, int Prescription, string Text, Fault Fault);

    private sealed class Known((Guid Id, byte[] ToBeSigned, JsonElement Body) draft)
    {
        public Guid Draft { get; } = draft.Id;

        public byte[] ToBeSigned { get; } = draft.ToBeSigned;

        public Guid Id { get; init; } = draft.Id;

        public byte[] Review { get; set; } = [1];
    }
}

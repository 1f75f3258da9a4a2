using Microsoft.Extensions.DependencyInjection;
using Trust.SignService.Prescriptions;
using Trust.TestKit;

namespace Trust.SignService.Tests;

public sealed class SealingPassTests
{
    // More than one round takes.
    private const int Many = 60;

    // The row of an approved prescription, copied to another institution, which has no seal, and made older than the original.
    private const string CopyToInstitutionWithoutSeal = """
        WITH c AS (
            INSERT INTO prescriptions (id, region, number, institution, author, patient, patient_key, category, payload_sealed, payload_sha256, status,
                valid_until, rule_version, created_at, changed_at)
            SELECT gen_random_uuid(), region, 'COPY-' || n, 'urn:mdid:o:01J9ZZZZZZZZZZZZZZZZZZZZN1', author, patient, patient_key, category, payload_sealed,
                payload_sha256, status, valid_until, rule_version, created_at - interval '1 hour', changed_at - interval '1 hour'
            FROM prescriptions, generate_series(1, 60) n WHERE status = 'approved' RETURNING 1)
        SELECT count(*) FROM c
        """;

    [Fact]
    public async Task Many_prescriptions_of_an_institution_without_a_seal_hold_up_no_other_institutions()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (id, status) = await rig.Reviewed();
        Assert.Equal("approved", status);
        Assert.Equal(Many, await rig.Count(CopyToInstitutionWithoutSeal));
        await rig.CertifySeal();
        await Eventually.Holds(async () => await rig.StatusOf(id) == "released", "the other institution's prescription is sealed");
        Assert.Equal(Many, await rig.Count("SELECT count(*) FROM prescriptions WHERE status = 'approved'"));
    }

    [Fact]
    public async Task One_that_cannot_be_sealed_waits_longer_each_time()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (id, _) = await rig.Reviewed();
        var store = rig.Parts.GetRequiredService<PrescriptionStore>();
        var now = DateTimeOffset.UtcNow.AddHours(1);
        await rig.Count($"WITH u AS (UPDATE prescriptions SET tries = 0, next_try = now() + interval '1 hour' WHERE id = '{id}' RETURNING 1) SELECT count(*) FROM u");
        foreach (var seconds in new[] { 1, 2, 4, 8, 16, 32, 64, 64 })
        {
            await store.PostponeSeal(id, now, CancellationToken.None);
            Assert.Empty(await store.Unsealed(now.AddSeconds(seconds - 0.5), CancellationToken.None));
            Assert.Equal([id], await store.Unsealed(now.AddSeconds(seconds), CancellationToken.None));
        }
    }

    [Fact]
    public async Task A_fault_of_one_prescription_leaves_the_others_their_seal()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (id, _) = await rig.Reviewed();
        // The older rows meet a certificate that cannot be read, which is a fault and no refusal.
        Assert.Equal(Many, await rig.Count(CopyToInstitutionWithoutSeal));
        Assert.Equal(1, await rig.Count("""
            WITH s AS (
                INSERT INTO seals (institution, region, key_label, request, certificates, created_at)
                VALUES ('urn:mdid:o:01J9ZZZZZZZZZZZZZZZZZZZZN1', '510100', 'seal-none', '', ARRAY['\x00'::bytea], now()) RETURNING 1)
            SELECT count(*) FROM s
            """));
        await rig.CertifySeal();
        await Eventually.Holds(async () => await rig.StatusOf(id) == "released", "the other institution's prescription is sealed");
        await Eventually.Holds(async () => await rig.Count("SELECT count(*) FROM prescriptions WHERE status = 'approved' AND tries > 0") == Many, "all were tried");
    }

    [Fact]
    public async Task What_expired_while_it_waited_is_not_sealed_any_more()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (id, _) = await rig.Reviewed();
        await rig.Count($"WITH u AS (UPDATE prescriptions SET valid_until = now() - interval '1 second' WHERE id = '{id}' RETURNING 1) SELECT count(*) FROM u");
        await rig.CertifySeal();
        await Eventually.Holds(async () => await rig.StatusOf(id) == "expired", "its expiry is noted");
        Assert.Equal(0, await rig.Count("SELECT count(*) FROM signatures WHERE kind = 'seal'"));
        await Eventually.Holds(() => rig.Peers.Actions.Contains("RX.expire"), "the expiry reaches the ledger");
    }
}

using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Keys;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.Pkcs11;
using Trust.SignService.Prescriptions;
using Trust.TestKit;

namespace Trust.SignService.Tests;

/// <summary>Clinical bytes lie under their patient's key; the ledger has it destroyed, never early, and the hashes and signatures stay.</summary>
public sealed class PatientShreddingTests
{
    private const string Age = "WITH u AS (UPDATE prescriptions SET created_at = created_at - interval '181 months' RETURNING 1) SELECT count(*) FROM u";

    [Fact]
    public async Task What_a_prescription_says_is_stored_sealed_and_opens_for_those_who_may_read_it()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var id = await rig.Signed();
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/return", rig.PharmacistToken(), new { reason = "剂量过大" }), 200);
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM prescriptions WHERE payload IS NULL AND return_reason IS NULL AND payload_sealed IS NOT NULL AND return_sealed IS NOT NULL"));
        var text = await SignRig.Read(await rig.Get($"/prescriptions/{id}", rig.DoctorToken()), 200);
        var payload = text.GetProperty("payload").GetBytesFromBase64();
        Assert.Equal("剂量过大", text.GetProperty("returnReason").GetString());
        Assert.Equal(1, await rig.Count($"SELECT count(*) FROM prescriptions WHERE payload_sha256 = decode('{Convert.ToHexString(SHA256.HashData(payload))}', 'hex')"));
        // Bytes of the document itself, anywhere in the row.
        Assert.Equal(0, await rig.Count("SELECT count(*) FROM prescriptions p WHERE position('Bundle' IN encode(payload_sealed, 'escape')) > 0"));
    }

    [Fact]
    public async Task A_patient_whose_last_prescription_is_younger_than_fifteen_years_is_kept_and_nothing_is_touched()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var id = await rig.Signed();
        var shredding = Guid.NewGuid();
        var answer = await rig.Shred(shredding, rig.Peers.PatientKey);
        Assert.Equal("kept", answer.GetProperty("state").GetString());
        Assert.InRange(answer.GetProperty("keptUntil").GetDateTimeOffset(), DateTimeOffset.UtcNow.AddYears(15).AddDays(-1), DateTimeOffset.UtcNow.AddYears(15));
        // What was answered stays answered.
        await rig.Count(Age);
        Assert.Equal("kept", (await rig.Shred(shredding, rig.Peers.PatientKey)).GetProperty("state").GetString());
        await SignRig.Read(await rig.Get($"/prescriptions/{id}", rig.DoctorToken()), 200);
    }

    [Fact]
    public async Task A_shredded_patients_text_opens_by_no_key_of_the_token_not_even_from_a_backup_and_its_proofs_stay()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var id = await rig.Signed();
        var patient = rig.Peers.PatientKey;
        var backup = (await KeysOf(rig)).Single();
        rig.Peers.PatientKey = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        var other = await rig.Signed();
        await rig.Count(Age);
        await Shredded(rig, Guid.NewGuid(), patient);

        await SignRig.Refused(await rig.Get($"/prescriptions/{id}", rig.DoctorToken()), "shredded", 410);
        Assert.Equal(410, await rig.EvidenceStatus(id));
        await SignRig.Read(await rig.Get($"/prescriptions/{other}", rig.DoctorToken()), 200);
        Assert.Equal(1, await rig.Count($"SELECT count(*) FROM prescriptions p JOIN signatures s ON s.prescription = p.id WHERE p.id = '{id}' AND s.status = 'done' AND octet_length(p.payload_sha256) = 32"));
        Assert.Equal(0, await rig.Count($"SELECT count(*) FROM idempotency WHERE location LIKE '%{id}' OR endpoint LIKE '%{id}%' OR position('{id}' IN encode(body, 'escape')) > 0"));

        // The row of the key as a backup has it: its master is gone, and the one that is there does not open it.
        var token = rig.Parts.GetRequiredService<IToken>();
        Assert.Null(await token.Find(PersonKeys.Master(1), default));
        for (var master = 1; master <= 3; master++)
        {
            await Assert.ThrowsAnyAsync<Exception>(async () => await token.Decrypt(PersonKeys.Master(master), backup.Wrapped, backup.Person, default));
        }

        Assert.Equal(
            ["KEY.destroy key-deleted", "KEY.destroy shredded"],
            rig.Peers.Events.Where(e => e.GetProperty("action").GetString() == "KEY.destroy").Select(e => $"KEY.destroy {e.GetProperty("reason").GetString()}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_hold_on_what_the_patients_records_concern_or_a_ledger_that_does_not_say_lets_nothing_be_shredded()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var id = await rig.Signed();
        await rig.Count(Age);
        var (shredding, hold) = (Guid.NewGuid(), HoldQuestion.Name(SubjectKey.Institution(SignRig.Hospital)));
        rig.Peers.Held[hold] = true;
        Assert.Equal("held", (await rig.Shred(shredding, rig.Peers.PatientKey)).GetProperty("state").GetString());
        rig.Peers.Held.Clear();
        rig.Peers.LedgerAway = true;
        Assert.Equal("held", (await rig.Shred(shredding, rig.Peers.PatientKey)).GetProperty("state").GetString());
        Assert.Equal(0, await rig.Count("SELECT count(*) FROM person_shreddings"));
        rig.Peers.LedgerAway = false;
        // The relay hears of the ledger's return at its next round.
        await Eventually.Holds(
            async () =>
            {
                using var again = await rig.Get($"/prescriptions/{id}", rig.DoctorToken());
                return (int)again.StatusCode == 200;
            },
            "the prescription is still there to be read");
        await Shredded(rig, shredding, rig.Peers.PatientKey);
    }

    [Fact]
    public async Task A_patient_of_whom_nothing_is_kept_is_shredded_and_gets_no_prescription_afterwards()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        await Shredded(rig, Guid.NewGuid(), rig.Peers.PatientKey);
        await SignRig.Refused(await rig.Prepare(), "no-consent", 403);
        Assert.Equal(0, await rig.Count("SELECT count(*) FROM prescriptions"));
    }

    [Fact]
    public async Task Only_the_ledger_asks_and_one_identifier_is_one_patient()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var id = Guid.NewGuid();
        await rig.Shred(id, rig.Peers.PatientKey);
        await rig.Shred(id, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32)), 400);
        await rig.Shred(Guid.NewGuid(), "short", 400);
        using var stranger = new HttpRequestMessage(HttpMethod.Put, $"/shreddings/{id}") { Content = new StringContent("{}", Encoding.UTF8, "application/json") };
        using var answer = await rig.Client.SendAsync(stranger);
        Assert.Equal(401, (int)answer.StatusCode);
    }

    [Theory]
    [InlineData("after-new-master")]
    [InlineData("after-moves")]
    [InlineData("before-destroy")]
    [InlineData("after-destroy")]
    public async Task A_shredding_that_stops_half_way_is_finished_and_loses_no_survivor(string point)
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var id = await rig.Signed();
        var patient = rig.Peers.PatientKey;
        rig.Peers.PatientKey = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        var other = await rig.Signed();
        await rig.Count(Age);
        var stops = 1;
        rig.Parts.GetRequiredService<ShreddingPoints>().Reached = at =>
        {
            if (at == point && Interlocked.Exchange(ref stops, 0) == 1)
            {
                throw new InvalidOperationException("stopped");
            }
        };
        await Shredded(rig, Guid.NewGuid(), patient);
        Assert.Equal(0, stops);
        await SignRig.Refused(await rig.Get($"/prescriptions/{id}", rig.DoctorToken()), "shredded", 410);
        await SignRig.Read(await rig.Get($"/prescriptions/{other}", rig.DoctorToken()), 200);
        // And the next one changes the master again.
        await Shredded(rig, Guid.NewGuid(), rig.Peers.PatientKey);
        await SignRig.Refused(await rig.Get($"/prescriptions/{other}", rig.DoctorToken()), "shredded", 410);
    }

    [Fact]
    public async Task What_an_earlier_version_stored_in_clear_is_read_and_then_sealed()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var id = await rig.Signed();
        var payload = (await SignRig.Read(await rig.Get($"/prescriptions/{id}", rig.DoctorToken()), 200)).GetProperty("payload").GetBytesFromBase64();
        await rig.Database.Owner.Sql("UPDATE prescriptions SET payload_sealed = NULL, payload = $2, return_reason = 'old' WHERE id = $1").With(id).With(payload).Execute(default);
        Assert.Equal(payload, (await SignRig.Read(await rig.Get($"/prescriptions/{id}", rig.DoctorToken()), 200)).GetProperty("payload").GetBytesFromBase64());
        await rig.Parts.GetRequiredService<SealStoredText>().Round(default);
        Assert.Equal(0, await rig.Count("SELECT count(*) FROM prescriptions WHERE payload IS NOT NULL OR return_reason IS NOT NULL"));
        var read = await SignRig.Read(await rig.Get($"/prescriptions/{id}", rig.DoctorToken()), 200);
        Assert.Equal(payload, read.GetProperty("payload").GetBytesFromBase64());
        Assert.Equal("old", read.GetProperty("returnReason").GetString());
    }

    [Theory]
    [InlineData("no stop")]
    [InlineData("before-destroy")]
    public async Task A_prescription_made_while_the_keys_move_spares_its_patient_with_all_that_was_there(string stop)
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var id = await rig.Signed();
        await rig.Count(Age);
        var shredding = Guid.NewGuid();
        var stops = 1;
        var made = At(rig, "after-moves", () => rig.Signed(), at =>
        {
            if (at == stop && Interlocked.Exchange(ref stops, 0) == 1)
            {
                throw new InvalidOperationException("stopped");
            }
        });
        Assert.Equal("asked", await State(rig, shredding));
        var later = await made;
        await Eventually.Holds(async () => await State(rig, shredding) is "kept", "the patient is kept");
        Assert.InRange(
            (await rig.Shred(shredding, rig.Peers.PatientKey)).GetProperty("keptUntil").GetDateTimeOffset(), DateTimeOffset.UtcNow.AddYears(15).AddDays(-1), DateTimeOffset.UtcNow.AddYears(15));

        // The master is changed all the same, and whoever comes later opens both: the key has moved.
        await Eventually.Holds(async () => await rig.Parts.GetRequiredService<IToken>().Find(PersonKeys.Master(1), default) is null, "the master that was left is destroyed");
        foreach (var prescription in new[] { id, later })
        {
            Assert.NotNull(await AnotherInstance(rig).Payload((await rig.Parts.GetRequiredService<PrescriptionStore>().Find(prescription, default))!, default));
            await SignRig.Read(await rig.Get($"/prescriptions/{prescription}", rig.DoctorToken()), 200);
        }

        Assert.DoesNotContain(rig.Peers.Events, e => e.GetProperty("action").GetString() == "KEY.destroy");
    }

    [Fact]
    public async Task A_prescription_that_is_being_stored_when_its_patients_key_is_about_to_go_is_waited_for_and_spares_it()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var id = await rig.Signed();
        await rig.Count(Age);
        await using var connection = await rig.Database.Runtime.OpenConnectionAsync();
        await using var tx = await connection.BeginTransactionAsync();
        var stored = At(rig, "after-moves", async () =>
        {
            Assert.NotNull(await PersonKeys.Hold(tx, Convert.FromHexString(rig.Peers.PatientKey), default));
            return await tx.Sql("UPDATE prescriptions SET created_at = now()").Execute(default);
        });
        var shredding = Guid.NewGuid();
        Assert.Equal("asked", await State(rig, shredding));
        Assert.Equal(1, await stored);
        await Eventually.Holds(() => WaitsForAKey(rig), "the shredding waits for what is being stored");
        await tx.CommitAsync();
        await Eventually.Holds(async () => await State(rig, shredding) is "kept", "the patient is kept");
        await SignRig.Read(await rig.Get($"/prescriptions/{id}", rig.DoctorToken()), 200);
    }

    [Theory]
    [InlineData("institution")]
    [InlineData("patient")]
    public async Task A_hold_that_comes_while_the_keys_move_spares_the_patient_until_it_is_released(string on)
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var id = await rig.Signed();
        await rig.Count(Age);
        var hold = HoldQuestion.Name(on is "patient" ? SubjectKey.Patient(Convert.FromHexString(rig.Peers.PatientKey)) : SubjectKey.Institution(SignRig.Hospital));
        var placed = At(rig, "after-moves", () => Task.FromResult(rig.Peers.Held[hold] = true));
        var shredding = Guid.NewGuid();
        Assert.Equal("asked", await State(rig, shredding));
        await placed;
        await Eventually.Holds(async () => await State(rig, shredding) is "held", "the patient is held");
        await Eventually.Holds(async () => await rig.Parts.GetRequiredService<IToken>().Find(PersonKeys.Master(1), default) is null, "the master that was left is destroyed");
        // Asked again and again, no master is changed for it.
        Assert.Equal("held", await State(rig, shredding));
        Assert.Equal(2, await rig.Count("SELECT count(*) FROM person_masters"));
        await SignRig.Read(await rig.Get($"/prescriptions/{id}", rig.DoctorToken()), 200);
        rig.Peers.Held.Clear();
        await Shredded(rig, shredding, rig.Peers.PatientKey);
        await SignRig.Refused(await rig.Get($"/prescriptions/{id}", rig.DoctorToken()), "shredded", 410);
    }

    [Fact]
    public async Task A_patient_who_was_spared_and_is_asked_for_anew_before_the_old_master_goes_is_not_called_shredded_with_it()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var id = await rig.Signed();
        await rig.Count(Age);
        var (shredding, hold) = (Guid.NewGuid(), HoldQuestion.Name(SubjectKey.Institution(SignRig.Hospital)));
        // The hold comes while the keys move and is released before the master goes; the ledger asks again at once.
        string? again = null;
        var asked = At(rig, "after-moves", () => Task.FromResult(rig.Peers.Held[hold] = true), at =>
        {
            if (at == "before-destroy" && again is null)
            {
                rig.Peers.Held.Clear();
                again = State(rig, shredding).GetAwaiter().GetResult();
            }
        });
        Assert.Equal("asked", await State(rig, shredding));
        await asked;
        await Eventually.Holds(async () => await rig.Count("SELECT count(*) FROM person_masters WHERE state = 'destroyed'") >= 1, "the first master is gone");
        Assert.Equal("asked", again);
        // Whoever is told that it is done finds nothing that still opens.
        await Shredded(rig, shredding, rig.Peers.PatientKey);
        await SignRig.Refused(await rig.Get($"/prescriptions/{id}", rig.DoctorToken()), "shredded", 410);
        Assert.Equal(2, await rig.Count("SELECT count(*) FROM person_masters WHERE state = 'destroyed'"));
    }

    [Fact]
    public async Task What_another_instance_shredded_is_neither_read_nor_written_with_the_key_that_this_one_holds_in_memory()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var id = await rig.Signed();
        await SignRig.Read(await rig.Get($"/prescriptions/{id}", rig.DoctorToken()), 200);
        await rig.Database.Owner.Sql("UPDATE person_keys SET wrapped = NULL").Execute(default);
        await SignRig.Refused(await rig.Get($"/prescriptions/{id}", rig.DoctorToken()), "shredded", 410);
        await SignRig.Refused(await rig.Prepare(), "no-consent", 403);
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/return", rig.PharmacistToken(), new { reason = "剂量过大" }), "shredded", 410);
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM prescriptions WHERE status = 'signed' AND return_sealed IS NULL"));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM prescriptions"));
    }

    [Theory]
    [InlineData("draft")]
    [InlineData("return")]
    public async Task What_was_sealed_before_its_key_went_is_not_stored_after_it(string what)
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var id = await rig.Signed();
        await using var connection = await rig.Database.Runtime.OpenConnectionAsync();
        await using var tx = await connection.BeginTransactionAsync();
        Assert.Equal(1, await tx.Sql("SELECT 1 FROM person_keys FOR UPDATE").Scalar<int>(default));
        var writing = what is "draft" ? rig.Prepare() : rig.Post($"/prescriptions/{id}/return", rig.PharmacistToken(), new { reason = "剂量过大" });
        await Eventually.Holds(async () => writing.IsCompleted || await WaitsForAKey(rig), "it is sealed, and waits for the key's fate or does not");
        await tx.Sql("UPDATE person_keys SET wrapped = NULL").Execute(default);
        await tx.CommitAsync();
        await (what is "draft" ? SignRig.Refused(await writing, "no-consent", 403) : SignRig.Refused(await writing, "shredded", 410));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM prescriptions WHERE status = 'signed' AND return_sealed IS NULL"));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM prescriptions"));
    }

    [Fact]
    public async Task No_key_is_made_for_a_patient_whose_shredding_is_under_way()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        // The master that goes with it has been left: a key made now would lie under the next one, which stays.
        var prepared = At(rig, "after-new-master", async () => (Answer: await rig.Prepare(), Keys: await rig.Count("SELECT count(*) FROM person_keys WHERE wrapped IS NOT NULL")));
        var shredding = Guid.NewGuid();
        Assert.Equal("asked", await State(rig, shredding));
        var (answer, keys) = await prepared;
        await SignRig.Refused(answer, "no-consent", 403);
        Assert.Equal(0, keys);
        await Shredded(rig, shredding, rig.Peers.PatientKey);
        Assert.Equal(0, await rig.Count("SELECT count(*) FROM prescriptions"));
    }

    [Fact]
    public async Task What_is_stored_in_clear_is_not_lost_to_a_shredding_that_spares_its_patient()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var id = await rig.Signed();
        var payload = (await SignRig.Read(await rig.Get($"/prescriptions/{id}", rig.DoctorToken()), 200)).GetProperty("payload").GetBytesFromBase64();
        // As an earlier version left it: no key yet.
        await rig.Database.Owner.Sql("UPDATE prescriptions SET payload_sealed = NULL, payload = $1").With(payload).Execute(default);
        await rig.Database.Owner.Sql("DELETE FROM person_keys").Execute(default);
        rig.Parts.GetRequiredService<PersonKeys>().Forget(Convert.FromHexString(rig.Peers.PatientKey));
        await rig.Count(Age);
        var passed = At(rig, "after-moves", async () =>
        {
            await rig.Parts.GetRequiredService<SealStoredText>().Round(default);
            return rig.Peers.Held[HoldQuestion.Name(SubjectKey.Prescription(id.ToString()))] = true;
        });
        var shredding = Guid.NewGuid();
        Assert.Equal("asked", await State(rig, shredding));
        await passed;
        await Eventually.Holds(async () => await State(rig, shredding) is "held", "the patient is held");
        await rig.Parts.GetRequiredService<SealStoredText>().Round(default);
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM prescriptions WHERE payload IS NULL AND payload_sealed IS NOT NULL"));
        Assert.Equal(payload, (await SignRig.Read(await rig.Get($"/prescriptions/{id}", rig.DoctorToken()), 200)).GetProperty("payload").GetBytesFromBase64());
    }

    // What is done the first time the shredding passes a point.
    private static Task<T> At<T>(SignRig rig, string point, Func<Task<T>> act, Action<string>? then = null)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        rig.Parts.GetRequiredService<ShreddingPoints>().Reached = at =>
        {
            if (at == point && !done.Task.IsCompleted)
            {
                try
                {
                    done.SetResult(act().GetAwaiter().GetResult());
                }
                catch (Exception e)
                {
                    done.SetException(e);
                }
            }

            then?.Invoke(at);
        };
        return done.Task.WaitAsync(TimeSpan.FromMinutes(1));
    }

    private static async Task<string?> State(SignRig rig, Guid shredding) => (await rig.Shred(shredding, rig.Peers.PatientKey)).GetProperty("state").GetString();

    private static ClinicalText AnotherInstance(SignRig rig) => new(new PersonKeys(rig.Database.Runtime, rig.Parts.GetRequiredService<IToken>(), TimeProvider.System));

    private static async Task<bool> WaitsForAKey(SignRig rig) => await rig.Database.Runtime
        .Sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%person_keys%'").Scalar<long>(default) > 0;

    private static async Task Shredded(SignRig rig, Guid shredding, string patient)
    {
        Assert.NotEqual("kept", (await rig.Shred(shredding, patient)).GetProperty("state").GetString());
        await Eventually.Holds(async () => (await rig.Shred(shredding, patient)).GetProperty("state").GetString() == "destroyed", "the patient is shredded");
        await Eventually.Holds(() => rig.Peers.Events.Any(e => e.TryGetProperty("correlation", out var c) && c.GetString() == shredding.ToString()
            && e.GetProperty("reason").GetString() == "shredded"), "the ledger was told");
    }

    private static Task<List<(byte[] Person, byte[] Wrapped)>> KeysOf(SignRig rig) => rig.Database.Owner.Sql("SELECT person, wrapped FROM person_keys")
        .All(r => (r.GetFieldValue<byte[]>(0), r.GetFieldValue<byte[]>(1)), default);
}

using Npgsql;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Keys;
using Trust.Kernel.Postgres;

namespace Trust.SignService.Prescriptions;

/// <summary>SQL over the table <c>prescriptions</c>. Every change of state compares and swaps.</summary>
public sealed class PrescriptionStore(NpgsqlDataSource db)
{
    private const string Columns =
        "id, region, number, institution, author, patient, patient_key, category, payload, payload_sha256, status, valid_until, rule_version, claimed_by, convert_to(return_reason, 'UTF8'), "
        + "payload_sealed, return_sealed";

    private const string InsertRow = """
        INSERT INTO prescriptions (id, region, number, institution, author, patient, patient_key, category, payload_sealed, payload_sha256, status, valid_until,
            rule_version, created_at, changed_at, prepare_key)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'draft', $11, $12, $13, $13, $14)
        ON CONFLICT (prepare_key) DO NOTHING
        """;

    private const string FindPrepared = $"SELECT {Columns} FROM prescriptions WHERE prepare_key = $1";

    private const string FindRow = $"SELECT {Columns} FROM prescriptions WHERE id = $1";
    private const string InForce = "SELECT 1 FROM prescriptions WHERE institution = $1 AND number = $2 AND status NOT IN ('draft', 'returned', 'voided')";
    private const string ChangeStatus = "UPDATE prescriptions SET status = $3, changed_at = $4 WHERE id = $1 AND status = $2";
    private const string ReturnRow = "UPDATE prescriptions SET status = 'returned', return_sealed = $2, changed_at = $3 WHERE id = $1 AND status = 'signed'";

    private const string ClaimRow = """
        UPDATE prescriptions SET status = 'claimed', claimed_by = $2, changed_at = $3
        WHERE id = $1 AND status = 'released' AND valid_until > $3
        """;

    private const string DispenseRow = """
        UPDATE prescriptions SET status = 'dispensed', changed_at = $3
        WHERE id = $1 AND status = 'claimed' AND claimed_by = $2 AND valid_until > $3
        """;

    private const string UnclaimRow = """
        UPDATE prescriptions SET status = 'released', claimed_by = NULL, changed_at = $3
        WHERE id = $1 AND status = 'claimed' AND claimed_by = $2
        """;

    private const string FindOldDrafts = """
        SELECT id, created_at FROM prescriptions p WHERE status = 'draft' AND created_at < $1 AND (created_at, id) > ($2, $3)
          AND NOT EXISTS (SELECT 1 FROM signatures s WHERE s.prescription = p.id AND s.status <> 'prepared')
        ORDER BY created_at, id LIMIT 200
        """;

    // A visit counts for all records of its patient.
    private const string FindExpired = """
        SELECT id, created_at FROM prescriptions p WHERE created_at < $1 AND (created_at, id) > ($2, $3)
          AND NOT EXISTS (SELECT 1 FROM prescriptions later WHERE later.patient_key = p.patient_key AND later.created_at >= $1)
        ORDER BY created_at, id LIMIT 200
        """;

    private const string DeleteSignatures = "DELETE FROM signatures WHERE prescription = $1";
    private const string DeleteRow = "DELETE FROM prescriptions WHERE id = $1 AND created_at < $2";

    private const string LockDraft = "SELECT id FROM prescriptions WHERE id = $1 AND status = 'draft' FOR UPDATE";
    private const string DeletePrepared = "DELETE FROM signatures WHERE prescription = $1 AND status = 'prepared'";
    private const string DeleteDraft = """
        DELETE FROM prescriptions p WHERE id = $1 AND status = 'draft' AND NOT EXISTS (SELECT 1 FROM signatures s WHERE s.prescription = p.id)
        """;

    // Rows that an earlier version stored in clear.
    private const string FindClear = $"SELECT {Columns} FROM prescriptions WHERE (payload IS NOT NULL OR return_reason IS NOT NULL) AND id > $1 ORDER BY id LIMIT $2";

    // Nothing goes that does not stand there sealed.
    private const string SealRow = """
        UPDATE prescriptions SET payload = CASE WHEN $2 IS NULL THEN payload END, payload_sealed = coalesce($2, payload_sealed),
            return_reason = CASE WHEN $3 IS NULL THEN return_reason END, return_sealed = coalesce($3, return_sealed)
        WHERE id = $1 AND (payload IS NOT NULL OR return_reason IS NOT NULL)
        """;

    private const string VoidRow = """
        UPDATE prescriptions SET status = 'voided', changed_at = $2
        WHERE id = $1 AND status IN ('draft', 'signed', 'approved', 'released', 'claimed')
        """;

    private const string ExpireRow = """
        UPDATE prescriptions SET status = 'expired', changed_at = $2
        WHERE id = $1 AND status IN ('signed', 'approved', 'released', 'claimed') AND valid_until <= $2
        """;

    private const string FindUnsealed = """
        SELECT id FROM prescriptions WHERE status = 'approved' AND (next_try IS NULL OR next_try <= $1) ORDER BY next_try NULLS FIRST, changed_at LIMIT 50
        """;

    // 1, 2, 4 … 64 seconds.
    private const string PostponeRow = """
        UPDATE prescriptions SET tries = tries + 1, next_try = $2 + interval '1 second' * power(2, least(tries, 6)) WHERE id = $1 AND status = 'approved'
        """;

    /// <summary>One prescription, or null.</summary>
    public Task<PrescriptionRow?> Find(Guid id, CancellationToken ct) => db.Sql(FindRow).With(id).One(Read, ct);

    /// <summary>The same inside a transaction.</summary>
    public static Task<PrescriptionRow?> Find(NpgsqlTransaction tx, Guid id, CancellationToken ct) => tx.Sql(FindRow).With(id).One(Read, ct);

    /// <summary>Approved ones that still lack their seal and may be tried now: those never tried first, then those that wait longest.</summary>
    public Task<List<Guid>> Unsealed(DateTimeOffset now, CancellationToken ct) => db.Sql(FindUnsealed).With(now).All(r => r.GetGuid(0), ct);

    /// <summary>Has one that could not be sealed wait, twice as long as after its last failure.</summary>
    public Task PostponeSeal(Guid id, DateTimeOffset now, CancellationToken ct) => db.Sql(PostponeRow).With(id).With(now).Execute(ct);

    /// <summary>Whether a number is in force at an institution.</summary>
    public async Task<bool> IsNumberInForce(InstitutionId institution, string number, CancellationToken ct) =>
        await db.Sql(InForce).With(institution.Value).With(number).Scalar<int>(ct) == 1;

    /// <summary>Stores a draft under its patient's key, which is held; false when an earlier attempt with the idempotency key has stored one.</summary>
    public static async Task<bool> Insert(HeldPersonKey patients, PrescriptionRow row, string key, DateTimeOffset now, CancellationToken ct) =>
        await patients.Transaction.Sql(InsertRow).With(row.Id).With(row.Region).With(row.Number).With(row.Institution.Value).With(row.Author.Value).With(row.Patient.Value).With(row.PatientKey)
            .With(row.Category).With(row.Payload.Sealed).With(row.PayloadSha256).With(row.ValidUntil).With(row.RuleVersion).With(now).With(key).Execute(ct) == 1;

    /// <summary>The draft that an attempt with the key has stored.</summary>
    public static Task<PrescriptionRow?> FindByKey(NpgsqlTransaction tx, string key, CancellationToken ct) => tx.Sql(FindPrepared).With(key).One(Read, ct);

    /// <summary>One state to the next; false when it was not in that state.</summary>
    public static async Task<bool> Change(NpgsqlTransaction tx, Guid id, string from, string to, DateTimeOffset now) =>
        await tx.Sql(ChangeStatus).With(id).With(from).With(to).With(now).Execute(CancellationToken.None) == 1;

    /// <summary>signed → returned, the reason under the patient's key, which is held.</summary>
    public static async Task<bool> Return(HeldPersonKey patients, Guid id, byte[] reason, DateTimeOffset now, CancellationToken ct) =>
        await patients.Transaction.Sql(ReturnRow).With(id).With(reason).With(now).Execute(ct) == 1;

    /// <summary>released → claimed, for one pharmacy only and while valid.</summary>
    public static async Task<bool> Claim(NpgsqlTransaction tx, Guid id, InstitutionId pharmacy, DateTimeOffset now, CancellationToken ct) =>
        await tx.Sql(ClaimRow).With(id).With(pharmacy.Value).With(now).Execute(ct) == 1;

    /// <summary>claimed → dispensed, by the pharmacy that claimed and while valid.</summary>
    public static async Task<bool> Dispense(NpgsqlTransaction tx, Guid id, InstitutionId pharmacy, DateTimeOffset now, CancellationToken ct) =>
        await tx.Sql(DispenseRow).With(id).With(pharmacy.Value).With(now).Execute(ct) == 1;

    /// <summary>claimed → released, by the pharmacy that claimed.</summary>
    public static async Task<bool> Unclaim(NpgsqlTransaction tx, Guid id, InstitutionId pharmacy, DateTimeOffset now, CancellationToken ct) =>
        await tx.Sql(UnclaimRow).With(id).With(pharmacy.Value).With(now).Execute(ct) == 1;

    /// <summary>Drafts made before an instant, of which no signature is on its way; a portion behind a place.</summary>
    public Task<List<Cursor>> OldDrafts(DateTimeOffset before, Cursor after, CancellationToken ct) => db.Sql(FindOldDrafts).With(before).With(after.At).With(after.Id).All(ReadPlace, ct);

    /// <summary>Prescriptions of patients whose last one was made before an instant; a portion behind a place.</summary>
    public Task<List<Cursor>> Expired(DateTimeOffset before, Cursor after, CancellationToken ct) => db.Sql(FindExpired).With(before).With(after.At).With(after.Id).All(ReadPlace, ct);

    /// <summary>Deletes a prescription made before an instant, with its signatures; false when there is none.</summary>
    public static async Task<bool> Delete(NpgsqlTransaction tx, Guid id, DateTimeOffset before, CancellationToken ct)
    {
        await tx.Sql(DeleteSignatures).With(id).Execute(ct);
        return await tx.Sql(DeleteRow).With(id).With(before).Execute(ct) == 1;
    }

    /// <summary>Deletes a draft with the signatures that were prepared for it; false when it is none any more.</summary>
    public static async Task<bool> Discard(NpgsqlTransaction tx, Guid id, CancellationToken ct)
    {
        // The lock first: whoever completes the signature changes this row in the same transaction as the signature's.
        if (await tx.Sql(LockDraft).With(id).Scalar<Guid>(ct) != id)
        {
            return false;
        }

        await tx.Sql(DeletePrepared).With(id).Execute(ct);
        return await tx.Sql(DeleteDraft).With(id).Execute(ct) == 1;
    }

    /// <summary>Some that are stored in clear, behind one.</summary>
    public Task<List<PrescriptionRow>> InClear(Guid after, int most, CancellationToken ct) => db.Sql(FindClear).With(after).With(most).All(Read, ct);

    /// <summary>Puts bytes sealed under the patient's key, which is held, in the place of those in clear.</summary>
    public static Task Seal(HeldPersonKey patients, Guid id, byte[]? payload, byte[]? reason, CancellationToken ct) => patients.Transaction.Sql(SealRow).With(id).With(payload).With(reason).Execute(ct);

    /// <summary>Any state before dispensed → voided.</summary>
    public static async Task<bool> Void(NpgsqlTransaction tx, Guid id, DateTimeOffset now, CancellationToken ct) =>
        await tx.Sql(VoidRow).With(id).With(now).Execute(ct) == 1;

    /// <summary>Any living state past its validity → expired.</summary>
    public static async Task<bool> Expire(NpgsqlTransaction tx, Guid id, DateTimeOffset now, CancellationToken ct) =>
        await tx.Sql(ExpireRow).With(id).With(now).Execute(ct) == 1;

    private static Cursor ReadPlace(NpgsqlDataReader r) => new(r.GetFieldValue<DateTimeOffset>(1), r.GetGuid(0));

    private static PrescriptionRow Read(NpgsqlDataReader r) => new(
        r.GetGuid(0), r.GetString(1), r.GetString(2), InstitutionId.Parse(r.GetString(3), null), PersonId.Parse(r.GetString(4), null),
        PatientId.Parse(r.GetString(5), null), r.GetFieldValue<byte[]>(6), r.GetString(7),
        new StoredText(r.Nullable<byte[]>(8), r.Nullable<byte[]>(15)), r.GetFieldValue<byte[]>(9), r.GetString(10), r.GetFieldValue<DateTimeOffset>(11), r.GetString(12))
    {
        ClaimedBy = r.Nullable<string>(13) is { } pharmacy ? InstitutionId.Parse(pharmacy, null) : null,
        ReturnReason = new StoredText(r.Nullable<byte[]>(14), r.Nullable<byte[]>(16)),
    };
}

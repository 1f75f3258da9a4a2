using Npgsql;
using Trust.Kernel.Postgres;

namespace Trust.SignService.Prescriptions;

/// <summary>SQL over the table <c>prescriptions</c>. Every change of state compares and swaps.</summary>
public sealed class PrescriptionStore(NpgsqlDataSource db)
{
    private const string Columns =
        "id, region, number, institution, author, patient, patient_key, category, payload, payload_sha256, status, valid_until, rule_version, claimed_by, return_reason";

    private const string InsertRow = """
        INSERT INTO prescriptions (id, region, number, institution, author, patient, patient_key, category, payload, payload_sha256, status, valid_until,
            rule_version, created_at, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'draft', $11, $12, $13, $13)
        """;

    private const string FindRow = $"SELECT {Columns} FROM prescriptions WHERE id = $1";
    private const string InForce = "SELECT 1 FROM prescriptions WHERE institution = $1 AND number = $2 AND status NOT IN ('draft', 'returned', 'voided')";
    private const string ChangeStatus = "UPDATE prescriptions SET status = $3, changed_at = $4 WHERE id = $1 AND status = $2";
    private const string ReturnRow = "UPDATE prescriptions SET status = 'returned', return_reason = $2, changed_at = $3 WHERE id = $1 AND status = 'signed'";

    private const string ClaimRow = """
        UPDATE prescriptions SET status = 'claimed', claimed_by = $2, changed_at = $3
        WHERE id = $1 AND status = 'released' AND valid_until > $3
        """;

    private const string DispenseRow = """
        UPDATE prescriptions SET status = 'dispensed', changed_at = $3
        WHERE id = $1 AND status = 'claimed' AND claimed_by = $2 AND valid_until > $3
        """;

    private const string VoidRow = """
        UPDATE prescriptions SET status = 'voided', changed_at = $2
        WHERE id = $1 AND status IN ('draft', 'signed', 'approved', 'released', 'claimed')
        """;

    private const string ExpireRow = """
        UPDATE prescriptions SET status = 'expired', changed_at = $2
        WHERE id = $1 AND status IN ('signed', 'approved', 'released', 'claimed') AND valid_until <= $2
        """;

    private const string FindUnsealed = $"SELECT {Columns} FROM prescriptions WHERE status = 'approved' ORDER BY changed_at LIMIT 50";

    /// <summary>One prescription, or null.</summary>
    public Task<PrescriptionRow?> Find(Guid id, CancellationToken ct) => db.Sql(FindRow).With(id).One(Read, ct);

    /// <summary>Approved ones that still lack their seal, oldest first.</summary>
    public Task<List<PrescriptionRow>> Unsealed(CancellationToken ct) => db.Sql(FindUnsealed).All(Read, ct);

    /// <summary>Whether a number is in force at an institution.</summary>
    public async Task<bool> IsNumberInForce(string institution, string number, CancellationToken ct) =>
        await db.Sql(InForce).With(institution).With(number).Scalar<int>(ct) == 1;

    /// <summary>Stores a draft.</summary>
    public static Task<int> Insert(NpgsqlTransaction tx, PrescriptionRow row, DateTimeOffset now, CancellationToken ct) =>
        tx.Sql(InsertRow).With(row.Id).With(row.Region).With(row.Number).With(row.Institution).With(row.Author).With(row.Patient).With(row.PatientKey)
            .With(row.Category).With(row.Payload).With(row.PayloadSha256).With(row.ValidUntil).With(row.RuleVersion).With(now).Execute(ct);

    /// <summary>One state to the next; false when it was not in that state.</summary>
    public static async Task<bool> Change(NpgsqlTransaction tx, Guid id, string from, string to, DateTimeOffset now) =>
        await tx.Sql(ChangeStatus).With(id).With(from).With(to).With(now).Execute(CancellationToken.None) == 1;

    /// <summary>signed → returned.</summary>
    public static async Task<bool> Return(NpgsqlTransaction tx, Guid id, string reason, DateTimeOffset now, CancellationToken ct) =>
        await tx.Sql(ReturnRow).With(id).With(reason).With(now).Execute(ct) == 1;

    /// <summary>released → claimed, for one pharmacy only and while valid.</summary>
    public static async Task<bool> Claim(NpgsqlTransaction tx, Guid id, string pharmacy, DateTimeOffset now, CancellationToken ct) =>
        await tx.Sql(ClaimRow).With(id).With(pharmacy).With(now).Execute(ct) == 1;

    /// <summary>claimed → dispensed, by the pharmacy that claimed and while valid.</summary>
    public static async Task<bool> Dispense(NpgsqlTransaction tx, Guid id, string pharmacy, DateTimeOffset now, CancellationToken ct) =>
        await tx.Sql(DispenseRow).With(id).With(pharmacy).With(now).Execute(ct) == 1;

    /// <summary>Any state before dispensed → voided.</summary>
    public static async Task<bool> Void(NpgsqlTransaction tx, Guid id, DateTimeOffset now, CancellationToken ct) =>
        await tx.Sql(VoidRow).With(id).With(now).Execute(ct) == 1;

    /// <summary>Any living state past its validity → expired.</summary>
    public static async Task<bool> Expire(NpgsqlTransaction tx, Guid id, DateTimeOffset now, CancellationToken ct) =>
        await tx.Sql(ExpireRow).With(id).With(now).Execute(ct) == 1;

    private static PrescriptionRow Read(NpgsqlDataReader r) => new(
        r.GetGuid(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetString(4), r.GetString(5), r.GetFieldValue<byte[]>(6), r.GetString(7),
        r.GetFieldValue<byte[]>(8), r.GetFieldValue<byte[]>(9), r.GetString(10), r.GetFieldValue<DateTimeOffset>(11), r.GetString(12))
    {
        ClaimedBy = r.Nullable<string>(13),
        ReturnReason = r.Nullable<string>(14),
    };
}

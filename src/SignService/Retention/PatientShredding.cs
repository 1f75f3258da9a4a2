using Npgsql;
using Trust.Kernel.Keys;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.SignService.Retention;

/// <summary>What the shredding of a patient takes here: never before the last prescription's time is over; the signatures and hashes stay.</summary>
internal static class PatientShredding
{
    private const string LastPrescription = "SELECT max(created_at) FROM prescriptions WHERE patient_key = $1";

    private const string SelectConcerned = "SELECT id, author, institution FROM prescriptions WHERE patient_key = $1";

    // Sealed bytes cannot be opened any more; what an earlier version stored in clear goes by itself.
    private const string EraseClear = "UPDATE prescriptions SET payload = NULL, return_reason = NULL WHERE patient_key = $1 AND (payload IS NOT NULL OR return_reason IS NOT NULL)";

    private const string EraseAnswers = """
        DELETE FROM idempotency i USING prescriptions p
        WHERE p.patient_key = $1 AND (i.location = '/prescriptions/' || p.id OR i.endpoint LIKE '/prescriptions/' || p.id || '%')
        """;

    /// <summary>The rules.</summary>
    public static ShreddingRules Rules { get; } = new("sign", KeptUntil, Concerned, Erase);

    private static async Task<DateTimeOffset?> KeptUntil(NpgsqlTransaction tx, byte[] patient, CancellationToken ct) =>
        (await tx.Sql(LastPrescription).With(patient).All(r => r.Nullable<DateTimeOffset?>(0), ct))[0] is { } last ? DataClasses.Prescriptions.Kept.Ends(last) : null;

    // The patient too: the ledger has looked before it asked, and cannot say what came while the keys moved.
    private static async Task<List<SubjectKey>> Concerned(NpgsqlTransaction tx, byte[] patient, CancellationToken ct) =>
    [
        SubjectKey.Patient(patient),
        .. (await tx.Sql(SelectConcerned).With(patient).All(
            r => new[] { SubjectKey.Prescription(r.GetGuid(0).ToString("D")), SubjectKey.Practitioner(r.GetString(1)), SubjectKey.Institution(r.GetString(2)) }, ct))
            .SelectMany(s => s).Distinct(),
    ];

    private static async Task Erase(NpgsqlTransaction tx, byte[] patient, CancellationToken ct)
    {
        await tx.Sql(EraseClear).With(patient).Execute(ct);
        await tx.Sql(EraseAnswers).With(patient).Execute(ct);
    }
}

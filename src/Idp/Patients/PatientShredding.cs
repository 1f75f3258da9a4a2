using Npgsql;
using Trust.Kernel.Keys;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.Idp.Patients;

/// <summary>
/// What the shredding of a patient takes here: whatever leads the pseudonym back to a person. The pseudonym and the consents are left without it, and
/// nothing is consented to any more. Nothing is kept for a time of its own: the records, which the signing service keeps, decide.
/// </summary>
internal static class PatientShredding
{
    // The salt too: the ledger holds a hash over salt and identity, which with the salt could be found by trying.
    private const string ErasePatient = """
        UPDATE patients SET identity_lookup = NULL, identity_sealed = NULL, commitment_salt = NULL, shredded_at = now() WHERE subject_key = $1 AND shredded_at IS NULL
        """;
    private const string EraseConsents = """
        UPDATE consents c SET method = NULL, withdrawn_at = coalesce(c.withdrawn_at, now()) FROM patients p
        WHERE p.subject_key = $1 AND c.patient = p.pseudonym AND (c.method IS NOT NULL OR c.withdrawn_at IS NULL)
        """;

    // The hash of a request that held an identity number.
    private const string EraseAnswers = "DELETE FROM idempotency WHERE position(convert_to(encode($1, 'hex'), 'UTF8') IN body) > 0";

    /// <summary>The rules.</summary>
    public static ShreddingRules Rules { get; } = new("idp", (_, _, _) => Task.FromResult<DateTimeOffset?>(null), (_, _, _) => Task.FromResult<List<SubjectKey>>([]), Erase);

    private static async Task Erase(NpgsqlTransaction tx, byte[] patient, CancellationToken ct)
    {
        await tx.Sql(ErasePatient).With(patient).Execute(ct);
        await tx.Sql(EraseConsents).With(patient).Execute(ct);
        await tx.Sql(EraseAnswers).With(patient).Execute(ct);
    }
}

using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Keys;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.LogFormat;
using Trust.Pkcs11;

namespace Trust.Idp.Patients;

/// <summary>
/// Mints a patient's pseudonym for a region: random, bound to the identity by a logged <c>SUBJECT.bind</c> event that holds
/// only a salted commitment (docs/ARCHITECTURE.md §7). The identity number is kept sealed under the patient's own key, found again by a keyed hash.
/// </summary>
public sealed class RegisterPatient(NpgsqlDataSource db, IToken token, PersonKeys keys, Outbox outbox, ResidencyGate residency, TimeProvider clock)
{
    /// <summary>Token key of the keyed hash for look-ups.</summary>
    public static KeyRef LookupKey { get; } = new("pseudonym-lookup");

    /// <summary>Token key that sealed identity numbers before each patient had a key.</summary>
    public static KeyRef SealKey { get; } = new("pseudonym-seal");

    private const string FindSql = "SELECT pseudonym, subject_key, bound_by FROM patients WHERE region = $1 AND identity_lookup = $2";
    private const string Insert = """
        INSERT INTO patients (pseudonym, subject_key, region, identity_lookup, identity_sealed, commitment_salt, created_at, by_person) VALUES ($1, $2, $3, $4, $5, $6, $7, true)
        ON CONFLICT DO NOTHING
        """;
    private const string Bound = "UPDATE patients SET bound_by = $2 WHERE pseudonym = $1 AND bound_by IS NULL";

    /// <summary><c>POST /patients</c>, for systems that register patients.</summary>
    public async Task<Results<Created<PatientAnswer>, Refusal>> Handle(PatientRequest body, HttpContext context, CancellationToken ct)
    {
        if (body.IdType != "resident-identity" || !ResidentIdentityNumber.TryParse(body.IdNumber, out var number))
        {
            return IdpRefusals.IdentityNumberInvalid;
        }

        if (residency.RefuseStorage(body.Region.Value, DataClass.Identity) is not null)
        {
            return IdpRefusals.RegionOutside;
        }

        var identity = Encoding.ASCII.GetBytes($"{body.IdType}|{number.Value.Value}|{body.Region.Value}");
        var lookup = await token.Mac(LookupKey, identity, ct);
        var row = await Find(body.Region.Value, lookup, ct) ?? await Mint(body.Region.Value, identity, lookup, ct);
        if (row.BoundBy is null && await Bind(row, identity, context.Caller(), ct) is { } refusal)
        {
            return refusal;
        }

        return TypedResults.Created((string?)null, new PatientAnswer(row.Pseudonym, Convert.ToHexStringLower(row.SubjectKey)));
    }

    private async Task<Row> Mint(string region, byte[] identity, byte[] lookup, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var pseudonym = PatientId.New(now).Value;
        var subjectKey = RandomNumberGenerator.GetBytes(32);
        var sealed_ = await keys.Seal(subjectKey, region, identity, Encoding.ASCII.GetBytes(pseudonym), ct) ?? throw new InvalidOperationException("A random key met a shredded one.");
        await db.Sql(Insert).With(pseudonym).With(subjectKey).With(region).With(lookup).With(sealed_).With(RandomNumberGenerator.GetBytes(16)).With(now).Execute(ct);
        // Another request may have won: whoever is stored is the patient.
        return await Find(region, lookup, ct) ?? throw new InvalidOperationException("The patient row vanished.");
    }

    // The pseudonym leaves only after the ledger holds its binding: otherwise an answer about this key could be a valid "nothing".
    private async Task<Refusal?> Bind(Row row, byte[] identity, Caller caller, CancellationToken ct)
    {
        const string salt = "SELECT commitment_salt FROM patients WHERE pseudonym = $1";
        // Gone with a shredding meanwhile: without it the commitment would be a plain hash of the number, in the log for good.
        var commitment = await db.Sql(salt).With(row.Pseudonym).Scalar<byte[]>(ct) is { Length: > 0 } drawn
            ? SHA256.HashData([.. drawn, .. identity]) : throw new InvalidOperationException("The patient row was shredded meanwhile.");
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        var outcome = await outbox.AppendConfirmed(tx, new AuditEvent
        {
            Action = "SUBJECT.bind", Actor = new Actor(caller.Subject, null, caller.Role, caller.Institution), Outcome = EventOutcome.Success, Class = "IDENTITY",
            Subjects = [SubjectKey.Patient(row.SubjectKey)], Basis = "commitment:sha256:" + Convert.ToHexStringLower(commitment),
        }, ct);
        if (outcome is not ConfirmOutcome.Confirmed(var id, _))
        {
            return outcome is ConfirmOutcome.Refused(var why) ? CommonRefusals.From(why) : CommonRefusals.LedgerAway;
        }

        await db.Sql(Bound).With(row.Pseudonym).With(id.Value).Execute(CancellationToken.None);
        return null;
    }

    private Task<Row?> Find(string region, byte[] lookup, CancellationToken ct) => db.Sql(FindSql).With(region).With(lookup)
        .One(r => new Row(r.GetString(0), r.GetFieldValue<byte[]>(1), r.IsDBNull(2) ? null : r.GetGuid(2)), ct);

    private sealed record Row(string Pseudonym, byte[] SubjectKey, Guid? BoundBy);
}

/// <summary>Who to register.</summary>
/// <param name="IdType">Document type; <c>resident-identity</c>.</param>
/// <param name="IdNumber">公民身份号码.</param>
/// <param name="Region">GB/T 2260 code whose pseudonym is asked for.</param>
public sealed record PatientRequest(
    [property: JsonPropertyName("idType")] string IdType, [property: JsonPropertyName("idNumber")] string IdNumber, [property: JsonPropertyName("region")] RegionCode Region)
{
    /// <summary>Never the number.</summary>
    public override string ToString() => "PatientRequest(redacted)";
}

/// <summary>The pseudonym and the key under which the ledger lists the patient's events.</summary>
/// <param name="Pseudonym"><c>urn:mdid:pat:…</c>.</param>
/// <param name="SubjectKey">64 hex digits.</param>
public sealed record PatientAnswer([property: JsonPropertyName("pseudonym")] string Pseudonym, [property: JsonPropertyName("subjectKey")] string SubjectKey);

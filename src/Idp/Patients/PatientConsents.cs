using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.Idp.Patients;

/// <summary>A patient's acknowledgement of a versioned notice before the first online act (docs/RULES.md §6); withdrawal stops what follows.</summary>
public sealed class PatientConsents(NpgsqlDataSource db, Outbox outbox, TimeProvider clock)
{
    private static readonly string[] Kinds = ["online-care", "remote-consult", "sharing", "research", "export"];
    // Taken for the transaction, so that a consent sent twice at once is one.
    private const string LockPatient = "SELECT subject_key, region FROM patients WHERE pseudonym = $1 AND shredded_at IS NULL FOR UPDATE";
    private const string SelectSame = """
        SELECT id FROM consents WHERE patient = $1 AND institution = $2 AND kind = $3 AND notice_version = $4 AND notice_sha256 = $5 AND method = $6
          AND acknowledged_at = $7 AND withdrawn_at IS NULL LIMIT 1
        """;
    private const string Insert = """
        INSERT INTO consents (id, patient, institution, kind, notice_version, notice_sha256, method, acknowledged_at, recorded_by, region)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """;
    private const string SelectOpen = """
        SELECT c.id, c.notice_version, p.subject_key FROM patients p
        LEFT JOIN consents c ON c.patient = p.pseudonym AND c.institution = $2 AND c.kind = $3 AND c.withdrawn_at IS NULL
        WHERE p.pseudonym = $1 AND p.shredded_at IS NULL ORDER BY c.acknowledged_at DESC NULLS LAST LIMIT 1
        """;

    // A patient who withdraws does not mean one record of several: all that stand of that kind at that institution end.
    private const string Close = """
        UPDATE consents c SET withdrawn_at = $3 FROM patients p, consents named
        WHERE named.id = $1 AND named.institution = $2 AND named.withdrawn_at IS NULL AND c.patient = named.patient AND c.institution = named.institution
          AND c.kind = named.kind AND c.withdrawn_at IS NULL AND p.pseudonym = c.patient
        RETURNING c.id, p.subject_key
        """;

    /// <summary><c>POST /consents</c>: a system of the institution records what the patient acknowledged.</summary>
    public async Task<Results<Created<ConsentAnswer>, Refusal>> Record(ConsentRequest body, HttpContext context, CancellationToken ct)
    {
        var (now, caller) = (clock.GetUtcNow(), context.Caller());
        if (caller.Institution != body.Institution.Value)
        {
            return IdpRefusals.InstitutionMismatch;
        }

        if (!Kinds.Contains(body.Kind, StringComparer.Ordinal) || body.NoticeSha256.Length != 64 || !body.NoticeSha256.All(char.IsAsciiHexDigitLower)
            || body.NoticeVersion.Length is 0 or > 40 || !EventText.TryParse(body.NoticeVersion, out _)
            || body.Method is not { Length: > 0 and <= 40 } || body.AcknowledgedAt > now.AddMinutes(1))
        {
            return IdpRefusals.ConsentMalformed;
        }

        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await tx.Sql(LockPatient).With(body.Patient.Value).One(r => new Patient(r.GetFieldValue<byte[]>(0), r.GetString(1)), ct) is not { } patient)
        {
            return IdpRefusals.PatientUnknown;
        }

        if (await tx.Sql(SelectSame).With(body.Patient.Value).With(body.Institution.Value).With(body.Kind).With(body.NoticeVersion).With(body.NoticeSha256).With(body.Method)
            .With(body.AcknowledgedAt.ToUniversalTime()).Scalar<string>(ct) is { } same)
        {
            return TypedResults.Created((string?)null, new ConsentAnswer(true, body.NoticeVersion, same, Convert.ToHexStringLower(patient.SubjectKey)));
        }

        var id = Ulid.New(now);
        await tx.Sql(Insert).With(id).With(body.Patient.Value).With(body.Institution.Value).With(body.Kind).With(body.NoticeVersion).With(body.NoticeSha256).With(body.Method)
            .With(body.AcknowledgedAt.ToUniversalTime()).With(caller.Subject).With(patient.Region).Execute(ct);
        var notice = $"notice:{body.NoticeVersion}:sha256:{body.NoticeSha256}";
        if (await outbox.Append(tx, Event("CONSENT.grant", caller, patient.SubjectKey, notice, id), ct) is AppendOutcome.Refused(var why))
        {
            return CommonRefusals.From(why);
        }

        await tx.CommitAsync(ct);
        return TypedResults.Created((string?)null, new ConsentAnswer(true, body.NoticeVersion, id, Convert.ToHexStringLower(patient.SubjectKey)));
    }

    /// <summary><c>POST /consents/{id}/withdrawal</c>: only reduces rights, so it never waits for the ledger.</summary>
    public async Task<Results<NoContent, Refusal>> Withdraw(string id, HttpContext context, CancellationToken ct)
    {
        var caller = context.Caller();
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (!Ulid.IsValid(id) || await tx.Sql(Close).With(id).With(caller.Institution).With(clock.GetUtcNow())
            .All(r => new Withdrawn(r.GetString(0), r.GetFieldValue<byte[]>(1)), ct) is not { Count: > 0 } withdrawn)
        {
            return IdpRefusals.ConsentUnknown;
        }

        foreach (var (consent, key) in withdrawn)
        {
            if (await outbox.Append(tx, Event("CONSENT.withdraw", caller, key, "consent:" + consent, consent), ct) is AppendOutcome.Refused)
            {
                throw new InvalidOperationException("An event that only reduces rights is never refused.");
            }
        }

        await tx.CommitAsync(ct);
        return TypedResults.NoContent();
    }

    /// <summary><c>GET /consents</c>: SignService asks whether one stands.</summary>
    public async Task<Results<Ok<ConsentAnswer>, Refusal>> Find(PatientId patient, InstitutionId institution, string kind, CancellationToken ct)
    {
        var row = await db.Sql(SelectOpen).With(patient.Value).With(institution.Value).With(kind)
            .One(r => new ConsentAnswer(!r.IsDBNull(0), r.Nullable<string>(1), r.Nullable<string>(0), Convert.ToHexStringLower(r.GetFieldValue<byte[]>(2))), ct);
        return row is null ? IdpRefusals.PatientUnknown : TypedResults.Ok(row);
    }

    private static AuditEvent Event(string action, Caller caller, byte[] patient, string basis, string consent) => new()
    {
        Action = action, Actor = new Actor(caller.Subject, null, caller.Role, caller.Institution), Outcome = EventOutcome.Success, Basis = basis, Correlation = consent,
        Subjects = caller.Institution is { } institution ? [SubjectKey.Patient(patient), SubjectKey.Institution(institution)] : [SubjectKey.Patient(patient)],
    };

    private sealed record Withdrawn(string Id, byte[] SubjectKey);

    private sealed record Patient(byte[] SubjectKey, string Region);
}

/// <summary>An acknowledgement.</summary>
public sealed record ConsentRequest(
    [property: JsonPropertyName("patient")] PatientId Patient, [property: JsonPropertyName("institution")] InstitutionId Institution, [property: JsonPropertyName("kind")] string Kind,
    [property: JsonPropertyName("noticeVersion")] string NoticeVersion, [property: JsonPropertyName("noticeSha256")] string NoticeSha256,
    [property: JsonPropertyName("acknowledgedAt")] DateTimeOffset AcknowledgedAt, [property: JsonPropertyName("method")] string Method);

/// <summary>Whether a consent stands.</summary>
public sealed record ConsentAnswer(
    [property: JsonPropertyName("granted")] bool Granted, [property: JsonPropertyName("noticeVersion")] string? NoticeVersion,
    [property: JsonPropertyName("consentId")] string? ConsentId, [property: JsonPropertyName("subjectKey")] string SubjectKey);

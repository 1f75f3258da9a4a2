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
public sealed class Consents(NpgsqlDataSource db, Outbox outbox, TimeProvider clock)
{
    private static readonly ProblemSet Problem = new("idp");
    private static readonly string[] Kinds = ["online-care", "remote-consult", "sharing", "research", "export"];
    private const string Patient = "SELECT subject_key, region FROM patients WHERE pseudonym = $1";
    private const string Insert = """
        INSERT INTO consents (id, patient, institution, kind, notice_version, notice_sha256, method, acknowledged_at, recorded_by, region)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """;
    private const string FindSql = """
        SELECT c.id, c.notice_version, p.subject_key FROM patients p
        LEFT JOIN consents c ON c.patient = p.pseudonym AND c.institution = $2 AND c.kind = $3 AND c.withdrawn_at IS NULL
        WHERE p.pseudonym = $1 ORDER BY c.acknowledged_at DESC NULLS LAST LIMIT 1
        """;
    private const string WithdrawSql = """
        UPDATE consents c SET withdrawn_at = $3 FROM patients p WHERE c.id = $1 AND c.institution = $2 AND c.withdrawn_at IS NULL AND p.pseudonym = c.patient RETURNING p.subject_key
        """;

    /// <summary>Maps recording and withdrawal (systems of the institution) and the question (SignService).</summary>
    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapPost("/consents", (ConsentRequest body, HttpContext context, Consents handler, CancellationToken ct) => handler.Record(body, context.Caller(), ct))
            .RequireScope("consent.record").Idempotent();
        app.MapPost("/consents/{id}/withdrawal", (string id, HttpContext context, Consents handler, CancellationToken ct) => handler.Withdraw(id, context.Caller(), ct))
            .RequireScope("consent.record").Idempotent();
        app.MapGet("/consents", (string patient, string institution, string kind, Consents handler, CancellationToken ct) => handler.Find(patient, institution, kind, ct))
            .RequirePeer("sign");
    }

    private async Task<Results<Created<ConsentAnswer>, ProblemHttpResult>> Record(ConsentRequest body, Caller caller, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        if (caller.Institution != body.Institution)
        {
            return Problem.Of("institution-mismatch", 403, "A system records consents for its own institution only.");
        }

        if (!Kinds.Contains(body.Kind, StringComparer.Ordinal) || body.NoticeSha256 is not { Length: 64 } || body.NoticeSha256.AsSpan().ContainsAnyExcept("0123456789abcdef")
            || body.NoticeVersion is not { Length: > 0 and <= 40 } || !EventText.TryParse(body.NoticeVersion, out _)
            || body.Method is not { Length: > 0 and <= 40 } || body.AcknowledgedAt > now.AddMinutes(1))
        {
            return Problem.Of("consent-malformed", 400, "kind, noticeVersion, noticeSha256 (64 hex digits), method and a past acknowledgedAt are required.");
        }

        var patient = await db.Sql(Patient).With(body.Patient).One(r => new Tuple<byte[], string>(r.GetFieldValue<byte[]>(0), r.GetString(1)), ct);
        if (patient is null)
        {
            return Problem.Of("patient-unknown", 404, "Register the patient first: POST /patients.");
        }

        var id = Ulid.New(now);
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await tx.Sql(Insert).With(id).With(body.Patient).With(body.Institution).With(body.Kind).With(body.NoticeVersion).With(body.NoticeSha256).With(body.Method)
            .With(body.AcknowledgedAt.ToUniversalTime()).With(caller.Subject).With(patient.Item2).Execute(ct);
        var outcome = await outbox.Append(tx, Event("CONSENT.grant", caller, patient.Item1, "notice:" + body.NoticeVersion + ":sha256:" + body.NoticeSha256), ct);
        if (outcome is AppendOutcome.Refused)
        {
            return Problem.Of("ledger-unavailable", 503, "The audit ledger is away and its budget is spent; try again.");
        }

        await tx.CommitAsync(ct);
        return TypedResults.Created((string?)null, new ConsentAnswer(true, body.NoticeVersion, id, Convert.ToHexStringLower(patient.Item1)));
    }

    private async Task<Results<NoContent, ProblemHttpResult>> Withdraw(string id, Caller caller, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await tx.Sql(WithdrawSql).With(id).With(caller.Institution).With(clock.GetUtcNow()).Scalar<byte[]>(ct) is not { } key)
        {
            return Problem.Of("consent-unknown", 404, "No such consent of your institution stands.");
        }

        // Withdrawal only reduces rights: it never waits for the ledger.
        await outbox.Append(tx, Event("CONSENT.withdraw", caller, key, "consent:" + id), ct);
        await tx.CommitAsync(ct);
        return TypedResults.NoContent();
    }

    private async Task<Results<Ok<ConsentAnswer>, ProblemHttpResult>> Find(string patient, string institution, string kind, CancellationToken ct)
    {
        var row = await db.Sql(FindSql).With(patient).With(institution).With(kind)
            .One(r => new ConsentAnswer(!r.IsDBNull(0), r.Nullable<string>(1), r.Nullable<string>(0), Convert.ToHexStringLower(r.GetFieldValue<byte[]>(2))), ct);
        return row is null ? Problem.Of("patient-unknown", 404, "No such patient pseudonym.") : TypedResults.Ok(row);
    }

    private static AuditEvent Event(string action, Caller caller, byte[] patient, string basis) => new()
    {
        Action = action, Actor = new Actor(caller.Subject, null, caller.Role, caller.Institution), Outcome = EventOutcome.Success, Basis = basis,
        Subjects = caller.Institution is { } institution ? [SubjectKey.Patient(patient), SubjectKey.Institution(institution)] : [SubjectKey.Patient(patient)],
    };
}

/// <summary>An acknowledgement.</summary>
public sealed record ConsentRequest(
    [property: JsonPropertyName("patient")] string Patient, [property: JsonPropertyName("institution")] string Institution, [property: JsonPropertyName("kind")] string Kind,
    [property: JsonPropertyName("noticeVersion")] string NoticeVersion, [property: JsonPropertyName("noticeSha256")] string NoticeSha256,
    [property: JsonPropertyName("acknowledgedAt")] DateTimeOffset AcknowledgedAt, [property: JsonPropertyName("method")] string Method);

/// <summary>Whether a consent stands.</summary>
public sealed record ConsentAnswer(
    [property: JsonPropertyName("granted")] bool Granted, [property: JsonPropertyName("noticeVersion")] string? NoticeVersion,
    [property: JsonPropertyName("consentId")] string? ConsentId, [property: JsonPropertyName("subjectKey")] string SubjectKey);

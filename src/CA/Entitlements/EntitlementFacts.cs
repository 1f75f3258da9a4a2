using Npgsql;
using Trust.Kernel.Postgres;

namespace Trust.CA.Entitlements;

/// <summary>Everything a decision looks at, read in one statement, so that it is one instant of the registry.</summary>
public sealed record EntitlementFacts
{
    /// <summary>Last feed number that is inside these facts.</summary>
    public required long Feed { get; init; }

    /// <summary>The practitioner's role; null when unknown or when an institution acts alone.</summary>
    public string? Role { get; init; }

    /// <summary>Licence number's last four characters.</summary>
    public string? LicenceLast4 { get; init; }

    /// <summary>Licence number.</summary>
    public string? LicenceNumber { get; init; }

    /// <summary>The practitioner's registered name.</summary>
    public string? Name { get; init; }

    /// <summary>The region the practitioner is registered in.</summary>
    public string? PersonRegion { get; init; }

    /// <summary>The institution's registered name.</summary>
    public string? InstitutionName { get; init; }

    /// <summary>Licence category.</summary>
    public string? Category { get; init; }

    /// <summary>Registered scope.</summary>
    public IReadOnlyList<string> Scope { get; init; } = [];

    /// <summary>The practitioner's state at the instant.</summary>
    public string? State { get; init; }

    /// <summary>The institution's kind; null when unknown.</summary>
    public string? InstitutionKind { get; init; }

    /// <summary>The institution's region.</summary>
    public string? InstitutionRegion { get; init; }

    /// <summary>The institution's state at the instant.</summary>
    public string? InstitutionState { get; init; }

    /// <summary>Whether the practitioner is affiliated there; for no institution, whether anywhere.</summary>
    public bool Affiliated { get; init; }

    /// <summary>Whether online practice is filed there.</summary>
    public bool Filed { get; init; }

    /// <summary>The certificate's profile; null when unknown.</summary>
    public string? CertificateProfile { get; init; }

    /// <summary>The certificate's holder.</summary>
    public string? CertificateHolder { get; init; }

    /// <summary>The certificate's state at the instant.</summary>
    public string? CertificateState { get; init; }

    /// <summary>Reason of the last change.</summary>
    public int CertificateReason { get; init; }

    /// <summary>Validity.</summary>
    public DateTimeOffset CertificateNotBefore { get; init; }

    /// <summary>Validity, inclusive.</summary>
    public DateTimeOffset CertificateNotAfter { get; init; }

    // $4 is the instant asked about, $5 the instant up to which what was recorded counts. Of the facts that hold at $4, the last recorded
    // one rules: a correction takes the place of what it corrects, for whoever asks with what is known since.
    private const string Select = """
        SELECT (SELECT coalesce(max(seq), 0) FROM feed),
               p.role, right(p.licence_number, 4), p.licence_category, p.licence_scope,
               (SELECT state FROM practitioner_states s WHERE s.practitioner = p.practitioner AND effective_from <= $4 AND recorded_at <= $5 ORDER BY id DESC LIMIT 1),
               i.kind, i.region,
               (SELECT state FROM institution_states s WHERE s.institution = i.institution AND effective_from <= $4 AND recorded_at <= $5 ORDER BY id DESC LIMIT 1),
               EXISTS (SELECT 1 FROM affiliations_known($5) a WHERE a.practitioner = p.practitioner AND ($2 = '' OR a.institution = $2)
                       AND a.valid_from <= $4 AND (a.valid_to IS NULL OR a.valid_to > $4)),
               EXISTS (SELECT 1 FROM filings_known($5) f WHERE f.practitioner = p.practitioner AND ($2 = '' OR f.institution = $2)
                       AND f.valid_from <= $4 AND (f.valid_to IS NULL OR f.valid_to > $4)),
               c.profile, c.holder, s.state, coalesce(s.reason, 0), c.not_before, c.not_after,
               p.licence_number, p.name, i.name, p.region
        FROM (SELECT 1) one
        LEFT JOIN LATERAL (SELECT * FROM practitioner_facts f WHERE f.practitioner = $1 AND f.effective_from <= $4 AND f.recorded_at <= $5
                           ORDER BY id DESC LIMIT 1) p ON true
        LEFT JOIN LATERAL (SELECT * FROM institution_facts f WHERE f.institution = $2 AND f.effective_from <= $4 AND f.recorded_at <= $5
                           ORDER BY id DESC LIMIT 1) i ON true
        LEFT JOIN certificates c ON c.sha256 = $3
        LEFT JOIN LATERAL (SELECT state, reason FROM certificate_states s WHERE s.sha256 = c.sha256 AND s.at <= least($4, $5) ORDER BY id DESC LIMIT 1) s ON true
        """;

    /// <summary>Reads the facts; without an instant of knowledge, all that is recorded.</summary>
    public static async Task<EntitlementFacts> Read(NpgsqlDataSource db, EntitlementQuery query, CancellationToken ct) =>
        await db.Sql(Select).With(query.Person?.Value ?? "").With(query.Institution?.Value ?? "").With(query.Certificate ?? "").With(query.At)
            .With(query.Known ?? DateTimeOffset.MaxValue).One(
            r => new EntitlementFacts
            {
                Feed = r.GetInt64(0),
                Role = r.Nullable<string>(1),
                LicenceLast4 = r.Nullable<string>(2),
                Category = r.Nullable<string>(3),
                Scope = r.Nullable<string[]>(4) ?? [],
                State = r.Nullable<string>(5),
                InstitutionKind = r.Nullable<string>(6),
                InstitutionRegion = r.Nullable<string>(7),
                InstitutionState = r.Nullable<string>(8),
                Affiliated = r.GetBoolean(9),
                Filed = r.GetBoolean(10),
                CertificateProfile = r.Nullable<string>(11),
                CertificateHolder = r.Nullable<string>(12),
                CertificateState = r.Nullable<string>(13),
                CertificateReason = r.GetInt32(14),
                CertificateNotBefore = r.Nullable<DateTimeOffset>(15),
                CertificateNotAfter = r.Nullable<DateTimeOffset>(16),
                LicenceNumber = r.Nullable<string>(17),
                Name = r.Nullable<string>(18),
                InstitutionName = r.Nullable<string>(19),
                PersonRegion = r.Nullable<string>(20),
            },
            ct) ?? throw new InvalidOperationException("A statement without FROM answers one row.");
}

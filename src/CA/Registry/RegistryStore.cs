using Npgsql;
using Trust.Kernel.Postgres;

namespace Trust.CA.Registry;

/// <summary>A practitioner as recorded, without national numbers.</summary>
public sealed record Practitioner(
    string Urn, string Name, string Role, string LicenceNumber, string Category, IReadOnlyList<string> Scope, string Region);

/// <summary>An institution as recorded.</summary>
public sealed record Institution(string Urn, string CreditCode, string Name, string Kind, string Region);

/// <summary>An affiliation as recorded.</summary>
public sealed record Affiliation(string Id, string Institution, string InstitutionName, string Kind, DateTimeOffset From, DateTimeOffset? To, bool Filed);

/// <summary>A practitioner as the registry stands at an instant.</summary>
/// <param name="Person">As recorded.</param>
/// <param name="State">Null before the first.</param>
/// <param name="Affiliation">Identifier of the affiliation in force to the institution asked for; null when there is none.</param>
/// <param name="InstitutionName">That institution's name.</param>
/// <param name="InstitutionState">That institution's state.</param>
public sealed record PractitionerStanding(Practitioner Person, string? State, string? Affiliation, string? InstitutionName, string? InstitutionState);

/// <summary>Reads the registry.</summary>
public sealed class RegistryStore(NpgsqlDataSource db)
{
    // The last recorded fact that holds at the instant rules (EntitlementFacts says why); nothing recorded is left out.
    private const string SelectPractitioner = """
        SELECT practitioner, name, role, licence_number, licence_category, licence_scope, region FROM practitioner_facts
        WHERE practitioner = $1 AND effective_from <= $2 ORDER BY id DESC LIMIT 1
        """;
    private const string SelectInstitution = """
        SELECT i.urn, i.credit_code, f.name, f.kind, f.region FROM institution_facts f JOIN institutions i ON i.urn = f.institution
        WHERE f.institution = $1 AND f.effective_from <= $2 ORDER BY f.id DESC LIMIT 1
        """;
    private const string SelectPractitionerState = """
        SELECT state FROM practitioner_states WHERE practitioner = $1 AND effective_from <= $2 ORDER BY id DESC LIMIT 1
        """;
    private const string SelectInstitutionState = """
        SELECT state FROM institution_states WHERE institution = $1 AND effective_from <= $2 ORDER BY id DESC LIMIT 1
        """;
    private const string SelectAffiliations = """
        SELECT a.id, a.institution, i.name, a.kind, a.valid_from, a.valid_to,
               EXISTS (SELECT 1 FROM filings_known('infinity') f WHERE f.practitioner = a.practitioner AND f.institution = a.institution
                       AND f.valid_from <= $2 AND (f.valid_to IS NULL OR f.valid_to > $2))
        FROM affiliations_known('infinity') a
        JOIN LATERAL (SELECT name FROM institution_facts f WHERE f.institution = a.institution ORDER BY f.id DESC LIMIT 1) i ON true
        WHERE a.practitioner = $1 AND a.valid_from <= $2 AND (a.valid_to IS NULL OR a.valid_to > $2)
        ORDER BY a.id
        """;

    private const string SelectStanding = """
        SELECT p.practitioner, p.name, p.role, p.licence_number, p.licence_category, p.licence_scope, p.region,
               (SELECT state FROM practitioner_states s WHERE s.practitioner = p.practitioner AND s.effective_from <= $3 ORDER BY s.id DESC LIMIT 1),
               a.id, a.name,
               (SELECT state FROM institution_states s WHERE s.institution = $2 AND s.effective_from <= $3 ORDER BY s.id DESC LIMIT 1)
        FROM (SELECT * FROM practitioner_facts WHERE practitioner = $1 AND effective_from <= $3 ORDER BY id DESC LIMIT 1) p
        LEFT JOIN LATERAL (
            SELECT f.id, (SELECT name FROM institution_facts i WHERE i.institution = f.institution AND i.effective_from <= $3 ORDER BY i.id DESC LIMIT 1) AS name
            FROM affiliations_known('infinity') f
            WHERE f.practitioner = p.practitioner AND f.institution = $2 AND f.valid_from <= $3 AND (f.valid_to IS NULL OR f.valid_to > $3)
            ORDER BY f.id LIMIT 1) a ON true
        """;

    /// <summary>A practitioner with state and affiliation to one institution, if named, at an instant; null when unknown.</summary>
    public Task<PractitionerStanding?> StandingOf(string urn, string? institution, DateTimeOffset at, CancellationToken ct) =>
        db.Sql(SelectStanding).With(urn).With(institution).With(at).One(
            r => new PractitionerStanding(
                new Practitioner(r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetString(4), r.GetFieldValue<string[]>(5), r.GetString(6)),
                r.Nullable<string>(7), r.Nullable<string>(8), r.Nullable<string>(9), r.Nullable<string>(10)),
            ct);

    /// <summary>A practitioner as recorded for an instant; null when unknown.</summary>
    public Task<Practitioner?> FindPractitioner(string urn, DateTimeOffset at, CancellationToken ct) => db.Sql(SelectPractitioner).With(urn).With(at).One(
        r => new Practitioner(r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetString(4), r.GetFieldValue<string[]>(5),
            r.GetString(6)), ct);

    /// <summary>An institution as recorded for an instant; null when unknown.</summary>
    public Task<Institution?> FindInstitution(string urn, DateTimeOffset at, CancellationToken ct) => db.Sql(SelectInstitution).With(urn).With(at).One(
        r => new Institution(r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetString(4)), ct);

    /// <summary>A practitioner's state at an instant; null before the first.</summary>
    public Task<string?> StateOfPractitioner(string urn, DateTimeOffset at, CancellationToken ct) =>
        db.Sql(SelectPractitionerState).With(urn).With(at).Scalar<string>(ct);

    /// <summary>An institution's state at an instant; null before the first.</summary>
    public Task<string?> StateOfInstitution(string urn, DateTimeOffset at, CancellationToken ct) =>
        db.Sql(SelectInstitutionState).With(urn).With(at).Scalar<string>(ct);

    /// <summary>Affiliations in force at an instant, each with whether online practice is filed there.</summary>
    public Task<List<Affiliation>> AffiliationsOf(string urn, DateTimeOffset at, CancellationToken ct) => db.Sql(SelectAffiliations).With(urn).With(at).All(
        r => new Affiliation(
            r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetFieldValue<DateTimeOffset>(4), r.Nullable<DateTimeOffset?>(5),
            r.GetBoolean(6)),
        ct);
}

using Npgsql;
using Trust.CA.Certificates;
using Trust.CA.Feed;
using Trust.Crypto.Asn1;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Postgres;

namespace Trust.CA.Registry;

/// <summary>Writes checked rows into one transaction and gathers what followers must hear.</summary>
public sealed class ApplyRows(RegistryKeys keys, NpgsqlTransaction tx, DateTimeOffset now, string officer)
{
    private const string InsertInstitution = """
        INSERT INTO institutions (urn, credit_code, name, kind, registration_number, region, recorded_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
        """;
    private const string FindInstitution = "SELECT urn FROM institutions WHERE credit_code = $1 OR urn = $1";
    private const string UpdateInstitution = """
        UPDATE institutions SET name = $2, kind = $3, registration_number = $4, region = $5
        WHERE urn = $1 AND (name, kind, region) IS DISTINCT FROM ($2, $3, $5::char(6))
        """;
    private const string InsertInstitutionState = """
        INSERT INTO institution_states (institution, state, effective_from, recorded_at, recorded_by, reason) VALUES ($1, 'active', $2, $3, $4, 'import')
        """;
    private const string FindPerson = "SELECT urn FROM practitioners WHERE identity_lookup = $1";
    private const string FindLicence = "SELECT urn FROM practitioners WHERE role = $1 AND licence_number = $2";
    private const string FindByLicence = "SELECT urn FROM practitioners WHERE licence_number = $1 AND ($2 = '' OR role = $2)";
    private const string InsertPractitioner = """
        INSERT INTO practitioners (urn, name, identity_type, identity_sealed, identity_lookup, role, licence_number, licence_category,
                                   licence_scope, qualification_sealed, region, recorded_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """;
    private const string UpdatePractitioner = """
        UPDATE practitioners SET name = $2, role = $3, licence_number = $4, licence_category = $5, licence_scope = $6, region = $7
        WHERE urn = $1 AND (name, role, licence_number, licence_category, licence_scope, region) IS DISTINCT FROM ($2, $3, $4, $5, $6, $7::char(6))
        """;
    private const string InsertPractitionerState = """
        INSERT INTO practitioner_states (practitioner, state, effective_from, recorded_at, recorded_by, reason) VALUES ($1, $2, $3, $4, $5, 'import')
        """;
    private const string RoleOf = "SELECT role FROM practitioners WHERE urn = $1";
    private const string OtherMain = """
        SELECT count(*) FROM affiliations WHERE practitioner = $1 AND institution <> $2 AND ($4 OR kind = 'main') AND (valid_to IS NULL OR valid_to > $3)
        """;
    private const string InsertAffiliation = """
        INSERT INTO affiliations (id, practitioner, institution, kind, valid_from, valid_to, region, recorded_at)
        SELECT $1, $2, $3, $4, $5, $6, region, $7 FROM institutions WHERE urn = $3
        ON CONFLICT (practitioner, institution, valid_from) DO NOTHING
        """;
    private const string EndAffiliation = """
        UPDATE affiliations SET valid_to = $4 WHERE practitioner = $1 AND institution = $2 AND valid_from = $3 AND valid_to IS NULL
        """;
    private const string InsertFiling = """
        INSERT INTO filings (id, practitioner, institution, number, valid_from, valid_to, recorded_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (practitioner, institution, valid_from) DO UPDATE SET valid_to = excluded.valid_to
        WHERE filings.valid_to IS NULL AND excluded.valid_to IS NOT NULL
        """;

    /// <summary>What followers must hear, in order.</summary>
    public List<FeedChange> Changes { get; } = [];

    /// <summary>Creates or updates an institution.</summary>
    public async Task<ImportResult> Institution(InstitutionRow row, int at, CancellationToken ct)
    {
        if (RowRules.Refusal(row) is { } rule)
        {
            return new ImportResult("institution", at, "refused", Rule: rule);
        }

        var warning = RowRules.Warning(row);
        if (await tx.Sql(FindInstitution).With(row.CreditCode).Scalar<string>(ct) is { } known)
        {
            var updated = await tx.Sql(UpdateInstitution).With(known).With(row.Name).With(row.Kind).With(row.RegistrationNumber)
                .With(row.Region).Execute(ct) == 1;
            if (updated)
            {
                Changes.Add(new FeedChange("institution", known, null, "updated"));
            }

            return new ImportResult("institution", at, updated ? "updated" : "unchanged", known, warning);
        }

        var urn = InstitutionId.New(now).Value;
        await tx.Sql(InsertInstitution).With(urn).With(row.CreditCode).With(row.Name).With(row.Kind).With(row.RegistrationNumber).With(row.Region)
            .With(now).Execute(ct);
        await tx.Sql(InsertInstitutionState).With(urn).With(Effective(row.EffectiveFrom)).With(now).With(officer).Execute(ct);
        Changes.Add(new FeedChange("institution", urn, null, "active"));
        return new ImportResult("institution", at, "created", urn, warning);
    }

    /// <summary>Creates or updates a practitioner.</summary>
    public async Task<ImportResult> Practitioner(PractitionerRow row, int at, CancellationToken ct)
    {
        if (RowRules.Refusal(row) is { } rule)
        {
            return new ImportResult("practitioner", at, "refused", Rule: rule);
        }

        var number = row.IdentityNumber.ToUpperInvariant();
        var lookup = await keys.LookupOf(row.IdentityType, number, ct);
        var known = await tx.Sql(FindPerson).With(lookup).Scalar<string>(ct);
        var holder = await tx.Sql(FindLicence).With(row.Role).With(row.LicenceNumber).Scalar<string>(ct);
        if (holder is not null && !string.Equals(holder, known, StringComparison.Ordinal))
        {
            return new ImportResult("practitioner", at, "refused", Rule: "licence-number-in-use");
        }

        string[] scope = [.. row.Scope];
        if (known is not null)
        {
            var updated = await tx.Sql(UpdatePractitioner).With(known).With(row.Name).With(row.Role).With(row.LicenceNumber).With(row.Category)
                .With(scope).With(row.Region).Execute(ct) == 1;
            if (updated)
            {
                Changes.Add(new FeedChange("practitioner", known, known, "updated"));
            }

            return new ImportResult("practitioner", at, updated ? "updated" : "unchanged", known);
        }

        var urn = PersonId.New(now).Value;
        var state = row.State ?? "active";
        await tx.Sql(InsertPractitioner).With(urn).With(row.Name).With(row.IdentityType).With(await keys.Seal(urn, number, ct)).With(lookup).With(row.Role)
            .With(row.LicenceNumber).With(row.Category).With(scope)
            .With(row.QualificationNumber is { } q ? await keys.Seal(urn, q, ct) : null).With(row.Region).With(now).Execute(ct);
        await tx.Sql(InsertPractitionerState).With(urn).With(state).With(Effective(row.EffectiveFrom)).With(now).With(officer).Execute(ct);
        Changes.Add(new FeedChange("practitioner", urn, urn, state));
        return new ImportResult("practitioner", at, "created", urn);
    }

    /// <summary>Begins or ends an affiliation; its end revokes the certificates that name it.</summary>
    public async Task<ImportResult> Affiliation(AffiliationRow row, int at, CancellationToken ct)
    {
        var rule = RowRules.Refusal(row);
        var person = rule is null ? await Person(row.Practitioner, ct) : null;
        var institution = rule is null ? await tx.Sql(FindInstitution).With(row.Institution).Scalar<string>(ct) : null;
        rule ??= person is null ? "unknown-practitioner" : institution is null ? "unknown-institution" : null;
        if (rule is not null)
        {
            return new ImportResult("affiliation", at, "refused", Rule: rule);
        }

        var ended = row.To is { } to
            && await tx.Sql(EndAffiliation).With(person).With(institution).With(row.From).With(to).Execute(ct) == 1;
        if (ended)
        {
            Changes.Add(new FeedChange("affiliation", institution!, person, "ended"));
            Changes.AddRange(await CertificateConsequences.RevokeUnder(tx, person!, institution!, RevocationReason.AffiliationChanged, now, officer, ct));
            return new ImportResult("affiliation", at, "updated", person);
        }

        if (await OneTooMany(row, person!, institution!, ct) is { } tooMany)
        {
            return new ImportResult("affiliation", at, "refused", person, tooMany);
        }

        var created = await tx.Sql(InsertAffiliation).With(Ulid.New(now)).With(person).With(institution).With(row.Kind).With(row.From)
            .With(row.To).With(now).Execute(ct) == 1;
        if (created)
        {
            Changes.Add(new FeedChange("affiliation", institution!, person, "active"));
        }

        return new ImportResult("affiliation", at, created ? "created" : "unchanged", person);
    }

    /// <summary>Begins or ends a filing for online practice.</summary>
    public async Task<ImportResult> Filing(FilingRow row, int at, CancellationToken ct)
    {
        var rule = RowRules.Refusal(row);
        var person = rule is null ? await Person(row.Practitioner, ct) : null;
        var institution = rule is null ? await tx.Sql(FindInstitution).With(row.Institution).Scalar<string>(ct) : null;
        rule ??= person is null ? "unknown-practitioner" : institution is null ? "unknown-institution" : null;
        if (rule is not null)
        {
            return new ImportResult("filing", at, "refused", Rule: rule);
        }

        var changed = await tx.Sql(InsertFiling).With(Ulid.New(now)).With(person).With(institution).With(row.Number).With(row.From)
            .With(row.To).With(now).Execute(ct) == 1;
        if (changed)
        {
            Changes.Add(new FeedChange("affiliation", institution!, person, row.To is null ? "filed" : "filing-ended"));
        }

        return new ImportResult("filing", at, changed ? "created" : "unchanged", person);
    }

    // One main institution; assistants practise at one place only (docs/RULES.md §3).
    private async Task<string?> OneTooMany(AffiliationRow row, string person, string institution, CancellationToken ct)
    {
        var assistant = string.Equals(await tx.Sql(RoleOf).With(person).Scalar<string>(ct), "assistant-physician", StringComparison.Ordinal);
        var main = string.Equals(row.Kind, "main", StringComparison.Ordinal);
        if (!assistant && !main)
        {
            return null;
        }

        return await tx.Sql(OtherMain).With(person).With(institution).With(now).With(assistant).Scalar<long>(ct) == 0
            ? null : assistant ? "assistant-one-place" : "second-main-institution";
    }

    private async Task<string?> Person(string reference, CancellationToken ct)
    {
        if (PersonId.TryParse(reference, out _))
        {
            return await tx.Sql(RoleOf).With(reference).Scalar<string>(ct) is null ? null : reference;
        }

        var colon = reference.IndexOf(':', StringComparison.Ordinal);
        var (role, number) = colon < 0 ? (string.Empty, reference) : (reference[..colon], reference[(colon + 1)..]);
        var found = await tx.Sql(FindByLicence).With(number).With(role).All(r => r.GetString(0), ct);
        return found is [var only] ? only : null;
    }

    private DateTimeOffset Effective(DateTimeOffset? from) => from is { } f && f < now ? f.ToUniversalTime() : now;
}

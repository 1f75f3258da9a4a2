using Npgsql;
using Trust.CA.Feed;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Postgres;

namespace Trust.CA.Registry;

/// <summary>Enters a practitioner, or appends what changed about one.</summary>
internal sealed class WritePractitioner(RegistryKeys keys)
{
    private const string Kind = "practitioner";

    // Locked, so that a change of state takes turns with a change of facts.
    private const string LockByDocument = "SELECT urn FROM practitioners WHERE identity_lookup = $1 FOR UPDATE";
    private const string Find = """
        SELECT f.name, f.role, f.licence_number, f.licence_category, f.licence_scope, f.region, f.qualification_sealed,
               (SELECT state FROM practitioner_states s WHERE s.practitioner = $1 AND effective_from <= $2 ORDER BY id DESC LIMIT 1),
               ARRAY(SELECT effective_from FROM practitioner_facts g WHERE g.practitioner = $1
                     UNION SELECT effective_from FROM practitioner_states s WHERE s.practitioner = $1)
        FROM practitioner_facts f WHERE f.practitioner = $1 ORDER BY id DESC LIMIT 1
        """;

    // One import writes at a time (ImportRows), so no other can take the number between this question and the insertion.
    private const string FindByLicence = """
        SELECT f.practitioner FROM practitioner_facts f WHERE f.licence_number = $1 AND ($2 = '' OR f.role = $2)
          AND NOT EXISTS (SELECT 1 FROM practitioner_facts later WHERE later.practitioner = f.practitioner AND later.id > f.id)
        """;
    private const string FindUrn = "SELECT urn FROM practitioners WHERE urn = $1";
    private const string Insert = """
        INSERT INTO practitioners (urn, identity_type, identity_sealed, identity_lookup, recorded_at, region) VALUES ($1, $2, $3, $4, $5, $6)
        """;
    private const string InsertFacts = """
        INSERT INTO practitioner_facts (practitioner, name, role, licence_number, licence_category, licence_scope, qualification_sealed, region,
                                        effective_from, recorded_at, recorded_by, confirmed_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """;
    private const string InsertState = """
        INSERT INTO practitioner_states (practitioner, state, effective_from, recorded_at, recorded_by, confirmed_by, reason)
        VALUES ($1, $2, $3, $4, $5, $6, 'import')
        """;

    /// <summary>Writes a row.</summary>
    public async Task<RowChange> Write(WriteContext context, PractitionerRow row, int at, CancellationToken ct)
    {
        if (RowRules.Fault(row, context.Now, context.Residency) is { } fault)
        {
            return RowChange.Refused(Kind, at, fault);
        }

        var holder = context.Persons[(row.IdentityType, row.IdentityNumber)];
        var known = await context.Tx.Sql(LockByDocument).With(holder.Lookup).Scalar<string>(ct);
        if ((await WithLicence(context, row.Role, row.LicenceNumber, ct)).Any(licensee => licensee != known))
        {
            return RowChange.Refused(Kind, at, new RowFault("licence-number-in-use", "licenceNumber"));
        }

        return known is null ? await Create(context, row, at, holder, ct) : await Change(context, row, at, (await Known(context, known, ct))!, ct);
    }

    /// <summary>A practitioner by URN or <c>role:number</c>; null when there is none or the number alone fits several.</summary>
    public static async Task<KnownPractitioner?> Refer(WriteContext context, string reference, CancellationToken ct)
    {
        if (PersonId.TryParse(reference, out _))
        {
            return await context.Tx.Sql(FindUrn).With(reference).Scalar<string>(ct) is { } urn ? await Known(context, urn, ct) : null;
        }

        var colon = reference.IndexOf(':', StringComparison.Ordinal);
        var (role, number) = colon < 0 ? (string.Empty, reference) : (reference[..colon], reference[(colon + 1)..]);
        // A number that can be no licence is not asked for: the database would refuse some characters.
        return IdentifierRules.IsOpaqueLicence(number) && (colon < 0 || RowRules.IsRole(role))
            && await WithLicence(context, role, number, ct) is [var only] ? await Known(context, only, ct) : null;
    }

    private static Task<List<string>> WithLicence(WriteContext context, string role, string number, CancellationToken ct) =>
        context.Tx.Sql(FindByLicence).With(number).With(role).All(r => r.GetString(0), ct);

    private static Task<KnownPractitioner?> Known(WriteContext context, string urn, CancellationToken ct) =>
        context.Tx.Sql(Find).With(urn).With(context.Now).One(
            r => new KnownPractitioner(
                urn,
                new PractitionerFacts(
                    r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetFieldValue<string[]>(4), r.GetString(5),
                    r.Nullable<string>(7) ?? "pending", context.Standing(urn)),
                r.Nullable<byte[]>(6), r.GetFieldValue<DateTimeOffset[]>(8)),
            ct);

    private async Task<RowChange> Create(WriteContext context, PractitionerRow row, int at, DocumentHolder holder, CancellationToken ct)
    {
        if (holder.Urn is not { } given)
        {
            return RowChange.Refused(Kind, at, new RowFault(holder.Why!.Name, "identityNumber"));
        }

        var begins = row.EffectiveFrom ?? context.Now;
        var later = begins > context.Now;
        var from = later ? context.Now : begins;
        var urn = context.New(given);
        await context.Tx.Sql(Insert).With(urn).With(row.IdentityType).With(await keys.Seal(urn, row.IdentityNumber, ct)).With(holder.Lookup).With(context.Now)
            .With(row.Region).Execute(ct);
        await Append(context, urn, row, row.QualificationNumber is { } q ? await keys.Seal(urn, q, ct) : null, from, ct);
        var state = later ? "pending" : row.State ?? "active";
        await AddState(context, urn, state, from, ct);
        if (later && row.State is null or "active")
        {
            await AddState(context, urn, "active", begins, ct);
            await DueChanges.Begin(context, Kind, urn, null, begins, ct);
        }

        // Someone who stays pending may do nothing.
        var effect = row.State is "pending" ? Effect.Corrects : Effect.Widens;
        var after = Shown(row, new PractitionerFacts(
            row.Name, row.Role, row.LicenceNumber, row.Category, row.Scope, row.Region, state, QualificationLast4: row.QualificationNumber?[^4..]));
        return new RowChange(
            new ImportResult(Kind, at, "created", urn), effect, new(), new(Practitioner: after), [new FeedChange(Kind, urn, urn, state)]);
    }

    private async Task<RowChange> Change(WriteContext context, PractitionerRow row, int at, KnownPractitioner known, CancellationToken ct)
    {
        var before = known.Facts;
        var qualification = known.QualificationSealed is { } kept ? await keys.Open(known.Urn, kept, ct) : null;
        // An absent member is not compared, so that a file without it erases nothing.
        var (state, number) = (row.State ?? before.State, row.QualificationNumber ?? qualification);
        var sameScope = row.Scope.ToHashSet(StringComparer.Ordinal).SetEquals(before.Scope);
        var sameFacts = (row.Name, row.Role, row.LicenceNumber, row.Category, row.Region, number)
            == (before.Name, before.Role, before.LicenceNumber, before.Category, before.Region, qualification) && sameScope;
        var activates = state is "active" && before.State is "pending";
        if (state != before.State && !activates)
        {
            // Other states have their own route, their reasons and their second officer.
            return RowChange.Refused(Kind, at, new RowFault("state", "state"), known.Urn);
        }

        var start = activates && row.EffectiveFrom is { } from ? new StartOfChange(from)
            : StartOfChange.Of(row.EffectiveFrom, known.Starts, context.Now, changes: !sameFacts);
        if (start is StartOfChange.Refused(var rule))
        {
            return RowChange.Refused(Kind, at, new RowFault(rule, "effectiveFrom"), known.Urn);
        }

        if (sameFacts && !activates)
        {
            return RowChange.None(new ImportResult(Kind, at, "unchanged", known.Urn));
        }

        if (!sameFacts)
        {
            var sealedNumber = number == qualification ? known.QualificationSealed : await keys.Seal(known.Urn, number!, ct);
            await Append(context, known.Urn, row, sealedNumber, start.At < context.Now ? start.At : context.Now, ct);
        }

        var later = activates && start.At > context.Now;
        if (activates)
        {
            await AddState(context, known.Urn, "active", start.At, ct);
        }

        if (later)
        {
            await DueChanges.Begin(context, Kind, known.Urn, null, start.At, ct);
        }

        var after = before with { Name = row.Name, Role = row.Role, LicenceNumber = row.LicenceNumber, Category = row.Category, Scope = row.Scope, Region = row.Region, State = later ? "pending" : state };
        var effect = activates || number != qualification ? Effect.Widens : EffectOf(before, after);
        return new RowChange(
            new ImportResult(Kind, at, "updated", known.Urn), effect,
            new(Practitioner: Shown(row, before with { QualificationLast4 = qualification?[^4..] }) with { EffectiveFrom = null }),
            new(Practitioner: Shown(row, after with { QualificationLast4 = number?[^4..] })),
            [new FeedChange(Kind, known.Urn, known.Urn, activates && !later ? "active" : "updated")]);
    }

    // A licence, category, region or scope that was not there gives a right; so does every change of role but the step down to an assistant.
    private static Effect EffectOf(PractitionerFacts before, PractitionerFacts after) =>
        (before.LicenceNumber, before.Category, before.Region) != (after.LicenceNumber, after.Category, after.Region)
        || after.Scope.Except(before.Scope, StringComparer.Ordinal).Any()
        || (before.Role != after.Role && (before.Role, after.Role) is not ("physician", "assistant-physician")) ? Effect.Widens
        : before.Role != after.Role || before.Scope.Except(after.Scope, StringComparer.Ordinal).Any() ? Effect.Narrows
        : Effect.Corrects;

    private static PractitionerFacts Shown(PractitionerRow row, PractitionerFacts facts) =>
        facts with { IdentityType = row.IdentityType, IdentityLast4 = row.IdentityNumber[^4..], EffectiveFrom = row.EffectiveFrom };

    private static Task Append(WriteContext context, string urn, PractitionerRow row, byte[]? qualification, DateTimeOffset from, CancellationToken ct) =>
        context.Tx.Sql(InsertFacts).With(urn).With(row.Name).With(row.Role).With(row.LicenceNumber).With(row.Category).With<string[]>([.. row.Scope])
            .With(qualification).With(row.Region).With(from).With(context.Now).With(context.Officer).With(context.ConfirmedBy).Execute(ct);

    private static Task AddState(WriteContext context, string urn, string state, DateTimeOffset from, CancellationToken ct) =>
        context.Tx.Sql(InsertState).With(urn).With(state).With(from).With(context.Now).With(context.Officer).With(context.ConfirmedBy).Execute(ct);
}

/// <summary>A practitioner as the registry has it now.</summary>
/// <param name="Urn">The identifier.</param>
/// <param name="Facts">For comparison and show.</param>
/// <param name="QualificationSealed">The qualification's number, sealed.</param>
/// <param name="Starts">Every instant from which something recorded of it holds.</param>
internal sealed record KnownPractitioner(string Urn, PractitionerFacts Facts, byte[]? QualificationSealed, IReadOnlyList<DateTimeOffset> Starts);

using Npgsql;
using Trust.CA.Feed;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Postgres;

namespace Trust.CA.Registry;

/// <summary>Enters an institution, or appends what changed about it.</summary>
internal static class WriteInstitution
{
    private const string Kind = "institution";
    private const string Find = """
        SELECT i.urn, i.credit_code, f.name, f.kind, f.region, f.registration_number,
               (SELECT state FROM institution_states s WHERE s.institution = i.urn AND effective_from <= $2 ORDER BY id DESC LIMIT 1),
               ARRAY(SELECT effective_from FROM institution_facts g WHERE g.institution = i.urn
                     UNION SELECT effective_from FROM institution_states s WHERE s.institution = i.urn)
        FROM institutions i JOIN LATERAL (SELECT * FROM institution_facts f WHERE f.institution = i.urn ORDER BY id DESC LIMIT 1) f ON true
        WHERE i.credit_code = $1 OR i.urn = $1
        """;
    private const string Insert = "INSERT INTO institutions (urn, credit_code, recorded_at) VALUES ($1, $2, $3)";
    private const string InsertFacts = """
        INSERT INTO institution_facts (institution, name, kind, registration_number, region, effective_from, recorded_at, recorded_by, confirmed_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """;
    private const string InsertState = """
        INSERT INTO institution_states (institution, state, effective_from, recorded_at, recorded_by, reason) VALUES ($1, 'active', $2, $3, $4, 'import')
        """;

    /// <summary>Writes a row.</summary>
    public static async Task<RowChange> Write(WriteContext context, InstitutionRow row, int at, CancellationToken ct)
    {
        if (RowRules.Fault(row, context.Now, context.Residency.Terms.Regions) is { } fault)
        {
            return RowChange.Refused(Kind, at, fault);
        }

        return await Known(context, row.CreditCode, ct) is { } known ? await Change(context, row, at, known, ct) : await Create(context, row, at, ct);
    }

    /// <summary>An institution by its identifier or credit code as it is now; null when there is none.</summary>
    public static Task<KnownInstitution?> Known(WriteContext context, string reference, CancellationToken ct) =>
        context.Tx.Sql(Find).With(reference).With(context.Now).One(
            r => new KnownInstitution(
                r.GetString(0),
                new InstitutionFacts(
                    r.GetString(1), r.GetString(2), r.GetString(3), r.GetString(4), r.Nullable<string>(6) ?? "pending", r.Nullable<string>(5),
                    context.Standing(r.GetString(0))),
                r.GetFieldValue<DateTimeOffset[]>(7)),
            ct);

    private static async Task<RowChange> Create(WriteContext context, InstitutionRow row, int at, CancellationToken ct)
    {
        var begins = row.EffectiveFrom ?? context.Now;
        var later = begins > context.Now;
        var urn = context.New(InstitutionId.New(context.Now).Value);
        await context.Tx.Sql(Insert).With(urn).With(row.CreditCode).With(context.Now).Execute(ct);
        await Append(context, urn, row, row.RegistrationNumber, later ? context.Now : begins, ct);
        await context.Tx.Sql(InsertState).With(urn).With(begins).With(context.Now).With(context.Officer).Execute(ct);
        if (later)
        {
            await DueChanges.Begin(context, Kind, null, urn, begins, ct);
        }

        var after = new InstitutionFacts(
            row.CreditCode, row.Name, row.Kind, row.Region, later ? "pending" : "active", row.RegistrationNumber, EffectiveFrom: row.EffectiveFrom);
        return new RowChange(
            new ImportResult(Kind, at, "created", urn, RowRules.Warning(row)), Effect.Widens, new(), new(Institution: after),
            [new FeedChange(Kind, urn, null, after.State)]);
    }

    private static async Task<RowChange> Change(WriteContext context, InstitutionRow row, int at, KnownInstitution known, CancellationToken ct)
    {
        // An absent member is not compared, so that a file without it erases nothing.
        var after = known.Facts with
        {
            Name = row.Name, Kind = row.Kind, Region = row.Region, RegistrationNumber = row.RegistrationNumber ?? known.Facts.RegistrationNumber,
        };
        var start = StartOfChange.Of(row.EffectiveFrom, known.Starts, context.Now, changes: after != known.Facts);
        if (start is StartOfChange.Refused(var rule))
        {
            return RowChange.Refused(Kind, at, new RowFault(rule, "effectiveFrom"), known.Urn);
        }

        if (after == known.Facts)
        {
            return RowChange.None(new ImportResult(Kind, at, "unchanged", known.Urn, RowRules.Warning(row)));
        }

        await Append(context, known.Urn, row, after.RegistrationNumber, start.At, ct);
        var effect = after.Kind == known.Facts.Kind && after.Region == known.Facts.Region ? Effect.Corrects : Effect.Widens;
        return new RowChange(
            new ImportResult(Kind, at, "updated", known.Urn, RowRules.Warning(row)), effect, new(Institution: known.Facts),
            new(Institution: after with { EffectiveFrom = row.EffectiveFrom }), [new FeedChange(Kind, known.Urn, null, "updated")]);
    }

    private static Task Append(WriteContext context, string urn, InstitutionRow row, string? registrationNumber, DateTimeOffset from, CancellationToken ct) =>
        context.Tx.Sql(InsertFacts).With(urn).With(row.Name).With(row.Kind).With(registrationNumber).With(row.Region).With(from).With(context.Now)
            .With(context.Officer).With(context.ConfirmedBy).Execute(ct);
}

/// <summary>An institution as the registry has it now.</summary>
/// <param name="Urn">Its identifier.</param>
/// <param name="Facts">For comparison and show.</param>
/// <param name="Starts">Every instant from which something recorded of it holds.</param>
internal sealed record KnownInstitution(string Urn, InstitutionFacts Facts, IReadOnlyList<DateTimeOffset> Starts);

/// <summary>From when a change of someone known holds.</summary>
/// <param name="At">That instant.</param>
internal record StartOfChange(DateTimeOffset At)
{
    /// <summary>
    /// A start that is recorded already is the licence's own, sent again with the row: the change holds from now. Another one in the past
    /// dates the change back, which only questions see that ask with what is known since.
    /// </summary>
    public static StartOfChange Of(DateTimeOffset? from, IReadOnlyList<DateTimeOffset> starts, DateTimeOffset now, bool changes) => from switch
    {
        null => new StartOfChange(now),
        { } known when starts.Contains(known) => new StartOfChange(now),
        _ when !changes => new Refused("start-recorded-otherwise"),
        { } later when later > now => new Refused("change-in-the-future"),
        { } earlier => new StartOfChange(earlier),
    };

    /// <summary>No change can hold from there; why.</summary>
    public sealed record Refused(string Rule) : StartOfChange(default(DateTimeOffset));
}

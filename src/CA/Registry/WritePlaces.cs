using Npgsql;
using Trust.CA.Certificates;
using Trust.CA.Feed;
using Trust.Crypto.Asn1;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Postgres;

namespace Trust.CA.Registry;

/// <summary>
/// Where a practitioner practises: affiliations, and filings for online practice. Each is named by practitioner, institution and begin; a
/// correction of its other members is a further version of it.
/// </summary>
internal static class WritePlaces
{
    private const string FindAffiliation = """
        SELECT id, kind, valid_to FROM affiliations_known('infinity') WHERE practitioner = $1 AND institution = $2 AND valid_from = $3
        """;
    private const string FindFiling = "SELECT id, number, valid_to FROM filings_known('infinity') WHERE practitioner = $1 AND institution = $2 AND valid_from = $3";
    private const string OverlapsAffiliation = """
        SELECT count(*) FROM affiliations_known('infinity') WHERE practitioner = $1 AND institution = $2 AND id <> $5
          AND valid_from < coalesce($4, 'infinity') AND (valid_to IS NULL OR valid_to > $3)
        """;
    private const string OverlapsFiling = """
        SELECT count(*) FROM filings_known('infinity') WHERE practitioner = $1 AND institution = $2 AND id <> $5
          AND valid_from < coalesce($4, 'infinity') AND (valid_to IS NULL OR valid_to > $3)
        """;
    private const string Elsewhere = """
        SELECT count(*) FROM affiliations_known('infinity') WHERE practitioner = $1 AND institution <> $2 AND ($5 OR kind = 'main')
          AND valid_from < coalesce($4, 'infinity') AND (valid_to IS NULL OR valid_to > $3)
        """;
    private const string AppendAffiliation = """
        INSERT INTO affiliations (id, practitioner, institution, kind, valid_from, valid_to, region, recorded_at, recorded_by, confirmed_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """;
    private const string AppendFiling = """
        INSERT INTO filings (id, practitioner, institution, number, valid_from, valid_to, recorded_at, recorded_by, confirmed_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """;

    /// <summary>Writes an affiliation; its end revokes the certificates that name it.</summary>
    public static Task<RowChange> Write(WriteContext context, AffiliationRow row, int at, CancellationToken ct) =>
        RowRules.Fault(row) is { } fault ? Task.FromResult(RowChange.Refused("affiliation", at, fault))
            : Write(context, new Place("affiliation", row.Practitioner, row.Institution, row.Kind, row.From, row.To), at, ct);

    /// <summary>Writes a filing for online practice.</summary>
    public static Task<RowChange> Write(WriteContext context, FilingRow row, int at, CancellationToken ct) =>
        RowRules.Fault(row) is { } fault ? Task.FromResult(RowChange.Refused("filing", at, fault))
            : Write(context, new Place("filing", row.Practitioner, row.Institution, row.Number, row.From, row.To), at, ct);

    private static async Task<RowChange> Write(WriteContext context, Place place, int at, CancellationToken ct)
    {
        if (await WritePractitioner.Refer(context, place.Practitioner, ct) is not { } person)
        {
            return RowChange.Refused(place.Kind, at, new RowFault("unknown-practitioner", "practitioner"));
        }

        // Certificates that are being recorded for the person wait, and see what is written here.
        await PractitionerStates.Lock(context.Tx, PersonId.Parse(person.Urn, null), ct);
        var reference = InstitutionId.TryParse(place.Institution, out _) || UnifiedSocialCreditCode.TryParse(place.Institution, out _) ? place.Institution : "";
        if (await WriteInstitution.Known(context, reference, ct) is not { } institution)
        {
            return RowChange.Refused(place.Kind, at, new RowFault("unknown-institution", "institution"));
        }

        var known = await Find(context, place, person.Urn, institution.Urn, ct);
        var write = new Entry(context, place, person, institution, at);
        return known is null ? await Begin(write, ct) : await Correct(write, known, ct);
    }

    private static async Task<RowChange> Begin(Entry write, CancellationToken ct)
    {
        var (context, place, person, institution, _) = write;
        var id = Ulid.New(context.Now);
        if (await RefusedBecause(write, id, ct) is { } rule)
        {
            return RowChange.Refused(place.Kind, write.At, new RowFault(rule), person.Urn);
        }

        await Append(write, id, place.Text, place.To, ct);
        if (place.From > context.Now)
        {
            await DueChanges.Begin(context, place.Kind, person.Urn, institution.Urn, place.From, ct);
        }

        if (place.To > context.Now)
        {
            await DueChanges.End(context, place.Kind, person.Urn, institution.Urn, place.To.Value, ct);
        }

        var after = new PlaceFacts(place.Text, place.From, place.To);
        return Changed(write, "created", Effect.Widens, null, after, [Line(write, StateOf(after, context.Now, place.IsFiling))]);
    }

    private static async Task<RowChange> Correct(Entry write, KnownPlace known, CancellationToken ct)
    {
        var (context, place, person, institution, _) = write;
        // An absent end is not compared, so that a file of the time before the end takes none away.
        var after = known.Facts with { KindOrNumber = place.Text, To = place.To ?? known.Facts.To };
        if (after == known.Facts)
        {
            return RowChange.None(new ImportResult(place.Kind, write.At, "unchanged", person.Urn));
        }

        var longer = known.Facts.To is { } end && after.To > end;
        if (longer && known.Facts.To <= context.Now)
        {
            // What was issued under it is revoked: whoever comes back begins anew.
            return RowChange.Refused(place.Kind, write.At, new RowFault("ended-already", "to"), person.Urn);
        }

        var rekinded = !place.IsFiling && after.KindOrNumber != known.Facts.KindOrNumber;
        if ((longer || rekinded) && await RefusedBecause(write, known.Id, ct) is { } rule)
        {
            return RowChange.Refused(place.Kind, write.At, new RowFault(rule), person.Urn);
        }

        await Append(write, known.Id, after.KindOrNumber, after.To, ct);
        List<FeedChange> feed = [Line(write, StateOf(after, context.Now, place.IsFiling))];
        var newEnd = after.To != known.Facts.To;
        if (newEnd && after.To <= context.Now && !place.IsFiling)
        {
            feed.AddRange(await CertificateConsequences.RevokeUnder(
                context.Tx, person.Urn, institution.Urn, RevocationReason.AffiliationChanged, context.Now, context.Officer, ct));
        }
        else if (newEnd && after.To > context.Now)
        {
            await DueChanges.End(context, place.Kind, person.Urn, institution.Urn, after.To.Value, ct);
        }

        var effect = longer || rekinded ? Effect.Widens : newEnd ? Effect.Narrows : Effect.Corrects;
        return Changed(write, "updated", effect, known.Facts, after, feed);
    }

    // One main institution; assistants practise at one place only (docs/RULES.md §3). No two of one kind at one place at a time, or the end of
    // one would end nothing.
    private static async Task<string?> RefusedBecause(Entry write, string id, CancellationToken ct)
    {
        var (context, place, person, institution, _) = write;
        var overlaps = place.IsFiling ? context.Tx.Sql(OverlapsFiling) : context.Tx.Sql(OverlapsAffiliation);
        if (await overlaps.With(person.Urn).With(institution.Urn).With(place.From).With(place.To).With(id).Scalar<long>(ct) > 0)
        {
            return place.IsFiling ? "overlaps-a-filing" : "overlaps-an-affiliation";
        }

        var assistant = person.Facts.Role is "assistant-physician";
        if (place.IsFiling || (!assistant && place.Text is not "main"))
        {
            return null;
        }

        return await context.Tx.Sql(Elsewhere).With(person.Urn).With(institution.Urn).With(place.From).With(place.To).With(assistant).Scalar<long>(ct) == 0
            ? null : assistant ? "assistant-one-place" : "second-main-institution";
    }

    private static Task<KnownPlace?> Find(WriteContext context, Place place, string person, string institution, CancellationToken ct) =>
        (place.IsFiling ? context.Tx.Sql(FindFiling) : context.Tx.Sql(FindAffiliation)).With(person).With(institution).With(place.From).One(
            r => new KnownPlace(r.GetString(0), new PlaceFacts(r.GetString(1), place.From, r.Nullable<DateTimeOffset?>(2))), ct);

    private static Task<int> Append(Entry write, string id, string text, DateTimeOffset? to, CancellationToken ct)
    {
        var (context, place, person, institution, _) = write;
        var command = place.IsFiling ? context.Tx.Sql(AppendFiling) : context.Tx.Sql(AppendAffiliation);
        command.With(id).With(person.Urn).With(institution.Urn).With(text).With(place.From).With(to);
        return (place.IsFiling ? command : command.With(institution.Facts.Region)).With(context.Now).With(context.Officer).With(context.ConfirmedBy).Execute(ct);
    }

    private static RowChange Changed(Entry write, string result, Effect effect, PlaceFacts? before, PlaceFacts after, List<FeedChange> feed)
    {
        var (_, place, person, institution, at) = write;
        RowFacts Facts(PlaceFacts? facts) => new(
            institution.Facts, person.Facts, place.IsFiling ? null : facts, place.IsFiling ? facts : null);
        return new RowChange(new ImportResult(place.Kind, at, result, person.Urn), effect, Facts(before), Facts(after), feed);
    }

    private static FeedChange Line(Entry write, string state) => new("affiliation", write.Institution.Urn, write.Person.Urn, state);

    private static string StateOf(PlaceFacts facts, DateTimeOffset now, bool filing) =>
        facts.To <= now ? filing ? "filing-ended" : "ended"
        : facts.From > now ? "pending"
        : filing ? "filed" : "active";

    private sealed record Place(string Kind, string Practitioner, string Institution, string Text, DateTimeOffset From, DateTimeOffset? To)
    {
        public bool IsFiling => Kind is "filing";
    }

    private sealed record KnownPlace(string Id, PlaceFacts Facts);

    private sealed record Entry(WriteContext Context, Place Place, KnownPractitioner Person, KnownInstitution Institution, int At);
}

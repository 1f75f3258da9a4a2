using System.Buffers.Binary;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.CA.Officers;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.CA.Registry;

/// <summary>Whom to find: by licence number, by name, or by a document's type and number.</summary>
/// <param name="LicenceNumber">执业证书编码, of whatever role.</param>
/// <param name="Name">The whole name as registered.</param>
/// <param name="IdentityType">Type of the document whose number is given.</param>
/// <param name="IdentityNumber">The document's number.</param>
public sealed record PractitionerSearch(string? LicenceNumber = null, string? Name = null, string? IdentityType = null, string? IdentityNumber = null);

/// <summary>A practitioner as registered now.</summary>
public sealed record FoundPractitioner(
    string Urn, string Name, string Role, string LicenceNumber, string Category, IReadOnlyList<string> Scope, string Region, string State,
    DateTimeOffset RecordedAt);

/// <summary>
/// <c>POST /practitioners/searches</c>: an officer finds people; a regulator those of the own region, registered there or working there. What is asked for stands in the body, because an identity number in an
/// address would reach logs. The ledger holds the search before the answer leaves.
/// </summary>
internal sealed class FindPractitioners(NpgsqlDataSource db, RegistryKeys keys, RegistryReaders readers, TimeProvider clock)
{
    private const string Select = """
        SELECT f.practitioner, f.name, f.role, f.licence_number, f.licence_category, f.licence_scope, f.region,
               coalesce((SELECT state FROM practitioner_states s WHERE s.practitioner = f.practitioner AND effective_from <= $6 ORDER BY id DESC LIMIT 1), 'pending'),
               f.recorded_at, f.id
        FROM practitioner_facts f
        WHERE NOT EXISTS (SELECT 1 FROM practitioner_facts later WHERE later.practitioner = f.practitioner AND later.id > f.id)
          AND (f.licence_number = $1 OR f.name = $2 OR f.practitioner = (SELECT urn FROM practitioners WHERE identity_lookup = $3))
          AND (f.recorded_at, f.id) > ($4, $5)
          AND ($8::text[] IS NULL OR f.region = ANY ($8) OR EXISTS (
              SELECT 1 FROM affiliations_known('infinity') a
              JOIN LATERAL (SELECT region FROM institution_facts i WHERE i.institution = a.institution ORDER BY id DESC LIMIT 1) i ON true
              WHERE a.practitioner = f.practitioner AND a.valid_from <= $6 AND (a.valid_to IS NULL OR a.valid_to > $6) AND i.region = ANY ($8)))
        ORDER BY f.recorded_at, f.id LIMIT $7
        """;

    /// <summary>Finds.</summary>
    public async Task<Results<Ok<IReadOnlyList<FoundPractitioner>>, Refusal>> Handle(
        HttpContext context, PractitionerSearch search, string? after, int? limit, CancellationToken ct)
    {
        context.Response.Headers.CacheControl = "no-store";
        // One event names everyone whom one answer shows.
        if (Page.Of(after, limit, EventBody.MaxSubjects) is not { } page)
        {
            return CommonRefusals.MalformedPage;
        }

        var now = Microseconds.Truncate(clock.GetUtcNow());
        if (KindOf(search, now) is not { } kind)
        {
            return CaRefusals.MalformedSearch;
        }

        if (!TryReader(context, out var own, out var actor))
        {
            return await readers.Refuse(RegistryReaders.Question(context.Caller(), "practitioners-by-" + kind, []), CaRefusals.NotYourRecord, ct);
        }

        var lookup = search.IdentityNumber is { } number ? await keys.LookupOf(search.IdentityType!, IdentifierRules.Fold(number), ct) : null;
        var rows = await db.Sql(Select).With(search.LicenceNumber).With(search.Name).With(lookup).With(page.After.At).With(IdOf(page.After.Id)).With(now)
            .With(page.Fetch).With(own?.ToArray()).All(Read, ct);
        var found = page.Take(context, rows, row => new Cursor(row.Person.RecordedAt, PlaceOf(row.Id)));
        return await readers.Confirm(Question(actor, own is not null, kind, found), ct) ?? (Results<Ok<IReadOnlyList<FoundPractitioner>>, Refusal>)
            TypedResults.Ok<IReadOnlyList<FoundPractitioner>>([.. found.Select(row => row.Person)]);
    }

    // Officers work in every region; a regulator in the own one and what lies in it.
    private bool TryReader(HttpContext context, out IReadOnlyList<string>? own, out Actor actor)
    {
        (own, actor) = (null, new Actor("anonymous"));
        if (context.TryOfficer() is { } officer)
        {
            actor = officer.Actor;
            return true;
        }

        var caller = context.Caller();
        actor = new Actor(caller.Subject, caller.LoginCertificate, caller.Role, caller.Institution);
        return (own = readers.RegionsOf(caller)) is not null;
    }

    private static AuditEvent Question(Actor actor, bool isRegulator, string kind, IReadOnlyList<(FoundPractitioner Person, long Id)> found) => new()
    {
        Action = "REG.query",
        Actor = actor,
        Subjects = [.. found.Select(row => SubjectKey.Practitioner(row.Person.Urn))],
        Outcome = EventOutcome.Success,
        Purpose = isRegulator ? "SUPERVISION" : null,
        Reason = "practitioners-by-" + kind,
    };

    // Which of the three is asked for; null when none is, or more than one, or what could be nobody's.
    private static string? KindOf(PractitionerSearch search, DateTimeOffset now) => search switch
    {
        { LicenceNumber: { } licence, Name: null, IdentityType: null, IdentityNumber: null } => IdentifierRules.IsOpaqueLicence(licence) ? "licence" : null,
        { LicenceNumber: null, Name: { } name, IdentityType: null, IdentityNumber: null } => PersonName.TryParse(name, out _) ? "name" : null,
        { LicenceNumber: null, Name: null, IdentityType: { } type, IdentityNumber: { } number } =>
            RowRules.DocumentFault(type, IdentifierRules.Fold(number), now) is null ? "identity-number" : null,
        _ => null,
    };

    private static (FoundPractitioner Person, long Id) Read(NpgsqlDataReader r) => (
        new FoundPractitioner(
            r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetString(4), r.GetFieldValue<string[]>(5), r.GetString(6), r.GetString(7),
            r.GetFieldValue<DateTimeOffset>(8)),
        r.GetInt64(9));

    // A fact's number as the cursor's identifier.
    private static Guid PlaceOf(long id)
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        BinaryPrimitives.WriteInt64BigEndian(bytes[8..], id);
        return new Guid(bytes, bigEndian: true);
    }

    private static long IdOf(Guid place) => BinaryPrimitives.ReadInt64BigEndian(place.ToByteArray(bigEndian: true).AsSpan(8));
}

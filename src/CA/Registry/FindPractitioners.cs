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
/// <c>POST /practitioners/searches</c>: an officer finds people. What is asked for stands in the body, because an identity number in an
/// address would reach logs. The ledger holds the search before the answer leaves.
/// </summary>
internal sealed class FindPractitioners(NpgsqlDataSource db, RegistryKeys keys, Outbox outbox, TimeProvider clock)
{
    private const string Select = """
        SELECT f.practitioner, f.name, f.role, f.licence_number, f.licence_category, f.licence_scope, f.region,
               coalesce((SELECT state FROM practitioner_states s WHERE s.practitioner = f.practitioner AND effective_from <= $6 ORDER BY id DESC LIMIT 1), 'pending'),
               f.recorded_at, f.id
        FROM practitioner_facts f
        WHERE NOT EXISTS (SELECT 1 FROM practitioner_facts later WHERE later.practitioner = f.practitioner AND later.id > f.id)
          AND (f.licence_number = $1 OR f.name = $2 OR f.practitioner = (SELECT urn FROM practitioners WHERE identity_lookup = $3))
          AND (f.recorded_at, f.id) > ($4, $5)
        ORDER BY f.recorded_at, f.id LIMIT $7
        """;

    /// <summary>Finds.</summary>
    public async Task<Results<Ok<IReadOnlyList<FoundPractitioner>>, Refusal>> Handle(
        HttpContext context, PractitionerSearch search, string? after, int? limit, CancellationToken ct)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (Page.Of(after, limit) is not { } page)
        {
            return CommonRefusals.MalformedPage;
        }

        var now = Microseconds.Truncate(clock.GetUtcNow());
        if (KindOf(search, now) is not { } kind)
        {
            return CaRefusals.MalformedSearch;
        }

        var lookup = search.IdentityNumber is { } number ? await keys.LookupOf(search.IdentityType!, IdentifierRules.Fold(number), ct) : null;
        var rows = await db.Sql(Select).With(search.LicenceNumber).With(search.Name).With(lookup).With(page.After.At).With(IdOf(page.After.Id)).With(now)
            .With(page.Fetch).All(Read, ct);
        var found = page.Take(context, rows, row => new Cursor(row.Person.RecordedAt, PlaceOf(row.Id)));
        return await Recorded(context.Officer(), kind, found, ct) ?? (Results<Ok<IReadOnlyList<FoundPractitioner>>, Refusal>)
            TypedResults.Ok<IReadOnlyList<FoundPractitioner>>([.. found.Select(row => row.Person)]);
    }

    private async Task<Refusal?> Recorded(Officer officer, string kind, IReadOnlyList<(FoundPractitioner Person, long Id)> found, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        var asked = new AuditEvent
        {
            Action = "REG.query",
            Actor = officer.Actor,
            // An event carries at most 64 subjects; of a longer page the first ones stand for it.
            Subjects = [.. found.Take(EventBody.MaxSubjects).Select(row => SubjectKey.Practitioner(row.Person.Urn))],
            Outcome = EventOutcome.Success,
            Reason = "practitioners-by-" + kind,
        };
        return await outbox.AppendConfirmed(tx, asked, ct) switch
        {
            ConfirmOutcome.Confirmed => null,
            ConfirmOutcome.Refused(var why) => CommonRefusals.From(why),
            _ => CommonRefusals.LedgerAway,
        };
    }

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
